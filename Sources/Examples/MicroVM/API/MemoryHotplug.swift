import Machines
import OCI
import Virtio

/// `/hotplug/memory`: memory that the guest takes and gives back while it runs.
struct MemoryHotplug: Hashable {
    /// MiB, each below 2^32.
    var total: UInt64
    var slot: UInt64
    var block: UInt64

    init(_ json: JSON) throws(BodyError) {
        typealias Memory = MachineConfiguration.HotplugMemory
        let members = try Members(
            json, "MemoryHotplugConfig", ["total_size_mib", "block_size_mib", "slot_size_mib"])
        total = UInt64(try members.required("total_size_mib", Value.u32))
        slot = UInt64(try members.value("slot_size_mib", or: UInt32(Memory.leastSlot >> 20), Value.u32))
        block = UInt64(try members.value("block_size_mib", or: UInt32(Memory.leastBlock >> 20), Value.u32))
    }

    /// - Parameter memory: MiB of the machine's own.
    func check(beside memory: UInt64) throws(Fault) {
        typealias Problem = MachineConfiguration.HotplugMemory.Problem
        let problem: Problem
        do throws(Problem) { return try choice.check(beside: memory << 20) } catch { problem = error }
        let message =
            switch problem {
            case .blockTooSmall: "Block size must not be lower than 2 MiB: block_size_mib is \(block)"
            case .blockNoPowerOfTwo: "Block size must be a power of 2: block_size_mib is \(block)"
            case .slotTooSmall: "Slot size must not be lower than 128 MiB: slot_size_mib is \(slot)"
            case .slotNotWholeBlocks:
                "Slot size must be a multiple of block size (\(block) MiB): slot_size_mib is \(slot)"
            case .sizeBelowSlot: "Total size must not be lower than slot size (\(slot) MiB): total_size_mib is \(total)"
            case .sizeNotWholeSlots:
                "Total size must be a multiple of slot size (\(slot) MiB): total_size_mib is \(total)"
            case .tooLarge(let most):
                "Total size must not be larger than what there are addresses for (\(most >> 20) MiB): total_size_mib is "
                    + "\(total)"
            }
        throw Fault("Memory hotplug config error: \(message)")
    }

    var choice: MachineConfiguration.HotplugMemory { .init(size: total << 20, slot: slot << 20, block: block << 20) }

    var json: JSON {
        ["total_size_mib": JSON(total), "block_size_mib": JSON(block), "slot_size_mib": JSON(slot)]
    }

    /// `PATCH /hotplug/memory`: MiB.
    static func requested(_ json: JSON) throws(BodyError) -> UInt64 {
        let name = "requested_size_mib"
        return UInt64(try Members(json, "MemoryHotplugSizeUpdate", [name]).required(name, Value.u32))
    }

    /// `GET /hotplug/memory`.
    func json(_ memory: Memory) -> JSON {
        [
            "block_size_mib": JSON(block), "total_size_mib": JSON(total), "slot_size_mib": JSON(slot),
            "plugged_size_mib": JSON(memory.pluggedSize >> 20), "requested_size_mib": JSON(memory.requestedSize >> 20),
        ]
    }
}
