#if arch(x86_64)
    import KVM
    import Linux

    /// What kind of processor a machine's host has.
    public struct ProcessorModel: Hashable, Sendable {
        /// Twelve letters: `GenuineIntel`, `AuthenticAMD`.
        public var vendor: String
        /// Family, model and stepping as leaf 1 of CPUID has them in EAX, without the bits that mean nothing there.
        public var signature: UInt32

        public init(vendor: String, signature: UInt32) {
            self.vendor = vendor
            self.signature = signature & 0x0fff_0fff
        }

        /// - Throws: ``MachineError`` where there is no KVM.
        public static func ofHost() throws(MachineError) -> ProcessorModel {
            ProcessorModel(try building(.machine) { () throws(SystemError) in try Hypervisor().supportedCPUID() })
        }

        /// - Parameter cpuid: what KVM offers to guests.
        init(_ cpuid: [CPUIDEntry]) {
            func leaf(_ function: UInt32) -> CPUIDEntry {
                cpuid.first { $0.function == function } ?? CPUIDEntry(function: function)
            }
            self.init(vendor: ProcessorBaseline.vendor(leaf(0)), signature: leaf(1).eax)
        }
    }
#endif
