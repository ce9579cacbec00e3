import Glibc
import KVM
import Linux
import TestSupport
import Testing

@Suite struct HypervisorTests {
    @Test func aMissingDeviceIsExplained() {
        let error = #expect(throws: SystemError.self) { _ = try Hypervisor("/dev/no-such-kvm") }
        #expect(error?.errno == .noSuchFileOrDirectory)
        #expect(error?.description.contains("/dev/no-such-kvm") == true)
        #expect(error?.hint?.contains("virtualization") == true)
    }

    @Test(.needs(.root)) func aForbiddenDeviceIsExplained() async {
        await #expect(processExitsWith: .success) {
            setuid(65534)
            do throws(SystemError) { _ = try Hypervisor("/etc/shadow") } catch {
                exit(error.errno == .permissionDenied && error.hint?.contains("group") == true ? 0 : 1)
            }
            exit(2)
        }
    }

    @Test func anotherFileIsNoHypervisor() {
        let error = #expect(throws: SystemError.self) { _ = try Hypervisor("/dev/null") }
        #expect(error?.operation == "KVM_GET_API_VERSION")
    }

    @Test(.needs(.kvm)) func capabilities() throws {
        let hypervisor = try Hypervisor(owning: Descriptor.open("/dev/kvm", [.readWrite]))
        let hasMemory = hypervisor.supports(.userMemory)
        #expect(hasMemory)
        let most = try hypervisor.value(of: .maxVCPUs)
        #expect(most >= 1)
        let none = try hypervisor.value(of: Capability(rawValue: 0x7fff))
        #expect(none == 0)
        let hasUnknown = hypervisor.supports(Capability(rawValue: 0x7fff))
        #expect(!hasUnknown)
        #expect("\(Capability.irqChip)" == "KVM_CAP_IRQCHIP")
        #expect("\(Capability(rawValue: 9999))" == "KVM_CAP 9999")
        let machine = try hypervisor.makeMachine()
        let machineHasMemory = machine.supports(.userMemory)
        #expect(machineHasMemory)
    }

    @Test(.needs(.kvm)) func aMachineTypeThatIsNot() throws {
        let hypervisor = try Hypervisor()
        let error = #expect(throws: SystemError.self) { _ = try hypervisor.makeMachine(type: .init(rawValue: 99)) }
        #expect(error?.errno == .invalidArgument)
    }

    #if arch(x86_64)
        @Test(.needs(.kvm)) func cpuid() throws {
            let hypervisor = try Hypervisor()
            let entries = try hypervisor.supportedCPUID()
            let first = try #require(entries.first { $0.function == 0 })
            #expect(first.eax >= 1)
            #expect(entries.contains { $0.function == 1 })
            // Subleaves are marked as such.
            #expect(entries.contains { $0.flags.contains(.indexMatters) })
            _ = try hypervisor.emulatedCPUID()
        }

        @Test(.needs(.kvm)) func modelSpecificRegisters() throws {
            let hypervisor = try Hypervisor()
            // The time-stamp counter, and the entry points of system calls.
            let saved = try hypervisor.savedMSRs()
            #expect(saved.contains(0x10))
            let features = try hypervisor.featureMSRs()
            if let some = features.first {
                let values = try hypervisor.values(ofFeatureMSRs: [some])
                #expect(values.map(\.index) == [some])
            }
            let error = #expect(throws: SystemError.self) { try hypervisor.values(ofFeatureMSRs: [0x1234_5678]) }
            #expect(error?.operation.contains("0x12345678") == true)
        }

        @Test(.needs(.kvm)) func ringZeroIsMeasured() throws {
            let measured = try Hypervisor().measureRingZero()
            // The other probe of this package takes another way to the same answer, if a busy machine gives it the time.
            if let other = HostSupport.probe().kvm.hasRealRing0 { #expect(measured.isReal == other) }
            #expect(measured.nanosecondsPerInstruction < 100_000)
            if insideTestVM { #expect(measured.isReal) }
        }

        @Test(.needs(.kvm)) func aMachinesOwnProcessorMeasuresRingZeroAndIsAsBefore() throws {
            let hypervisor = try Hypervisor()
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: RingZero.memoryNeeded, alignment: 4096)
            defer { memory.deallocate() }
            memory.initializeMemory(as: UInt8.self, repeating: 0xaa)
            let machine = try hypervisor.makeMachine()
            try machine.setTSSAddress(0xfffb_d000)
            // With a local APIC, where a halted processor would not come back.
            try machine.makeInterruptControllers()
            try machine.setMemory(slot: 0, at: 0, memory)
            var vcpu = try machine.makeVCPU(0)
            try vcpu.setCPUID(try hypervisor.supportedCPUID())
            let (registers, special) = (try vcpu.registers(), try vcpu.specialRegisters())
            let measured = try vcpu.measureRingZero(in: memory)
            #expect(measured.nanosecondsPerInstruction > 0)
            if insideTestVM { #expect(measured.isReal) }
            #expect(memory.allSatisfy { $0 == 0 })
            let (after, specialAfter) = (try vcpu.registers(), try vcpu.specialRegisters())
            #expect(after.rip == registers.rip && after.rcx == registers.rcx)
            #expect(specialAfter.cr0 == special.cr0 && specialAfter.cr3 == special.cr3)
            #expect(specialAfter.efer == special.efer && specialAfter.cs.base == special.cs.base)
        }

        @Test func ringZeroReadsAsOneLine() {
            let slow = RingZero(nanosecondsPerInstruction: 640)
            #expect(!slow.isReal && slow.description.contains("640 ns") && !slow.description.contains("\n"))
            let real = RingZero(nanosecondsPerInstruction: 0.3)
            #expect(real.isReal && !real.description.contains("emulates"))
        }
    #endif

    @Test(.needs(.kvm)) func nothingIsLeft() async {
        await #expect(processExitsWith: .success) {
            func round() throws {
                let hypervisor = try Hypervisor()
                let machine = try hypervisor.makeMachine()
                let signal = try KickSignal()
                let vcpu = try machine.makeVCPU(0)
                let kicker = vcpu.kicker(signal)
                _ = consume vcpu
                kicker.kick()
                // A refused one leaves nothing either.
                _ = try? machine.makeVCPU(.max)
                #if arch(x86_64)
                    _ = try hypervisor.measureRingZero()
                #endif
            }
            func state() -> (descriptors: Int, mappings: Int) {
                let maps = (try? readText("/proc/self/maps")) ?? ""
                let open = (0..<256).count { fcntl($0, F_GETFD) != -1 }
                return (open, maps.split(separator: "\n").count { $0.contains("anon_inode:kvm") })
            }
            do {
                try round()
                let before = state()
                for _ in 0..<3 { try round() }
                exit(state() == before && before.mappings == 0 ? 0 : 1)
            } catch { exit(2) }
        }
    }
}
