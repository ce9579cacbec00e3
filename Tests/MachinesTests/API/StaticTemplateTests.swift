#if arch(x86_64)
    import KVM
    import Linux
    import TestSupport
    import Testing

    @testable import Machines
    @testable import bulkhead_vm

    /// Firecracker's own templates: what is said of them there is what processors have.
    @Suite struct StaticTemplateTests {
        /// One register: the bits that a template sets, and to what.
        private struct Bits: Equatable {
            var place: String
            var mask: UInt64
            var value: UInt64

            init(_ place: String, _ mask: UInt64, _ value: UInt64 = 0) {
                (self.place, self.mask, self.value) = (place, mask, value)
            }
        }

        private static let haswell: [Bits] = [
            Bits("1.0 eax", 0x0fff_3fff, 0x3_06f2), Bits("1.0 ecx", 0x4_cdfc), Bits("1.0 edx", 0xe864_1080, 0x1080),
            Bits("7.0 ebx", 0xffef_da14, 0x200), Bits("7.0 ecx", 0x4041_5f5e), Bits("7.0 edx", 0x11c),
            Bits("d.0 eax", 0x2f8), Bits("d.1 eax", 0xe),
        ]

        private static func expected(_ template: StaticTemplate) -> [Bits] {
            switch template {
            case .none: []
            case .c3:
                [
                    Bits("1.0 eax", 0x0fff_3fff, 0x3_06e4), Bits("1.0 ecx", 0x40_dd3c),
                    Bits("1.0 edx", 0xa864_1080, 0x1080), Bits("7.0 ebx", 0xffaf_dd3c), Bits("7.0 ecx", 0x4041_481e),
                    Bits("7.0 edx", 0xc), Bits("d.0 eax", 0x2f8), Bits("d.1 eax", 0xe),
                    Bits("80000001.0 ecx", 0x120), Bits("80000001.0 edx", 0x400_0000),
                ]
            case .t2, .t2s:
                haswell + [
                    Bits("80000001.0 ecx", 0x2000_0100), Bits("80000001.0 edx", 0x400_0000),
                    Bits("80000008.0 ebx", 0x200),
                ] + (template == .t2s ? [Bits("msr 10a", .max, 0xc0a_0c4c)] : [])
            case .t2cl:
                haswell + [
                    Bits("80000001.0 ecx", 0x2000_01c0), Bits("80000001.0 edx", 0x7c0_0000),
                    Bits("80000008.0 ebx", 0x200), Bits("msr 10a", 0xffff_ffff_e2f5_1e00),
                ]
            case .t2a:
                haswell + [
                    Bits("80000001.0 ecx", 0x2000_01c4), Bits("80000001.0 edx", 0x640_0000),
                    Bits("80000008.0 ebx", 0x1c_0205, 0x1c_0004),
                ]
            }
        }

        private func register(_ entry: CPUIDEntry, _ name: Substring) -> UInt32 {
            switch name {
            case "eax": entry.eax
            case "ebx": entry.ebx
            case "ecx": entry.ecx
            default: entry.edx
            }
        }

        /// What two processors that are each other's opposite tell of a template.
        private func told(_ template: ProcessorTemplate) throws -> [Bits] {
            func entries(_ all: UInt32) -> [CPUIDEntry] {
                [(1, 0), (7, 0), (0xd, 0), (0xd, 1), (0x8000_0001, 0), (0x8000_0008, 0)].map { function, index in
                    CPUIDEntry(
                        function: function, index: index,
                        flags: function == 7 || function == 0xd ? .indexMatters : [], eax: all, ebx: all, ecx: all,
                        edx: all)
                }
            }
            let (zeros, ones) = (try template.applied(to: entries(0)), try template.applied(to: entries(.max)))
            #expect(zeros.map(\.flags) == entries(0).map(\.flags))
            var all: [Bits] = []
            for (zero, one) in zip(zeros, ones) {
                for name in ["eax", "ebx", "ecx", "edx"] as [Substring] {
                    let (low, high) = (register(zero, name), register(one, name))
                    guard low != 0 || high != .max else { continue }
                    let place = "\(String(zero.function, radix: 16)).\(zero.index) \(name)"
                    all.append(Bits(place, UInt64(~(low ^ high)), UInt64(low)))
                }
            }
            return all
                + template.registers.map {
                    Bits(
                        "msr \(String($0.index, radix: 16))", ~($0.bitmap.applied(to: 0) ^ $0.bitmap.applied(to: .max)),
                        $0.bitmap.applied(to: 0))
                }
        }

        @Test(arguments: StaticTemplate.allCases) func itSetsTheseBitsAndNoOthers(_ name: StaticTemplate) throws {
            let expected = Self.expected(name)
            guard let template = name.template else {
                #expect(name == .none)
                return
            }
            #expect(try told(template) == expected)
        }

        @Test(.needs(.kvm)) func whatThisHostOffersIsChangedSo() throws {
            let offered = try Hypervisor().supportedCPUID()
            let name = ProcessorModel(offered).vendor == "GenuineIntel" ? StaticTemplate.t2 : .t2a
            let made = try #require(try name.template?.applied(to: offered))
            for (before, after) in zip(offered, made) {
                for part in ["eax", "ebx", "ecx", "edx"] as [Substring] {
                    let place = "\(String(before.function, radix: 16)).\(before.index) \(part)"
                    let bits = Self.expected(name).first { $0.place == place } ?? Bits(place, 0)
                    let expected = register(before, part) & ~UInt32(bits.mask) | UInt32(bits.value)
                    #expect(register(after, part) == expected, "\(place)")
                }
            }
        }

        @Test func itIsForSomeProcessors() {
            func refusal(_ template: StaticTemplate, _ vendor: String, _ signature: UInt32) -> String? {
                do throws(Fault) {
                    try template.check(on: ProcessorModel(vendor: vendor, signature: signature))
                    return nil
                } catch { return error.message }
            }
            let (intel, amd) = ("GenuineIntel", "AuthenticAMD")
            let (skylake, cascadeLake, iceLake): (UInt32, UInt32, UInt32) = (0x50654, 0x50657, 0x606a6)
            let milan: UInt32 = 0xa00f11
            let all = [skylake, cascadeLake, iceLake]
            for (template, taken) in [
                (StaticTemplate.c3, all), (.t2, all), (.t2s, [skylake, cascadeLake]), (.t2cl, [cascadeLake, iceLake]),
            ] {
                // Another stepping is another model.
                for signature in all + [0x50656, milan] {
                    let expected =
                        taken.contains(signature)
                        ? nil
                        : "Start microvm error: Failed to get CPU template: The current CPU model is not permitted to "
                            + "apply the CPU template."
                    #expect(refusal(template, intel, signature) == expected, "\(template) \(signature)")
                }
                #expect(
                    refusal(template, amd, skylake)
                        == "Start microvm error: Failed to get CPU template: CPU vendor mismatched between actual CPU "
                        + "and CPU template.")
            }
            // The processor's type does not count.
            #expect(refusal(.t2a, amd, milan | 0x3000) == nil)
            #expect(refusal(.t2a, amd, milan + 0x10_0000)?.contains("not permitted") == true)
            #expect(refusal(.t2a, intel, skylake)?.contains("vendor mismatched") == true)
            #expect(refusal(.none, amd, 0) == nil)
        }
    }
#endif
