#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux
    import Virtio

    /// What comes while the machine runs: as much as its configuration left room for. The guest is told by ACPI's event
    /// device; Linux then has the processor and the memory, and switches them on when it is asked to, or by itself if it
    /// is set up so (udev's rules, `memhp_default_state=online`). A device's driver begins at once.
    ///
    /// Processors and memory can't be taken away again, but for what the guest's own balloon gives back; devices can:
    /// ``remove(_:)``.
    extension Machine {
        /// Adds processors. The guest finds them as `/sys/devices/system/cpu/cpuN`, not yet online.
        ///
        /// - Throws: ``MachineError`` where there may not be so many or the machine does not run; where the host refuses
        ///   one, those before it are there.
        public func addProcessors(_ count: Int) throws(MachineError) {
            try growth.withLock { (growth) throws(MachineError) in
                try growth.check(processors: count)
                for _ in 0..<count { try addProcessor(&growth) }
            }
        }

        private func addProcessor(_ growth: inout Growth) throws(MachineError) {
            try whileRunning(.processors) { _ throws(SystemError) in }
            let id = growth.nextProcessor
            let processor: Processor
            do throws(SystemError) {
                processor = growth.processor(try growth.makeVCPU(vm), lifecycle)
                if let debugger = debugger.withLock({ $0 }) {
                    processor.seat = try debugger.makeSeat(processor.kicker)
                }
            } catch { throw MachineError(.processors, error) }
            try whileRunning(.processors) { threads throws(SystemError) in
                // It waits in the kernel until the guest's first processor starts it.
                threads.append(try makeThread("vcpu \(id)", .processor, at: gate) { processor.run() })
                processorList.withLock { $0.append(processor) }
            }
            hotplug.add(processor: id)
        }

        /// Adds a piece of memory, above all that is there. The guest finds it in `/sys/devices/system/memory`.
        ///
        /// - Parameter bytes: a multiple of ``MachineConfiguration/memoryBlock``.
        /// - Throws: ``MachineError`` where there may not be so much, it was added sixteen times, the machine does not run
        ///   or the host refuses; nothing has changed then.
        public func addMemory(_ bytes: UInt64) throws(MachineError) {
            try growth.withLock { (growth) throws(MachineError) in
                try growth.check(memory: bytes)
                let most = VhostUserFrontend.mostRegions
                if placedDevices.contains(where: { $0.isServedElsewhere }), memory.regionCount >= most {
                    throw MachineError(
                        .memory, "a process that serves a disk knows \(most) pieces of memory, and has them")
                }
                let start = growth.nextMemory
                var failure: MachineError?
                try whileRunning(.memory) { _ throws(SystemError) in
                    do throws(GuestMemoryError) {
                        let backing: GuestRegion.Backing = memory.isShared ? .shared : .anonymous
                        try memory.append(GuestRegion.Plan(start, bytes, backing, configuration.pageSize)) {
                            (region, index) throws(SystemError) in
                            try Self.show(region, UInt32(index), vm, logsWrites: configuration.tracksDirtyPages)
                        }
                    } catch { failure = MachineError(.memory, error) }
                }
                if let failure { throw failure }
                growth.tookMemory(bytes)
                for placed in placedDevices { placed.transport.memoryGrew() }
                hotplug.add(memory: HotplugController.Piece(start: start, size: bytes))
            }
        }

        /// Adds a disk: in the guest, the next of vda, vdb, …
        ///
        /// - Throws: ``MachineError`` for a file that is no disk, and what ``addDevice(_:)`` throws.
        public func addDisk(_ disk: MachineConfiguration.Disk) throws(MachineError) {
            try disk.validate()
            // Before the backend hears of it.
            if disk.server != nil { try checkSharing() }
            try add(try DeviceAssembly.make(disk), .disk(disk))
        }

        /// Adds a network card.
        ///
        /// - Throws: ``MachineError`` for a tap that can't be had, and what ``addDevice(_:)`` throws.
        public func addNetwork(_ card: MachineConfiguration.NetworkCard) throws(MachineError) {
            try card.validate()
            try add(try DeviceAssembly.make(card), .network(card))
        }

        /// Adds persistent memory.
        ///
        /// - Throws: ``MachineError`` for a file that is none for it, where the guest's addresses have no room, and what
        ///   ``addDevice(_:)`` throws.
        public func addPersistentMemory(_ file: MachineConfiguration.MemoryFile) throws(MachineError) {
            try file.validate()
            try add(try DeviceAssembly.make(file), .persistentMemory(file))
        }

        /// Adds a virtio device, also while the machine is paused: the guest hears of it later then. A machine with one that
        /// was added so can't be saved.
        ///
        /// - Throws: ``MachineError`` where no place is left (``MachineConfiguration/spareDevices``), the machine does not
        ///   run, or the host refuses; nothing has changed then.
        public func addDevice(_ device: any Device) throws(MachineError) { try add(device, nil) }

        private func add(_ device: any Device, _ addition: MachineConfiguration.Addition?) throws(MachineError) {
            try growth.withLock { (growth) throws(MachineError) in
                // Its loop would have to be one of its own, which is made with the machine.
                guard device.type != .fileSystem else {
                    throw MachineError(.sharedDirectory, "a shared directory can't be added to a machine that runs")
                }
                if device.isServedElsewhere { try checkSharing() }
                takeGone(&growth)
                let slot = try growth.nextSlot()
                if let memory = PersistentMemory.from(device) { try room.place(memory, beside: placedDevices) }
                try whileStarted(.machine) { (_, isPaused) throws(SystemError) in
                    var placed = try PlacedDevice(device, in: slot, vm: vm, memory: memory, loop: loop)
                    (placed.name, placed.addition) = (addition?.name, .init(source: addition))
                    do throws(SystemError) { try placed.showMemory(vm) } catch {
                        placed.remove(vm)
                        throw error
                    }
                    if isPaused { placed.transport.pause() }
                    deviceList.withLock { $0.append(placed) }
                }
                growth.tookSlot()
                hotplug.add(device: slot.number)
            }
        }

        private func checkSharing() throws(MachineError) {
            guard memory.isShared else {
                throw MachineError(
                    .disk,
                    "the guest's memory can't be shared with the process that serves the disk: the machine was "
                        + "made without such a disk")
            }
        }

        /// Does something that the machine's end and its pause have to wait for, as they are for all threads and devices
        /// that are there then.
        private func whileRunning(
            _ part: MachineError.Part, _ body: (inout [MachineThread]) throws(SystemError) -> Void
        ) throws(MachineError) {
            try whileStarted(part, orPaused: false) { (threads, _) throws(SystemError) in try body(&threads) }
        }

        /// The same; the body is told whether the machine is paused.
        func whileStarted(
            _ part: MachineError.Part, orPaused: Bool = true,
            _ body: (inout [MachineThread], Bool) throws(SystemError) -> Void
        ) throws(MachineError) {
            try control.withLock { (isPaused) throws(MachineError) in
                guard orPaused || !isPaused else {
                    throw MachineError(part, "no processor and no memory comes while the machine is paused")
                }
                try threads.withLock { (threads) throws(MachineError) in
                    guard !threads.isEmpty, lifecycle.result == nil else {
                        throw MachineError(part, "the machine does not run")
                    }
                    do throws(SystemError) { try body(&threads, isPaused) } catch { throw MachineError(part, error) }
                }
            }
        }
    }
#endif
