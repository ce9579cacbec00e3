import Machines
import Testing
import Virtio

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
        #expect(part { $0.threadsPerCore = 2 } == nil)
        #expect(part { ($0.processors, $0.maximumProcessors, $0.threadsPerCore) = (1, 4, 2) } == nil)
        #expect(part { $0.memory = 16 << 20 } == nil)
        #expect(part { $0.memory = 1 << 40 } == nil)
        #expect(part { $0.vsock = .init(cid: 3, path: String(repeating: "a", count: 107)) } == nil)
        #expect(part { $0.networks = [.init(tap: "abcdefghijklmno")] } == nil)
        #expect(part { $0.disks = Array(repeating: .init(path: "d"), count: 18) } == nil)
        // From 5 GiB on, to the last address.
        #expect(part { $0.hotplugMemory = .init(size: 128 << 20) } == nil)
        #expect(part { $0.hotplugMemory = .init(size: 1 << 40 - 4 << 30) } == nil)
    }

    @Test func eachPartIsChecked() {
        #expect(part { $0.kernel = "" } == .kernel)
        #expect(part { $0.initialRAMDisk = "" } == .initialRAMDisk)
        #expect(part { $0.commandLine = "a\0b" } == .commandLine)
        #expect(part { $0.processors = 0 } == .processors)
        #expect(part { $0.processors = 33 } == .processors)
        #expect(part { $0.threadsPerCore = 0 } == .processors)
        #expect(part { $0.threadsPerCore = 3 } == .processors)
        #expect(part { ($0.processors, $0.threadsPerCore) = (3, 2) } == .processors)
        #expect(part { ($0.maximumProcessors, $0.threadsPerCore) = (3, 2) } == .processors)
        #expect(part { $0.memory = 15 << 20 } == .memory)
        #expect(part { $0.memory = 128 << 20 + 4096 } == .memory)
        #expect(part { $0.memory = 2 << 40 } == .memory)
        #expect(part { ($0.memory, $0.pageSize) = (129 << 20, .huge2M) } == .memory)
        #expect(part { ($0.memory, $0.pageSize) = (129 << 20, .transparentHuge) } == .memory)
        #expect(part { $0.hotplugMemory = .init(size: 129 << 20) } == .hotplugMemory)
        #expect(part { $0.balloon = .init(target: 129 << 20) } == .balloon)
        #expect(part { $0.disks = [.init(path: "")] } == .disk)
        #expect(part { $0.disks = [.init(path: "d", queues: 65)] } == .disk)
        #expect(part { $0.disks = [.init(server: .socket("s"), queues: 64)] } == nil)
        #expect(part { $0.disks = [.init(server: .socket(""))] } == .disk)
        #expect(part { $0.disks = [.init(server: .socket(String(repeating: "s", count: 108)))] } == .disk)
        for change: (inout MachineConfiguration.Disk) -> Void in [
            { $0.path = "d" }, { $0.isReadOnly = true }, { $0.engine = .ioUring },
            { $0.limit.operations = TokenBucket(size: 10, refillTime: 1) },
        ] {
            var disk = MachineConfiguration.Disk(server: .socket("s"))
            change(&disk)
            #expect(part { $0.disks = [disk] } == .disk)
        }
        #expect(part { $0.persistentMemory = [.init(path: "")] } == .persistentMemory)
        #expect(part { $0.persistentMemory = Array(repeating: .init(path: "p"), count: 19) } == .machine)
        #expect(part { $0.networks = [.init(tap: "")] } == .network)
        #expect(part { $0.networks = [.init(tap: "abcdefghijklmnop")] } == .network)
        #expect(part { $0.networks = [.init(tap: "t", queues: 17)] } == .network)
        #expect(part { $0.networks = [.init(tap: "t", address: [2, 0, 0, 0, 1])] } == .network)
        #expect(part { $0.networks = [.init(tap: "t", address: [2, 0, 0, 0, 1])] } == .network)
        #expect(part { $0.networks = [.init(tap: "t"), .init(tap: "t")] } == .network)
        #expect(part { $0.vsock = .init(cid: 2, path: "s") } == .vsock)
        #expect(part { $0.vsock = .init(cid: 0xffff_ffff, path: "s") } == .vsock)
        #expect(part { $0.vsock = .init(cid: 3, path: String(repeating: "a", count: 108)) } == .vsock)
        #expect(part { $0.disks = Array(repeating: .init(path: "d"), count: 19) } == .machine)
    }

    @Test func hotPlugMemoryIsWholeBlocksAndSlots() {
        typealias Memory = MachineConfiguration.HotplugMemory
        func problem(_ size: UInt64, slot: UInt64 = 128, block: UInt64 = 2, memory: UInt64 = 128) -> Memory.Problem? {
            do throws(Memory.Problem) {
                try Memory(size: size << 20, slot: slot << 20, block: block << 20).check(beside: memory << 20)
                return nil
            } catch { return error }
        }
        #expect(problem(256) == nil && problem(1024, slot: 512, block: 256) == nil)
        #expect(problem(128, block: 0) == .blockTooSmall && problem(128, block: 1) == .blockTooSmall)
        #expect(problem(128, block: 3) == .blockNoPowerOfTwo)
        #expect(problem(128, slot: 0) == .slotTooSmall && problem(128, slot: 64) == .slotTooSmall)
        #expect(
            problem(260, slot: 130, block: 4) == .slotNotWholeBlocks && problem(512, block: 256) == .slotNotWholeBlocks)
        #expect(problem(0) == .sizeBelowSlot && problem(64) == .sizeBelowSlot)
        #expect(problem(192) == .sizeNotWholeSlots)
        // Behind 4 GiB, or behind what there is above.
        let most: UInt64 = 1 << 20 - 4 << 10
        #expect(problem(most) == nil && problem(most + 128) == .tooLarge(most: most << 20))
        #expect(problem(most - 1024, memory: 3073) == nil)
        #expect(problem(most, memory: 3073) == .tooLarge(most: (most - 1024) << 20))
        #expect(problem(128, memory: 1 << 20) == .tooLarge(most: 0))
        // The largest numbers that there are.
        let huge: UInt64 = 1 << 43
        #expect(problem(huge, slot: huge, block: huge) == .tooLarge(most: most << 20))
        // A block begins at a multiple of its size.
        #expect(problem(512 << 10, slot: 512 << 10, block: 512 << 10) == nil)
        #expect(problem(512 << 10, slot: 512 << 10, block: 512 << 10, memory: 600 << 10) == .tooLarge(most: 0))
    }
}
