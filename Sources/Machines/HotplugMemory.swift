extension MachineConfiguration {
    /// Memory beyond the machine's own, of which the guest has as much as it is asked to have, in blocks that it chooses: a
    /// virtio-mem device. It has none at first. See ``Machine/hotplugMemory``.
    public struct HotplugMemory: Hashable, Sendable {
        /// Bytes in all: whole slots.
        public var size: UInt64
        /// Bytes that KVM shows to the guest or keeps from it at once: whole blocks, from 128 MiB on. The guest sees all of a
        /// slot as soon as it has one of its blocks.
        public var slot: UInt64
        /// Bytes that the guest takes or gives at once: a power of two, from 2 MiB on.
        public var block: UInt64

        public init(size: UInt64, slot: UInt64 = leastSlot, block: UInt64 = leastBlock) {
            self.size = size
            self.slot = slot
            self.block = block
        }

        var slotCount: Int { Int(size / slot) }

        public static let leastSlot: UInt64 = 128 << 20
        public static let leastBlock: UInt64 = 2 << 20

        /// What of it can't be so; in the order in which it is looked at.
        public enum Problem: Error, Hashable, Sendable {
            case blockTooSmall, blockNoPowerOfTwo, slotTooSmall, slotNotWholeBlocks, sizeBelowSlot, sizeNotWholeSlots
            /// It would end behind the last address that a guest has.
            case tooLarge(most: UInt64)
        }

        /// - Parameter memory: bytes of the machine's own.
        public func check(beside memory: UInt64) throws(Problem) {
            guard block >= Self.leastBlock else { throw .blockTooSmall }
            guard block & (block - 1) == 0 else { throw .blockNoPowerOfTwo }
            guard slot >= Self.leastSlot else { throw .slotTooSmall }
            guard slot % block == 0 else { throw .slotNotWholeBlocks }
            guard size >= slot else { throw .sizeBelowSlot }
            guard size % slot == 0 else { throw .sizeNotWholeSlots }
            let end = MachineConfiguration.memoryRange.upperBound
            // A block is no larger than it, so no sum of addresses below overflows.
            let start = AddressMap(memory: memory, hotplug: size <= end ? self : nil).hotplugStart
            guard start <= end, size <= end - start else { throw .tooLarge(most: end - min(start, end)) }
        }
    }
}

extension MachineConfiguration.HotplugMemory.Problem: CustomStringConvertible {
    public var description: String {
        typealias Memory = MachineConfiguration.HotplugMemory
        return switch self {
        case .blockTooSmall: "a block has \(Memory.leastBlock >> 20) MiB or more"
        case .blockNoPowerOfTwo: "a block's size is a power of two"
        case .slotTooSmall: "a slot has \(Memory.leastSlot >> 20) MiB or more"
        case .slotNotWholeBlocks: "a slot is whole blocks"
        case .sizeBelowSlot: "it is one slot or more"
        case .sizeNotWholeSlots: "it is whole slots"
        case .tooLarge(let most): "there are addresses for \(most >> 20) MiB of it"
        }
    }
}
