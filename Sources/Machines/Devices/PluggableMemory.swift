#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux
    import Synchronization
    import Virtio

    /// The blocks of a machine's hot-plug memory. KVM shows a slot of it to the guest while one of its blocks is plugged;
    /// devices reach the blocks that are plugged and no others.
    final class PluggableMemory: MemoryBlocks {
        /// The slots of KVM's are numbered from here on, far behind those of regions that are there as a whole: kernels have
        /// thousands since 5.13.
        static let firstSlot: UInt32 = 512

        private let choice: MachineConfiguration.HotplugMemory
        private let memory: GuestMemory
        /// The region's number in that.
        let region: Int
        private let slots: MemorySlots
        private let flags: MemoryFlags
        /// How many blocks of each slot are plugged.
        private let counts: Mutex<[Int]>

        /// - Parameters:
        ///   - memory: with a region that is made of blocks.
        ///   - logsWrites: whether KVM is to record which pages the guest writes.
        init(
            _ choice: MachineConfiguration.HotplugMemory, _ memory: GuestMemory, _ vm: borrowing VirtualMachine,
            logsWrites: Bool
        ) throws(SystemError) {
            self.choice = choice
            self.memory = memory
            region = (0..<memory.regionCount).first { memory.withRegion($0) { $0.isPluggable } }!
            slots = try vm.memorySlots()
            flags = logsWrites ? .logDirtyPages : []
            counts = Mutex(Array(repeating: 0, count: choice.slotCount))
        }

        /// The device by which the guest has them.
        func makeDevice() -> Memory {
            let start = memory.withRegion(region) { $0.start }
            return Memory(
                Memory.Region(start: start, size: choice.size, blockSize: choice.block, step: choice.slot), self)
        }

        func plug(_ blocks: Range<Int>) throws(SystemError) {
            try counts.withLock { (counts) throws(SystemError) in
                var shown: [Int] = []
                for (slot, count) in slots(of: blocks) {
                    if counts[slot] == 0 {
                        do throws(SystemError) { try show(slot) } catch {
                            for slot in shown { try? hide(slot) }
                            for (before, count) in slots(of: blocks) where before < slot { counts[before] -= count }
                            throw error
                        }
                        shown.append(slot)
                    }
                    counts[slot] += count
                }
                memory.plug(blocks, region: region)
            }
        }

        func unplug(_ blocks: Range<Int>) throws(SystemError) -> Bool {
            try counts.withLock { (counts) throws(SystemError) in
                var hidden: [Int] = []
                for (slot, count) in slots(of: blocks) where counts[slot] == count {
                    do throws(SystemError) { try hide(slot) } catch {
                        for slot in hidden { try? show(slot) }
                        throw error
                    }
                    hidden.append(slot)
                }
                for (slot, count) in slots(of: blocks) { counts[slot] -= count }
                do throws(SystemError) { try memory.unplug(blocks, region: region) } catch { return false }
                return true
            }
        }

        /// The slots that the guest sees, and the pages of the region that they begin with and have.
        var shown: [(slot: UInt32, firstPage: Int, pages: Int)] {
            let pages = Int(choice.slot / 4096)
            return counts.withLock { counts in
                counts.indices.filter { counts[$0] > 0 }.map { (Self.firstSlot + UInt32($0), $0 * pages, pages) }
            }
        }

        /// How many blocks of each slot are among these.
        private func slots(of blocks: Range<Int>) -> [(slot: Int, count: Int)] {
            guard !blocks.isEmpty else { return [] }
            let each = Int(choice.slot / choice.block)
            return (blocks.lowerBound / each...(blocks.upperBound - 1) / each).map { slot in
                (slot, blocks.clamped(to: slot * each..<(slot + 1) * each).count)
            }
        }

        private func show(_ slot: Int) throws(SystemError) {
            let offset = UInt64(slot) * choice.slot
            try memory.withRegion(region) { (region: borrowing GuestRegion) throws(SystemError) in
                try slots.set(
                    Self.firstSlot + UInt32(slot), at: region.start.rawValue + offset,
                    UnsafeMutableRawBufferPointer(
                        start: region.hostAddress + Int(offset), count: Int(choice.slot)), flags: flags)
            }
        }

        private func hide(_ slot: Int) throws(SystemError) { try slots.remove(Self.firstSlot + UInt32(slot)) }
    }
#endif
