import Machines
import Testing

@Suite struct ConfigurationTests {
    private func part(_ change: (inout MachineConfiguration) -> Void) -> MachineError.Part? {
        var configuration = MachineConfiguration(kernel: "vmlinuz")
        change(&configuration)
        do throws(MachineError) { try configuration.validate() } catch { return error.part }
        return nil
    }

    @Test func aPlainMachineIsValid() { #expect(part { _ in } == nil) }

    @Test func limitsAreInclusive() {
        #expect(part { $0.processors = 32 } == nil)
        #expect(part { $0.memory = 16 << 20 } == nil)
        #expect(part { $0.memory = 1 << 40 } == nil)
        #expect(part { $0.vsock = .init(cid: 3, path: String(repeating: "a", count: 107)) } == nil)
        #expect(part { $0.networks = [.init(tap: "abcdefghijklmno")] } == nil)
        #expect(part { $0.disks = Array(repeating: .init(path: "d"), count: 18) } == nil)
    }

    @Test func eachPartIsChecked() {
        #expect(part { $0.kernel = "" } == .kernel)
        #expect(part { $0.initialRAMDisk = "" } == .initialRAMDisk)
        #expect(part { $0.commandLine = "a\0b" } == .commandLine)
        #expect(part { $0.processors = 0 } == .processors)
        #expect(part { $0.processors = 33 } == .processors)
        #expect(part { $0.memory = 15 << 20 } == .memory)
        #expect(part { $0.memory = 128 << 20 + 4096 } == .memory)
        #expect(part { $0.memory = 2 << 40 } == .memory)
        #expect(part { $0.balloon = .init(target: 129 << 20) } == .balloon)
        #expect(part { $0.disks = [.init(path: "")] } == .disk)
        #expect(part { $0.disks = [.init(path: "d", queues: 65)] } == .disk)
        #expect(part { $0.persistentMemory = [.init(path: "")] } == .persistentMemory)
        #expect(part { $0.persistentMemory = Array(repeating: .init(path: "p"), count: 19) } == .machine)
        #expect(part { $0.networks = [.init(tap: "")] } == .network)
        #expect(part { $0.networks = [.init(tap: "abcdefghijklmnop")] } == .network)
        #expect(part { $0.networks = [.init(tap: "t", queues: 17)] } == .network)
        #expect(part { $0.networks = [.init(tap: "t", address: [1, 0, 0, 0, 0, 1])] } == .network)
        #expect(part { $0.networks = [.init(tap: "t", address: [2, 0, 0, 0, 1])] } == .network)
        #expect(part { $0.networks = [.init(tap: "t"), .init(tap: "t")] } == .network)
        #expect(part { $0.vsock = .init(cid: 2, path: "s") } == .vsock)
        #expect(part { $0.vsock = .init(cid: 0xffff_ffff, path: "s") } == .vsock)
        #expect(part { $0.vsock = .init(cid: 3, path: String(repeating: "a", count: 108)) } == .vsock)
        #expect(part { $0.disks = Array(repeating: .init(path: "d"), count: 19) } == .machine)
    }
}
