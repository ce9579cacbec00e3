#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux
    import Virtio

    extension InterruptInput: LevelLine {
        func set(_ isHigh: Bool) { try? set(high: isHigh) }
    }

    /// A machine's devices in their places: on the buses, with interrupts, and with notifications that the kernel hands
    /// on by itself.
    struct DeviceAssembly {
        private(set) var ports = Bus()
        private(set) var memoryBus = Bus()
        /// In the order in which the guest finds them; those that came while a machine ran are behind the others.
        private(set) var devices: [PlacedDevice] = []
        /// All places, by their numbers.
        let slots: [DeviceSlot]
        /// The loops of shared directories, one each: a call of the host's that takes long stops nobody else.
        private(set) var shareLoops: [DeviceLoop] = []
        /// Where their registers are.
        var places: [ACPITables.DevicePlace] { slots.map { $0.place } }
        let serial: SerialPort
        let keyboard: Keyboard
        let hotplug: HotplugController

        /// - Parameters:
        ///   - devices: with the number of each one's place, and its name.
        ///   - slotCount: how many places there are.
        ///   - processors: how many are there from the beginning.
        init(
            _ devices: [(place: Int, name: DeviceName?, device: any Device)], slotCount: Int, processors: Int,
            vm: borrowing VirtualMachine, _ vcpu: borrowing VCPU, memory: GuestMemory, loop: DeviceLoop,
            lifecycle: Lifecycle, bootTimer: BootTimer, hasKeyboard: Bool
        ) throws(MachineError) {
            do throws(SystemError) {
                keyboard = Keyboard(lifecycle, interrupt: try Self.interrupt(AddressMap.keyboardInterrupt, vm))
                serial = try SerialPort(interrupt: try Self.interrupt(AddressMap.serialInterrupt, vm))
                let controller = try HotplugController(
                    processors: processors, devices: devices.count,
                    line: try vm.input(ofLine: AddressMap.hotplugInterrupt))
                hotplug = controller
                let shortcuts = try RegisterShortcuts.make(slotCount, vm, vcpu)
                slots = (0..<slotCount).map { DeviceSlot($0, controller, shortcuts) }
                for (place, name, device) in devices {
                    if device.type == .fileSystem { shareLoops.append(try DeviceLoop()) }
                    let itsLoop = device.type == .fileSystem ? shareLoops[shareLoops.count - 1] : loop
                    var placed = try PlacedDevice(device, in: slots[place], vm: vm, memory: memory, loop: itsLoop)
                    placed.name = name
                    self.devices.append(placed)
                }
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
                for slot in slots { try memoryBus.attach(slot, at: slot.place.address, size: MMIOTransport.size) }
            } catch { throw MachineError(.machine, error.description) }
        }

        /// Puts a device that came while a machine ran into a place that is empty.
        mutating func add(
            _ addition: MachineConfiguration.Addition, at place: Int, vm: borrowing VirtualMachine,
            memory: GuestMemory, loop: DeviceLoop
        ) throws(MachineError) {
            let device = try Self.make(addition)
            do throws(SystemError) {
                var placed = try PlacedDevice(device, in: slots[place], vm: vm, memory: memory, loop: loop)
                (placed.name, placed.addition) = (addition.name, .init(source: addition))
                devices.append(placed)
            } catch { throw MachineError(.machine, error) }
        }

        private static func interrupt(
            _ line: UInt32, _ vm: borrowing VirtualMachine
        ) throws(SystemError) -> EventInterrupt {
            let interrupt = try EventInterrupt()
            try vm.connect(interrupt.counter.descriptor, toLine: line)
            return interrupt
        }

        static func make(_ addition: MachineConfiguration.Addition) throws(MachineError) -> any Device {
            switch addition {
            case .disk(let disk): try make(disk)
            case .network(let card): try make(card)
            case .persistentMemory(let file): try make(file)
            }
        }

        static func make(_ disk: MachineConfiguration.Disk) throws(MachineError) -> any Device {
            if let server = disk.server { return try make(server, queues: disk.queues) }
            return try building(.disk) { () throws(SystemError) in
                var options = Block.Options()
                options.queueCount = UInt16(disk.queues)
                options.limit = disk.limit
                options.engine = disk.engine
                return try Block(try RawDisk.open(disk.path, isReadOnly: disk.isReadOnly), options)
            }
        }

        private static func make(
            _ server: MachineConfiguration.Disk.Server, queues: Int
        ) throws(MachineError) -> VhostUserBlock {
            do throws(VhostUserError) {
                let frontend =
                    switch server {
                    case .socket(let path): try VhostUserFrontend(connectingTo: path)
                    case .frontend(let frontend): frontend
                    }
                return try VhostUserBlock(frontend, queueCount: UInt16(queues))
            } catch { throw MachineError(.disk, .backend(error)) }
        }

        static func make(_ memory: MachineConfiguration.MemoryFile) throws(MachineError) -> any Device {
            try building(.persistentMemory) { () throws(SystemError) in
                try PersistentMemory(
                    try MappedFile.open(memory.path, isReadOnly: memory.isReadOnly), limit: memory.limit)
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
        static func make(
            _ configuration: MachineConfiguration
        ) throws(MachineError) -> [(name: DeviceName?, device: any Device)] {
            var named: [(name: DeviceName?, device: any Device)] = []
            for disk in configuration.disks { named.append((disk.name, try make(disk))) }
            for card in configuration.networks { named.append((card.name, try make(card))) }
            for file in configuration.persistentMemory { named.append((file.name, try make(file))) }
            var devices: [any Device] = []
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
            return named + devices.map { (nil, $0) }
        }
    }
#endif
