#if arch(x86_64)
    import GuestMemory
    import Linux
    import Virtio

    /// A machine's saved state, read from its file and checked. The memory is a file of its own.
    ///
    /// ```swift
    /// var snapshot = try Snapshot(readingFrom: "vm.state")
    /// snapshot.configuration.networks[0].tap = "tap7"
    /// let machine = try Machine(restoring: snapshot, memory: .file("vm.memory"))
    /// try machine.start()
    /// try machine.resume()
    /// ```
    public struct Snapshot: Sendable {
        /// The format's version, `MAJOR.MINOR.PATCH`: the only one that this program reads.
        public static var version: String { StateFile.text(StateFile.version) }

        /// What the machine had. Taps, paths of disks and sockets, limits and whether dirty pages are logged may be changed
        /// before it is restored; what the guest knows of its machine may not.
        public var configuration: MachineConfiguration
        /// What the one who saved it gave along.
        public let note: [UInt8]

        /// The memory's mark.
        let mark: [UInt8]
        /// Pieces of memory in the order in which the memory's file has them.
        let regions: [HotplugController.Piece]
        /// What the memory's file has.
        var checksums = PageChecksums()
        let chips: ChipState
        let processors: [ProcessorState]
        let legacy: LegacyDeviceState
        /// Devices that came while the machine ran; these, too, may change as the configuration may.
        public var additions: [MachineConfiguration.Addition]
        /// In which places the virtio devices are.
        let layout: DeviceLayout
        /// The virtio devices: the configuration's, those that its user made, those that came.
        let transports: [TransportState]

        /// Bytes of the machine's memory, and of a memory's file.
        public var memorySize: UInt64 { regions.reduce(0) { $0 + $1.size } }

        /// The same, to be mapped.
        var plans: [GuestRegion.Plan] {
            let hotplug = configuration.hotplugMemory
            let start = AddressMap(configuration).hotplugStart
            return regions.map { region in
                GuestRegion.Plan(
                    region.start, region.size, .anonymous, configuration.pageSize,
                    blockSize: region.start == start ? hotplug?.block : nil)
            }
        }

        /// - Throws: ``MachineError/Reason/snapshot(_:)``, and the host's refusal to read the file.
        public init(readingFrom path: String) throws(MachineError) {
            let bytes = try Self.bytes(path)
            do throws(SnapshotError) { try self.init(decoding: bytes) } catch { throw MachineError(error) }
        }

        /// The version of the format that a file has, where it is a whole one.
        public static func version(of path: String) throws(MachineError) -> String {
            let bytes = try bytes(path)
            do throws(SnapshotError) { return StateFile.text(try StateFile.checkedVersion(bytes)) } catch {
                throw MachineError(error)
            }
        }

        private static func bytes(_ path: String) throws(MachineError) -> [UInt8] {
            let head: [UInt8]
            do throws(SystemError) {
                let file = try Descriptor.open(path, .readOnly)
                head = try file.read(upTo: StateFile.headSize)
                // Whatever else it is may be of any size.
                if StateFile.isOurs(head) { return head + (try file.readToEnd(limit: StateFile.limit)) }
            } catch { throw MachineError(.snapshot, error) }
            return head
        }

        // MARK: - Bytes

        private static let parts:
            (memory: UInt32, processors: UInt32, growth: UInt32, hotplug: UInt32, devices: UInt32) = (
                0x4d4d_0001, 0x5650_0001, 0x4752_0002, 0x484d_0001, 0x5644_0001
            )

        init(
            _ configuration: MachineConfiguration, note: [UInt8], mark: [UInt8], regions: [HotplugController.Piece],
            chips: ChipState, processors: [ProcessorState], legacy: LegacyDeviceState,
            additions: [MachineConfiguration.Addition], layout: DeviceLayout,
            transports: [TransportState]
        ) {
            self.configuration = configuration
            self.note = note
            self.mark = mark
            self.regions = regions
            self.chips = chips
            self.processors = processors
            self.legacy = legacy
            self.additions = additions
            self.layout = layout
            self.transports = transports
        }

        func encoded() -> [UInt8] {
            var file = StateFile()
            file.sections[.configuration] = configuration.encoded()
            var memory = StateEncoder(version: Self.parts.memory)
            memory.write(mark)
            memory.write(regions) { encoder, region in
                encoder.write(region.start)
                encoder.write(region.size)
            }
            file.sections[.memory] = memory.bytes
            file.sections[.checksums] = checksums.encoded()
            file.sections[.chips] = chips.encoded()
            var list = StateEncoder(version: Self.parts.processors)
            list.write(processors) { $1.encode(&$0) }
            file.sections[.processors] = list.bytes
            file.sections[.legacyDevices] = legacy.encoded()
            var growth = StateEncoder(version: Self.parts.growth)
            growth.write(additions) { encoder, device in
                switch device {
                case .disk(let disk):
                    encoder.write(UInt8(0))
                    disk.encode(&encoder)
                case .network(let card):
                    encoder.write(UInt8(1))
                    card.encode(&encoder)
                case .persistentMemory(let file):
                    encoder.write(UInt8(2))
                    file.encode(&encoder)
                }
            }
            growth.write(UInt8(layout.count))
            growth.write(layout.places.map { UInt8($0) })
            file.sections[.growth] = growth.bytes
            if let choice = configuration.hotplugMemory {
                var hotplug = StateEncoder(version: Self.parts.hotplug)
                for size in [choice.size, choice.slot, choice.block] { hotplug.write(size) }
                file.sections[.hotplugMemory] = hotplug.bytes
            }
            var devices = StateEncoder(version: Self.parts.devices)
            devices.write(transports) { $0.write($1.encoded()) }
            file.sections[.devices] = devices.bytes
            file.sections[.note] = note
            return file.encoded
        }

        init(decoding bytes: [UInt8]) throws(SnapshotError) {
            let file = try StateFile(bytes)
            func read<Value>(
                _ section: StateFile.Section, _ body: ([UInt8]) throws(StateError) -> Value
            ) throws(SnapshotError) -> Value {
                let bytes = try file.section(section)
                do throws(StateError) { return try body(bytes) } catch { throw SnapshotError(section, error) }
            }
            configuration = try read(.configuration) { (bytes) throws(StateError) in
                try MachineConfiguration(decoding: bytes)
            }
            if file.sections[.hotplugMemory] != nil {
                configuration.hotplugMemory = try read(.hotplugMemory) { (bytes) throws(StateError) in
                    var decoder = try StateDecoder(bytes, version: Self.parts.hotplug)
                    let choice = MachineConfiguration.HotplugMemory(
                        size: try decoder.read(), slot: try decoder.read(), block: try decoder.read())
                    try decoder.finish()
                    return choice
                }
            }
            (mark, regions) = try read(.memory) { (bytes) throws(StateError) in
                var decoder = try StateDecoder(bytes, version: Self.parts.memory)
                let mark = try decoder.readBlock()
                guard mark.count == GenerationID.size else { throw .malformed("a mark of \(mark.count) bytes") }
                let regions = try decoder.readList(limit: HotplugPlan.mostMemorySlots + 3) {
                    (decoder) throws(StateError) in
                    HotplugController.Piece(start: try decoder.read(), size: try decoder.read())
                }
                try decoder.finish()
                return (mark, regions)
            }
            let size = regions.reduce(0) { $0 &+ $1.size }
            checksums = try read(.checksums) { (bytes) throws(StateError) in
                try PageChecksums(decoding: bytes, size: size)
            }
            chips = try read(.chips) { (bytes) throws(StateError) in try ChipState(decoding: bytes) }
            processors = try read(.processors) { (bytes) throws(StateError) in
                var decoder = try StateDecoder(bytes, version: Self.parts.processors)
                let list = try decoder.readList(limit: MachineConfiguration.mostProcessors) {
                    (decoder) throws(StateError) in try ProcessorState(&decoder)
                }
                try decoder.finish()
                return list
            }
            legacy = try read(.legacyDevices) { (bytes) throws(StateError) in try LegacyDeviceState(decoding: bytes) }
            (additions, layout) = try read(.growth) { (bytes) throws(StateError) in
                var decoder = try StateDecoder(bytes, version: Self.parts.growth)
                let list = try decoder.readList(limit: AddressMap.mostDevices) {
                    (decoder) throws(StateError) -> MachineConfiguration.Addition in
                    let kind: UInt8 = try decoder.read()
                    switch kind {
                    case 0: return .disk(try MachineConfiguration.Disk(&decoder))
                    case 1: return .network(try MachineConfiguration.NetworkCard(&decoder))
                    case 2: return .persistentMemory(try MachineConfiguration.MemoryFile(&decoder))
                    default: throw .malformed("a device of kind \(kind)")
                    }
                }
                let count: UInt8 = try decoder.read()
                let layout = DeviceLayout(count: Int(count), places: try decoder.readBlock().map { Int($0) })
                try decoder.finish()
                return (list, layout)
            }
            transports = try read(.devices) { (bytes) throws(StateError) in
                var decoder = try StateDecoder(bytes, version: Self.parts.devices)
                let list = try decoder.readList(limit: AddressMap.mostDevices) { (decoder) throws(StateError) in
                    try TransportState(try decoder.readBlock())
                }
                try decoder.finish()
                return list
            }
            note = try file.section(.note)
            try check()
        }

        /// That the parts are those of one machine.
        func check() throws(SnapshotError) {
            do throws(MachineError) { try configuration.validate() } catch {
                throw .malformed("its configuration: \(error)")
            }
            guard (configuration.processors...configuration.mostProcessors).contains(processors.count) else {
                throw .malformed("\(processors.count) processors of at most \(configuration.mostProcessors)")
            }
            let map = AddressMap(configuration)
            var expected = map.regions.map { HotplugController.Piece(start: $0.start.rawValue, size: $0.size) }
            guard legacy.hotplug.memory.count <= configuration.memorySlots else {
                throw .malformed("\(legacy.hotplug.memory.count) pieces of memory that came")
            }
            var (next, left) = (map.addedMemory, (configuration.maximumMemory ?? 0) &- configuration.memory)
            for piece in legacy.hotplug.memory {
                guard piece.start == next, piece.size > 0, piece.size <= left,
                    piece.size % MachineConfiguration.memoryBlock == 0
                else { throw .malformed("a piece of memory at \(piece.start)") }
                expected.append(piece)
                next += piece.size
                left -= piece.size
            }
            guard regions == expected else { throw .malformed("pieces of memory that its configuration has not") }
            guard transports.count >= configuration.deviceCount + additions.count, layout.isSound(transports.count)
            else { throw .malformed("\(transports.count) devices") }
        }
    }
#endif
