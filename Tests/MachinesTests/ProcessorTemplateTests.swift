#if arch(x86_64)
    import KVM
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    @Suite struct ProcessorTemplateTests {
        private let entries = [
            CPUIDEntry(function: 1, eax: 0xff, ebx: 1, ecx: 2, edx: 3),
            CPUIDEntry(function: 7, index: 0, flags: .indexMatters, ebx: 0xf0),
            CPUIDEntry(function: 7, index: 1, flags: .indexMatters, ebx: 0xf1),
        ]

        @Test func answersChangeBitByBit() throws {
            var template = ProcessorTemplate()
            template.leaves = [
                .init(
                    1, 0, flags: 0, [.init(.eax, .init(mask: 0xf, value: 5)), .init(.edx, .init(mask: 1, value: 0))]),
                .init(
                    7, 1, flags: 1, [.init(.ebx, .init(mask: 0x3, value: 2)), .init(.ecx, .init(mask: 1, value: 1))]),
            ]
            let made = try template.applied(to: entries)
            #expect(made[0] == CPUIDEntry(function: 1, eax: 0xf5, ebx: 1, ecx: 2, edx: 2))
            #expect(made[1] == entries[1])
            #expect(made[2] == CPUIDEntry(function: 7, index: 1, flags: .indexMatters, ebx: 0xf2, ecx: 1))
        }

        @Test func anAnswerThatKVMDoesNotHaveIsNamed() {
            var template = ProcessorTemplate()
            template.leaves = [.init(0x1f, 2, flags: 0, [])]
            #expect {
                try template.applied(to: entries)
            } throws: {
                "\($0)".contains("Template changes a CPUID entry not supported by KVM: Leaf: 1f, Subleaf: 2")
            }
        }

        @Test(.needs(.kvm)) func aProcessorHasTheRegistersOfItsTemplate() throws {
            var template = ProcessorTemplate()
            // The page attribute table, whose second byte nothing changes at the start.
            template.registers = [.init(0x277, .init(mask: 0xff00, value: 0x0100))]
            let hypervisor = try Hypervisor()
            let vm = try hypervisor.makeMachine()
            try vm.makeInterruptControllers()
            let setup = try ProcessorSetup(1, maximum: 1, template: template, hypervisor)
            let vcpu = try setup.makeVCPU(0, vm)
            let before = try vcpu.msrs([0x277])[0].value
            try setup.prepare(vcpu)
            #expect(try vcpu.msrs([0x277])[0].value == before & ~0xff00 | 0x0100)
            // A register that is none.
            template.registers = [.init(0x4000_1234, .init(mask: 1, value: 1))]
            let other = try ProcessorSetup(1, maximum: 1, template: template, hypervisor)
            #expect(throws: SystemError.self) { try other.prepare(vcpu) }
        }

        @Test(.needs(.kvm)) func capabilitiesThatTheHostLacksAreNamed() throws {
            var configuration = MachineConfiguration(kernel: "/bin/sh")
            var template = ProcessorTemplate()
            template.neededCapabilities = [100_000]
            configuration.processorTemplate = template
            #expect { try Machine(configuration) } throws: {
                "\($0)".contains("KVM_CAP 100000, which the template needs")
            }
        }
    }
#endif
