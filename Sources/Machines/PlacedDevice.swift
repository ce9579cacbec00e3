#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux
    import Virtio

    /// By what a device that can be changed or taken away is named: the id that its configuration gave it.
    public enum DeviceName: Hashable, Sendable {
        case disk(String)
        case network(String)
        case persistentMemory(String)
    }

    extension MachineConfiguration.Disk {
        /// nil where it has no id.
        var name: DeviceName? { id.isEmpty ? nil : .disk(id) }
    }

    extension MachineConfiguration.NetworkCard {
        var name: DeviceName? { id.isEmpty ? nil : .network(id) }
    }

    extension MachineConfiguration.MemoryFile {
        var name: DeviceName? { id.isEmpty ? nil : .persistentMemory(id) }
    }

    extension MachineConfiguration.Addition {
        var name: DeviceName? {
            switch self {
            case .disk(let disk): disk.name
            case .network(let card): card.name
            case .persistentMemory(let file): file.name
            }
        }
    }

    extension DeviceName: CustomStringConvertible {
        public var description: String {
            switch self {
            case .disk(let id): "disk \(quoted(id))"
            case .network(let id): "network card \(quoted(id))"
            case .persistentMemory(let id): "persistent memory \(quoted(id))"
            }
        }
    }

    /// A virtio device in its place: behind registers, with an interrupt and notifications that go through the kernel.
    struct PlacedDevice {
        let slot: DeviceSlot
        let transport: MMIOTransport
        private let line: DeviceLine
        /// nil for one that has no id.
        var name: DeviceName?
        /// Whether it came while the machine ran, and what it was made of then; that is nil for one that its user made:
        /// nobody else can make it again.
        var addition: Addition?

        var isServedElsewhere: Bool { transport.device.isServedElsewhere }

        struct Addition {
            let source: MachineConfiguration.Addition?
        }

        /// Connects a device, and lets the guest see it.
        init(
            _ device: any Device, in slot: DeviceSlot, vm: borrowing VirtualMachine, memory: GuestMemory,
            loop: DeviceLoop
        ) throws(SystemError) {
            self.slot = slot
            line = try DeviceLine(slot.shortcuts)
            transport = try MMIOTransport(
                device, memory: memory, interrupt: line, loop: loop, registers: slot.shortcuts?.page(slot.number))
            var connected = 0
            do throws(SystemError) {
                try slot.shortcuts?.begin(slot.place, vm)
                try vm.connect(line.interrupt.counter.descriptor, toLine: slot.place.interrupt)
                for queue in transport.queues {
                    try vm.notify(queue.kick.descriptor, on: notification(queue))
                    connected += 1
                }
            } catch {
                disconnect(transport.queues[..<connected], vm)
                throw error
            }
            slot.fill(transport)
        }

        /// What the driver writes is the queue's number.
        private func notification(_ queue: Virtqueue) -> WriteNotification {
            let register = slot.place.address + MMIORegister.queueNotify.rawValue
            return WriteNotification(.memory(register), .four, value: UInt64(queue.index))
        }

        /// The kernel would keep what is not taken from it.
        private func disconnect(_ queues: ArraySlice<Virtqueue>, _ vm: borrowing VirtualMachine) {
            for queue in queues { try? vm.stop(notification(queue), notifying: queue.kick.descriptor) }
            try? vm.disconnect(line.interrupt.counter.descriptor, fromLine: slot.place.interrupt)
            slot.shortcuts?.end(slot.place, vm)
            slot.shortcuts?.page(slot.number).clear()
        }

        /// Shows the guest what is memory of it, where it is.
        func showMemory(_ vm: borrowing VirtualMachine) throws(SystemError) {
            guard let device = PersistentMemory.from(transport.device) else { return }
            let file = device.file
            try vm.setMemory(
                slot: memorySlot, at: device.address,
                UnsafeMutableRawBufferPointer(start: file.base, count: Int(file.size)),
                flags: file.isReadOnly ? .readOnly : [])
        }

        /// Those below are the regions of memory proper.
        private var memorySlot: UInt32 { 256 + UInt32(slot.number) }

        /// Takes it out of its place. What it has open is closed with the last reference to it.
        func remove(_ vm: borrowing VirtualMachine) {
            slot.empty()
            transport.shutDown()
            if PersistentMemory.from(transport.device) != nil { try? vm.removeMemory(slot: memorySlot) }
            disconnect(transport.queues[...], vm)
        }
    }
#endif
