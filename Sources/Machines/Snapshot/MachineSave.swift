#if arch(x86_64)
    import Glibc
    import GuestMemory
    import KVM
    import Linux
    import Virtio

    /// Where a machine is saved: its state, and its memory as it is.
    public struct SnapshotFiles: Hashable, Sendable {
        public var state: String
        public var memory: String

        public init(state: String, memory: String) {
            self.state = state
            self.memory = memory
        }
    }

    /// How much of the memory is saved.
    public enum SnapshotKind: Hashable, Sendable {
        case full
        /// The pages that were written since the last save, or since the machine began. Where the memory's file is there
        /// and has the right size, a copy of it with those pages takes its place; otherwise the file has holes, and a
        /// restore takes it when the pages of that other save were added to it.
        ///
        /// Without ``MachineConfiguration/tracksDirtyPages`` it is all pages that were written since the machine began.
        case diff
    }

    extension Machine {
        /// Saves a paused machine. It stays paused, and may go on. Its disks and shared directories are not part of it: they
        /// have to be kept as they are now, by whoever saves.
        ///
        /// The files are new ones that take their places together when both are whole. Whatever fails leaves the old ones;
        /// where the process is killed there are the old ones or the new, and a restore finds them.
        ///
        /// - Parameters:
        ///   - kind: how much of its memory.
        ///   - files: where to.
        ///   - changed: its configuration as it is now, where disks or limits have changed.
        ///   - additions: the devices that came while it ran as they are now, where they have changed.
        ///   - note: bytes for who restores it; ``Snapshot/note``.
        /// - Throws: ``MachineError`` for a machine that is not paused, that has a device that can't be made again, and what
        ///   the host refuses.
        public func save(
            _ kind: SnapshotKind = .full, to files: SnapshotFiles, configuration changed: MachineConfiguration? = nil,
            additions: [MachineConfiguration.Addition]? = nil, note: [UInt8] = []
        ) throws(MachineError) {
            try growth.withLock { (growth) throws(MachineError) in
                try control.withLock { (isPaused) throws(MachineError) in
                    guard isPaused, !lifecycle.isOver else {
                        throw MachineError(.snapshot, "only a machine that is paused can be saved")
                    }
                    takeGone(&growth)
                    let added = placedDevices.compactMap { $0.addition }
                    let known = added.compactMap { $0.source }
                    let (configuration, additions) = (changed ?? currentConfiguration, additions ?? known)
                    guard known.count == added.count, additions.count == known.count else {
                        throw MachineError(
                            .snapshot,
                            "a device came while the machine ran that nobody could make again: it can't be saved")
                    }
                    if let served = placedDevices.first(where: { $0.isServedElsewhere }) {
                        throw MachineError(
                            .snapshot,
                            "\(served.name?.description ?? "a disk") is served by another process: the machine can't be "
                                + "saved")
                    }
                    guard !(configuration.networks + additions.cards).contains(where: { $0.isDescriptor }) else {
                        throw MachineError(
                            .snapshot, "a network card on a descriptor can't be made again: the machine can't be saved")
                    }
                    guard files.state != files.memory else {
                        throw MachineError(.snapshot, "state and memory can't be one file: \(quoted(files.state))")
                    }
                    try write(kind, files) { (mark) throws(SystemError) in
                        try state(configuration, additions, mark, note)
                    }
                }
            }
        }

        private func write(
            _ kind: SnapshotKind, _ files: SnapshotFiles, _ state: ([UInt8]) throws(SystemError) -> Snapshot
        ) throws(MachineError) {
            let new = try SnapshotReplacement(files)
            let mark: [UInt8]
            do throws(GuestMemoryError) { mark = try GenerationID.mark(memory) } catch {
                throw MachineError(.memory, error)
            }
            var snapshot = try building(.machine) { () throws(SystemError) in try state(mark) }
            try saves.withLock { (saves) throws(MachineError) in
                snapshot.checksums = try building(.memory) { () throws(SystemError) in
                    try write(kind, &saves, new.memory)
                }
                try building(.snapshot) { () throws(SystemError) in
                    try snapshot.encoded().withUnsafeBufferPointer { (bytes) throws(SystemError) in
                        try new.state.write(UnsafeRawBufferPointer(bytes), at: 0)
                    }
                    try new.state.sync()
                }
                try new.commit()
                saves.checksums = snapshot.checksums
                guard configuration.tracksDirtyPages else { return }
                for index in saves.pages.indices { saves.pages[index] = PageBitmap(pages: saves.pages[index].count) }
            }
        }

        /// - Returns: the checksums of the file's pages.
        private func write(
            _ kind: SnapshotKind, _ saves: inout SaveRecord, _ file: ReplacementFile
        ) throws(SystemError) -> PageChecksums {
            // What others wrote into shared memory is in no log.
            if configuration.tracksDirtyPages, !memory.isShared {
                try WrittenPages.collect(into: &saves.pages, memory, pluggable, vm)
            } else {
                WrittenPages.collectOwn(into: &saves.pages, memory)
            }
            var image = MemoryImage(memory, to: file, saves.checksums)
            switch kind {
            case .full: try image.writeAll()
            case .diff:
                try beginDiff(file)
                try image.write(saves.pages)
            }
            try file.sync()
            return image.checksums
        }

        private func beginDiff(_ file: ReplacementFile) throws(SystemError) {
            guard let old = try? Descriptor.open(file.path, .readOnly),
                try old.status().size == Int64(memory.size)
            else { return try file.setSize(memory.size) }
            try file.copy(from: old, size: memory.size)
        }

        private func state(
            _ configuration: MachineConfiguration, _ additions: [MachineConfiguration.Addition], _ mark: [UInt8],
            _ note: [UInt8]
        ) throws(SystemError) -> Snapshot {
            // Devices first: what they do at their end may be an interrupt, which the chips then have.
            let devices = placedDevices
            let transports = devices.map { $0.transport.save() }
            let indices = try Hypervisor().savedMSRs()
            var states: [ProcessorState] = []
            for processor in processors {
                let state = try processor.withVCPU { (vcpu) throws(SystemError) in
                    try ProcessorState(of: vcpu, processor.cpuid, msrs: indices)
                }
                // Its thread has it where the machine has just ended.
                guard let state else { throw SystemError("save the processors", .noSuchProcess) }
                states.append(state)
            }
            let regions = (0..<memory.regionCount).map { index in
                memory.withRegion(index) { HotplugController.Piece(start: $0.start.rawValue, size: $0.size) }
            }
            return Snapshot(
                configuration, note: note, mark: mark, regions: regions, chips: try ChipState(of: vm),
                processors: states,
                legacy: LegacyDeviceState(serial: serial.state, keyboard: keyboard.state, hotplug: hotplug.state),
                additions: additions,
                layout: DeviceLayout(count: slotCount, places: devices.map { $0.slot.number }), transports: transports)
        }
    }

    /// What a machine remembers from one save to the next.
    struct SaveRecord {
        /// For each region the pages that a diff has to write: those that were written and are in no save yet; without a log
        /// of them, all that were the machine's own at any save, as a page that was given back since is another, too.
        var pages: [PageBitmap] = []
        /// What the last save has, or the one that the machine began with: zeros otherwise.
        var checksums = PageChecksums()
    }

    extension [MachineConfiguration.Addition] {
        fileprivate var cards: [MachineConfiguration.NetworkCard] {
            compactMap { if case .network(let card) = $0 { card } else { nil } }
        }
    }

    extension MachineConfiguration.NetworkCard {
        fileprivate var isDescriptor: Bool { if case .connection = end { true } else { false } }
    }
#endif
