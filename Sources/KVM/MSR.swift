#if arch(x86_64)
    import CKVM
    import Linux

    /// A model-specific register and its value; `struct kvm_msr_entry`.
    public struct MSR: Hashable, Sendable, BitwiseCopyable {
        public var index: UInt32
        private var reserved: UInt32 = 0
        public var value: UInt64

        public init(_ index: UInt32, _ value: UInt64 = 0) {
            self.index = index
            self.value = value
        }

        /// The kernel takes no more in one call: `MAX_IO_MSRS`.
        static let mostInOneCall = 255

        static func read(_ indices: [UInt32], from descriptor: borrowing Descriptor) throws(SystemError) -> [MSR] {
            var all: [MSR] = []
            all.reserveCapacity(indices.count)
            while all.count < indices.count {
                let part = indices[all.count..<min(indices.count, all.count + mostInOneCall)].map { MSR($0) }
                var list = ListBuffer(head: 8, part)
                list.length = UInt32(part.count)
                let done = try count(list.control(descriptor, .getMSRs), "KVM_GET_MSRS")
                guard done == part.count else { throw refused("get \(part[done].name)") }
                all += list.elements(part.count)
            }
            return all
        }

        /// Those of the registers that the guest has; the others are passed over.
        static func readPresent(
            _ indices: [UInt32], from descriptor: borrowing Descriptor
        ) throws(SystemError) -> [MSR] {
            var all: [MSR] = []
            var next = 0
            while next < indices.count {
                let part = indices[next..<min(indices.count, next + mostInOneCall)].map { MSR($0) }
                var list = ListBuffer(head: 8, part)
                list.length = UInt32(part.count)
                let done = try count(list.control(descriptor, .getMSRs), "KVM_GET_MSRS")
                all += list.elements(done)
                // The one that ended the call is none of the guest's.
                next += done < part.count ? done + 1 : done
            }
            return all
        }

        static func write(_ msrs: [MSR], to descriptor: borrowing Descriptor) throws(SystemError) {
            var written = 0
            while written < msrs.count {
                let part = Array(msrs[written..<min(msrs.count, written + mostInOneCall)])
                var list = ListBuffer(head: 8, part)
                list.length = UInt32(part.count)
                let done = try count(list.control(descriptor, .setMSRs), "KVM_SET_MSRS")
                guard done == part.count else {
                    throw refused("set \(part[done].name) to 0x\(String(part[done].value, radix: 16))")
                }
                written += done
            }
        }

        private var name: String { "MSR 0x\(String(index, radix: 16))" }

        private static func refused(_ operation: String) -> SystemError {
            SystemError(operation, .invalidArgument, hint: "KVM knows no such register here, or refuses the value")
        }

        private static func count(_ answer: Result<CInt, Errno>, _ operation: String) throws(SystemError) -> Int {
            switch answer {
            case .success(let count): return Int(count)
            case .failure(let error): throw SystemError(operation, error)
            }
        }
    }
#endif
