#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux
    import Virtio

    extension MMIOTransport: BusDevice {}

    extension InterruptInput: LevelLine {
        func set(_ isHigh: Bool) { try? set(high: isHigh) }
    }

    /// A machine's devices in their places: on the buses, with interrupts, and with notifications that the kernel hands
    /// on by itself.
    struct DeviceAssembly {
        private(set) var ports = Bus()
        private(set) var memoryBus = Bus()
        private(set) var transports: [MMIOTransport] = []
        private(set) var places: [ACPITables.DevicePlace] = []
        /// Places that are empty at first, behind the others.
        private(set) var spares: [SparePlace] = []
        /// The loops of shared directories, one each: a call of the host's that takes long stops nobody else.
        private(set) var shareLoops: [DeviceLoop] = []
        let serial: SerialPort
        let keyboard: Keyboard
        let hotplug: HotplugController

        /// - Parameter processors: how many are there from the beginning.
        init(
            _ devices: [any Device], spareDevices: Int, processors: Int, vm: borrowing VirtualMachine,
            memory: GuestMemory, loop: DeviceLoop, lifecycle: Lifecycle, bootTimer: BootTimer, hasKeyboard: Bool
        ) throws(MachineError) {
            do throws(SystemError) {
                keyboard = Keyboard(lifecycle, interrupt: try Self.interrupt(AddressMap.keyboardInterrupt, vm))
                serial = try SerialPort(interrupt: try Self.interrupt(AddressMap.serialInterrupt, vm))
                hotplug = HotplugController(
                    processors: processors, line: try vm.input(ofLine: AddressMap.hotplugInterrupt))
                for (index, device) in devices.enumerated() {
                    let place = Self.place(index)
                    if device.type == .fileSystem { shareLoops.append(try DeviceLoop()) }
                    let itsLoop = device.type == .fileSystem ? shareLoops[shareLoops.count - 1] : loop
                    transports.append(try Self.connect(device, at: place, vm: vm, memory: memory, loop: itsLoop))
                    places.append(place)
                }
                spares = (devices.count..<devices.count + spareDevices).map { SparePlace(Self.place($0)) }
            } catch { throw MachineError(.machine, error) }
            do throws(Bus.Refusal) {
                try ports.attach(serial, at: AddressMap.serialPort, size: SerialPort.size)
                if hasKeyboard {
                    try ports.attach(keyboard, at: AddressMap.keyboardData, size: Keyboard.size)
                } else {
                    try ports.attach(KeyboardController(lifecycle), at: AddressMap.keyboardCommand, size: 1)
                }
                try ports.attach(PowerControl(lifecycle), at: AddressMap.powerPorts, size: PowerControl.size)
                try ports.attach(PanicPort(lifecycle), at: AddressMap.panicPort, size: 1)
                try memoryBus.attach(bootTimer, at: AddressMap.bootTimer, size: BootTimer.size)
                try memoryBus.attach(hotplug, at: AddressMap.hotplug, size: HotplugController.size)
                for (transport, place) in zip(transports, places) {
                    try memoryBus.attach(transport, at: place.address, size: MMIOTransport.size)
                }
                for spare in spares {
                    try memoryBus.attach(spare, at: spare.place.address, size: MMIOTransport.size)
                }
            } catch { throw MachineError(.machine, error.description) }
        }

        /// Puts a device into the next place that is empty.
        ///
        /// - Precondition: there is one.
        mutating func fill(
            _ device: any Device, vm: borrowing VirtualMachine, memory: GuestMemory, loop: DeviceLoop
        ) throws(SystemError) {
            let spare = spares[transports.count - places.count]
            let transport = try Self.connect(device, at: spare.place, vm: vm, memory: memory, loop: loop)
            spare.fill(transport)
            transports.append(transport)
        }

        private static func place(_ index: Int) -> ACPITables.DevicePlace {
            ACPITables.DevicePlace(
                address: AddressMap.firstDevice + UInt64(index) * MMIOTransport.size,
                interrupt: AddressMap.deviceInterrupts.lowerBound + UInt32(index))
        }

        /// A device behind registers, whose interrupts and notifications go through the kernel.
        static func connect(
            _ device: any Device, at place: ACPITables.DevicePlace, vm: borrowing VirtualMachine,
            memory: GuestMemory, loop: DeviceLoop
        ) throws(SystemError) -> MMIOTransport {
            let transport = try MMIOTransport(
                device, memory: memory, interrupt: try Self.interrupt(place.interrupt, vm), loop: loop)
            // What the driver writes is the queue's number.
            let register = place.address + MMIORegister.queueNotify.rawValue
            func notification(_ queue: Virtqueue) -> WriteNotification {
                WriteNotification(.memory(register), .four, value: UInt64(queue.index))
            }
            for (index, queue) in transport.queues.enumerated() {
                do throws(SystemError) { try vm.notify(queue.kick.descriptor, on: notification(queue)) } catch {
                    // The kernel would keep these; the interrupt goes with its descriptor.
                    for queue in transport.queues[..<index] {
                        try? vm.stop(notification(queue), notifying: queue.kick.descriptor)
                    }
                    throw error
                }
            }
            return transport
        }

        private static func interrupt(
            _ line: UInt32, _ vm: borrowing VirtualMachine
        ) throws(SystemError) -> EventInterrupt {
            let interrupt = try EventInterrupt()
            try vm.connect(interrupt.counter.descriptor, toLine: line)
            return interrupt
        }

        static func make(_ disk: MachineConfiguration.Disk) throws(MachineError) -> any Device {
            try building(.disk) { () throws(SystemError) in
                var options = Block.Options()
                options.queueCount = UInt16(disk.queues)
                options.limit = disk.limit
                options.engine = disk.engine
                return try Block(try RawDisk.open(disk.path, isReadOnly: disk.isReadOnly), options)
            }
        }

        static func make(_ card: MachineConfiguration.NetworkCard) throws(MachineError) -> any Device {
            try building(.network) { () throws(SystemError) in
                var options = Network.Options()
                options.address = card.address
                options.mtu = card.mtu
                options.receiveLimit = card.receiveLimit
                options.transmitLimit = card.transmitLimit
                switch card.end {
                case .tap(let name): return try Network(try Tap.open(name, queues: card.queues), options)
                case .socket(let path): return try Network(try FrameStream(connectingTo: path), options)
                case .connection(let number): return try Network(try FrameStream(try .duplicate(of: number)), options)
                }
            }
        }

        /// The devices of a configuration, in the order in which the guest finds them.
        static func make(_ configuration: MachineConfiguration) throws(MachineError) -> [any Device] {
            var devices: [any Device] = []
            for disk in configuration.disks { devices.append(try make(disk)) }
            for card in configuration.networks { devices.append(try make(card)) }
            if let vsock = configuration.vsock {
                devices.append(
                    try building(.vsock) { () throws(SystemError) in try Vsock(cid: vsock.cid, path: vsock.path) })
            }
            let limits = ShareLimits(configuration.sharedDirectories.count)
            for share in configuration.sharedDirectories {
                devices.append(
                    try building(.sharedDirectory) { () throws(SystemError) in
                        try FileSystem.open(share.path, tag: share.tag, limits.options(isReadOnly: share.isReadOnly))
                    })
            }
            if configuration.hasEntropy {
                devices.append(
                    try building(.machine) { () throws(SystemError) in
                        try Entropy(limit: configuration.entropyLimit)
                    })
            }
            if let balloon = configuration.balloon {
                devices.append(
                    try building(.balloon) { () throws(SystemError) in
                        var options = Balloon.Options()
                        options.target = balloon.target
                        options.deflatesOnOOM = balloon.deflatesOnOOM
                        options.hasReporting = balloon.reportsFreePages
                        options.hasHinting = balloon.hintsFreePages
                        options.hasStatistics = true
                        options.statisticsInterval = balloon.statisticsInterval
                        return try Balloon(options)
                    })
            }
            return devices
        }
    }
#endif
