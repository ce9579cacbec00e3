#if arch(x86_64)
    import Linux
    import Virtio

    /// How far it is with a device that is to go.
    public enum Removal: Hashable, Sendable {
        /// It is gone: nobody drove it.
        case done
        /// The guest was asked. It goes when its driver lets go of it, and stays if that never happens.
        case asked
    }

    /// A device that has gone, whose counts may still be of interest. What it has open is closed with the last reference to
    /// it.
    public struct RemovedDevice: Sendable {
        public let name: DeviceName?
        public let device: any Device
        /// How often it had asked its driver for a reset.
        public let counts: TransportCounts
    }

    /// What goes while the machine runs. A machine that may grow, ``MachineConfiguration/spareDevices``, lets go of any
    /// device; the place is free for another one then.
    ///
    /// Linux has nothing that takes such a device from its driver by itself. A program of the guest's is told, and unbinds
    /// the driver (`/sys/bus/platform/drivers/virtio-mmio/unbind`); or somebody does that before.
    extension Machine {
        /// Takes a device away, or asks the guest to let it go; again, if it was asked before. After a device has
        /// gone, ``removedDevices()`` has it. A paused guest is asked, too, and hears of it when it goes on.
        ///
        /// - Throws: ``MachineError`` where there is no such device, nothing may come or go, or the machine does not run.
        @discardableResult
        public func remove(_ name: DeviceName) throws(MachineError) -> Removal {
            try growth.withLock { (growth) throws(MachineError) in
                takeGone(&growth)
                let part: MachineError.Part =
                    switch name {
                    case .disk: .disk
                    case .network: .network
                    case .persistentMemory: .persistentMemory
                    }
                guard let placed = placedDevices.first(where: { $0.name == name }) else {
                    throw MachineError(part, "there is no \(name)")
                }
                guard growth.isOpen else {
                    throw MachineError(part, "the machine was made without places for what comes and goes")
                }
                var removal = Removal.asked
                try whileStarted(part) { (_, _) in
                    if !placed.transport.currentStatus.contains(.driver) {
                        hotplug.remove(device: placed.slot.number)
                        removal = .done
                    } else {
                        hotplug.ask(forDevice: placed.slot.number)
                    }
                }
                takeGone(&growth)
                return removal
            }
        }

        /// Lends a descriptor that is readable as soon as ``removedDevices()`` has some.
        public func withRemovalEvent<Result: ~Copyable, Failure: Error>(
            _ body: (borrowing Descriptor) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            try body(hotplug.departures.descriptor)
        }

        /// Takes devices that the guest has let go of out of the machine.
        ///
        /// - Returns: those that went since the last call.
        public func removedDevices() -> [RemovedDevice] {
            growth.withLock { takeGone(&$0) }
            return removed.withLock { list in
                defer { list = [] }
                return list
            }
        }

        /// A guest's processor only notes that a device goes: it could not wait for a pause, which waits for it.
        func takeGone(_ growth: inout Growth) {
            let gone = hotplug.takeGone()
            guard gone != 0 else { return }
            let leaving = deviceList.withLock { devices in
                let leaving = devices.filter { gone & 1 << UInt32($0.slot.number) != 0 }
                devices.removeAll { gone & 1 << UInt32($0.slot.number) != 0 }
                return leaving
            }
            for placed in leaving {
                placed.remove(vm)
                growth.gaveBack(placed.slot)
            }
            let news = leaving.map {
                RemovedDevice(name: $0.name, device: $0.transport.device, counts: $0.transport.counts)
            }
            removed.withLock { $0 += news }
        }

        /// Its configuration without those of its devices that have gone.
        var currentConfiguration: MachineConfiguration {
            let names = Set(placedDevices.compactMap { $0.name })
            var current = configuration
            current.disks.removeAll { disk in disk.name.map { !names.contains($0) } ?? false }
            current.networks.removeAll { card in card.name.map { !names.contains($0) } ?? false }
            current.persistentMemory.removeAll { file in file.name.map { !names.contains($0) } ?? false }
            return current
        }
    }
#endif
