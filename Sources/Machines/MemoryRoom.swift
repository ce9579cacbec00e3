#if arch(x86_64)
    import KVM
    import Virtio

    /// The guest's addresses for what is memory of a device's: behind all that may be memory of its own. It is filled from
    /// its end on, so that it is nobody's as long as nobody needs it.
    struct MemoryRoom: Hashable {
        /// Below the guest's own memory may come.
        private let start: UInt64
        private let end: UInt64

        /// More than Linux is sure to map: with its addresses at random there are 10 TiB behind the memory that it finds.
        private static let mostBits: UInt32 = 43

        init(_ configuration: MachineConfiguration, _ answers: [CPUIDEntry]) {
            let later = (configuration.maximumMemory ?? configuration.memory) - configuration.memory
            start = AddressMap(configuration).addedMemory + later
            // Leaf 0x80000008: how many bits an address has; 36 where a processor does not say.
            let bits = answers.first { $0.function == 0x8000_0008 }.map { $0.eax & 0xff } ?? 36
            end = 1 << UInt64(min(bits, Self.mostBits))
        }

        /// Finds a place for persistent memory: the highest that is free.
        ///
        /// - Parameter devices: those that are there.
        func place(_ memory: PersistentMemory, beside devices: [PlacedDevice]) throws(MachineError) {
            let taken = devices.compactMap { PersistentMemory.from($0.transport.device) }.filter { $0 !== memory }
                .map { $0.address..<$0.address + $0.file.size }.sorted { $0.lowerBound > $1.lowerBound }
            var top = end
            for range in taken {
                if range.upperBound <= top, top - range.upperBound >= memory.file.size { break }
                top = min(top, range.lowerBound)
            }
            guard top >= start, top - start >= memory.file.size else {
                throw MachineError(
                    .persistentMemory,
                    "persistent memory of \(memory.file.size) bytes has no room in the guest's addresses")
            }
            memory.address = top - memory.file.size
        }
    }
#endif
