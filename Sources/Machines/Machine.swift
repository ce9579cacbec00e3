#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux
    import Synchronization
    import Virtio

    /// A virtual machine that boots a kernel: processors, memory, virtio devices, and as much of a PC as kernels need.
    ///
    /// ```swift
    /// import Machines
    ///
    /// var configuration = MachineConfiguration(kernel: "vmlinuz")
    /// configuration.initialRAMDisk = "initramfs.cpio"
    /// let machine = try Machine(configuration, console: SerialEnds(output: .duplicate(of: 1)))
    /// try machine.start()
    /// print(machine.wait())
    /// ```
    ///
    /// Each processor has a thread, and so have the devices together, each shared directory, and the serial port.
    public final class Machine: @unchecked Sendable {
        public let configuration: MachineConfiguration
        /// When the set-up began, and when its parts were done.
        public let times: SetupTimes

        // In this order: the kernel uses the memory as long as the virtual machine and its vCPUs are there.
        let vm: VirtualMachine
        let memory: GuestMemory
        /// Where persistent memory is.
        let room: MemoryRoom
        /// Who fills in the memory of a machine that was restored so.
        var handler: FaultHandler?
        let lifecycle: Lifecycle
        let loop: DeviceLoop
        private let shareLoops: [DeviceLoop]
        /// They come and go, and processors come.
        let deviceList: Mutex<[PlacedDevice]>
        /// What a debugger talks to, if one may.
        let debugger = Mutex<GDBServer?>(nil)
        /// What the guest's event device asks.
        let hotplug: HotplugController
        let relay: SerialRelay
        /// What its hot-plug memory consists of.
        let pluggable: PluggableMemory?
        private let bootTimer: BootTimer
        let serial: SerialPort
        let keyboard: Keyboard
        let processorList: Mutex<[Processor]>
        /// What may still come, held while something comes.
        let growth: Mutex<Growth>
        /// Devices that have gone and were not asked after.
        let removed = Mutex<[RemovedDevice]>([])
        /// Places for devices, taken or not.
        let slotCount: Int
        /// Changed by saves alone.
        let saves = Mutex(SaveRecord())
        /// Where the threads wait while the machine is paused.
        let gate: PauseGate
        /// Whether it is paused; held while that changes, and while a paused machine is looked at.
        let control = Mutex(false)
        /// Running threads; guarded, so that ``wait()`` may come from any thread.
        let threads = Mutex<[MachineThread]>([])
        /// What each thread does first; set by ``start(preparing:)``.
        private let preparation = Mutex<ThreadPreparation>({ _ in })

        /// Moments of the monotonic clock, in nanoseconds.
        public struct SetupTimes: Hashable, Sendable {
            public var begin: UInt64
            /// KVM and memory are there, and ring 0 is known to be real.
            public var host: UInt64 = 0
            /// Devices are there.
            public var devices: UInt64 = 0
            /// Kernel and initial RAM disk are in the guest's memory.
            public var images: UInt64 = 0
            /// The processors are ready.
            public var end: UInt64 = 0
        }

        /// Makes the machine, without running it.
        ///
        /// - Parameters:
        ///   - configuration: what it has.
        ///   - console: what the serial port leads to.
        ///   - more: devices beyond the configuration's, which the guest finds after those.
        /// - Throws: ``MachineError``; nothing is left behind then.
        public convenience init(
            _ configuration: MachineConfiguration, console: consuming SerialEnds = SerialEnds(),
            devices more: [any Device] = []
        ) throws(MachineError) {
            try configuration.validate()
            var times = SetupTimes(begin: monotonicNanoseconds())
            let map = AddressMap(configuration)

            // What may be missing comes first: it costs little to find out.
            let kernelFile = try ImageFile(configuration.kernel, .kernel)
            let diskFile: ImageFile? =
                if let path = configuration.initialRAMDisk { try ImageFile(path, .initialRAMDisk) } else { nil }

            let hypervisor = try building(.machine) { () throws(SystemError) in try Hypervisor() }
            try Self.check(hypervisor, configuration)
            let vm = try Self.makeVM(hypervisor)
            try Self.maskOldControllers(vm)
            let isShared = configuration.hasSharedMemory || more.contains { $0.isServedElsewhere }
            let memory = try Self.makeMemory(
                map.regions(backing: isShared ? .shared : .anonymous), spare: configuration.memorySlots, vm,
                logsWrites: configuration.tracksDirtyPages)
            let setup = try building(.machine) { () throws(SystemError) in
                try ProcessorSetup(
                    configuration.processors, maximum: configuration.mostProcessors,
                    threads: configuration.threadsPerCore, template: configuration.processorTemplate, hypervisor)
            }
            var first = try building(.processors) { () throws(SystemError) in try setup.makeVCPU(0, vm) }
            // Before there is a device, a socket or a tap that somebody could see.
            if !configuration.acceptsEmulation { try Self.checkRingZero(&first, memory) }
            times.host = monotonicNanoseconds()

            let parts = try Parts(configuration, more, console, vm: vm, first, memory: memory)
            let room = MemoryRoom(configuration, setup.supported)
            try parts.placeMemory(room, vm)
            times.devices = monotonicNanoseconds()

            let kernel = try LoadedKernel.load(kernelFile, configuration.bootProtocol, into: memory, map)
            let initialRAMDisk: InitialRAMDisk? =
                switch diskFile {
                case .some(let file): try InitialRAMDisk.load(file, beside: kernel, into: memory, map)
                case nil: nil
                }
            let mayGo = configuration.spareDevices > 0
            let tables = ACPITables(
                processors: configuration.processors, devices: mayGo ? [] : parts.assembly.places,
                hotplug: HotplugPlan(
                    maximumProcessors: configuration.mostProcessors, devices: mayGo ? parts.assembly.places : [],
                    memorySlots: configuration.memorySlots, generation: GenerationID.node),
                hasKeyboard: configuration.hasKeyboard)
            var told = configuration
            if configuration.tellsKernelsWithoutACPI {
                told.addArguments(parts.assembly.devices.map { $0.slot.place.argument })
            }
            do throws(GuestMemoryError) {
                try tables.write(to: memory)
                if configuration.tellsKernelsWithoutACPI {
                    try MultiProcessorTable(processors: configuration.processors).write(to: memory)
                }
                try ResetVector.write(to: memory)
                try GenerationID.renew(in: memory)
            } catch { throw MachineError(.memory, error) }
            try BootParameters(
                kernel: kernel, initialRAMDisk: initialRAMDisk, commandLine: told.commandLine, map: map,
                rootPointer: AddressMap.acpi
            ).write(to: memory)
            times.images = monotonicNanoseconds()

            let growth = parts.growth(configuration, setup, map)
            let processors = try setup.makeProcessors(consume first, vm, kernel) {
                growth.processor($0, parts.lifecycle)
            }
            times.end = monotonicNanoseconds()
            self.init(configuration, times, vm: vm, memory: memory, room, parts, processors, growth)
        }

        /// Puts the machine together.
        init(
            _ configuration: MachineConfiguration, _ times: SetupTimes, vm: consuming VirtualMachine,
            memory: GuestMemory, _ room: MemoryRoom, _ parts: Parts, _ processors: [Processor], _ growth: Growth
        ) {
            self.configuration = configuration
            self.times = times
            self.vm = vm
            self.memory = memory
            self.room = room
            lifecycle = parts.lifecycle
            loop = parts.loop
            gate = parts.gate
            bootTimer = parts.bootTimer
            relay = parts.relay
            pluggable = parts.pluggable
            serial = parts.assembly.serial
            keyboard = parts.assembly.keyboard
            hotplug = parts.assembly.hotplug
            shareLoops = parts.assembly.shareLoops
            deviceList = Mutex(parts.assembly.devices)
            slotCount = parts.assembly.slots.count
            processorList = Mutex(processors)
            self.growth = Mutex(growth)
        }

        deinit {
            lifecycle.end(.stopped)
            finish()
        }

        /// Lets the guest run.
        ///
        /// - Parameter prepare: what each of the machine's threads does first.
        /// - Throws: where a thread can't be made; the machine has ended then.
        /// - Precondition: it was not started before.
        public func start(preparing prepare: @escaping ThreadPreparation = { _ in }) throws(MachineError) {
            preparation.withLock { $0 = prepare }
            try threads.withLock { (threads) throws(MachineError) in
                precondition(threads.isEmpty && lifecycle.result == nil, "a machine is started once")
                do throws(SystemError) {
                    let (loop, relay, lifecycle) = (loop, relay, lifecycle)
                    let loops = [("devices", ThreadRole.devices, loop)]
                    for (name, role, loop) in loops + shareLoops.enumerated().map({ ("share \($0)", .share, $1) }) {
                        threads.append(
                            try makeThread(name, role) {
                                do throws(SystemError) { try loop.run() } catch {
                                    lifecycle.end(.failed(MachineError(.machine, error)))
                                }
                            })
                    }
                    threads.append(try makeThread("serial", .serial, at: gate) { relay.run() })
                    for (index, processor) in processors.enumerated() {
                        threads.append(try makeThread("vcpu \(index)", .processor, at: gate) { processor.run() })
                    }
                    if let debugger = debugger.withLock({ $0 }) {
                        threads.append(try makeThread("gdb", .debugger) { debugger.run() })
                    }
                } catch {
                    let failure = MachineError(.machine, error)
                    lifecycle.end(.failed(failure))
                    throw failure
                }
            }
        }

        /// A thread of the machine's, which prepares itself first.
        ///
        /// - Parameter gate: where it stops while the machine is paused. A loop of devices stops with its devices.
        func makeThread(
            _ name: String, _ role: ThreadRole, at gate: PauseGate? = nil, _ body: @escaping @Sendable () -> Void
        ) throws(SystemError) -> MachineThread {
            let (lifecycle, prepare) = (lifecycle, preparation.withLock { $0 })
            gate?.enter()
            do throws(SystemError) {
                return try MachineThread(name) {
                    defer { gate?.leave() }
                    do throws(MachineError) { try prepare(role) } catch { return lifecycle.end(.failed(error)) }
                    body()
                }
            } catch {
                gate?.leave()
                throw error
            }
        }

        /// Ends the machine, as one cuts a computer's power; from any thread. It has no effect on one that has ended.
        public func stop() { lifecycle.end(.stopped) }

        /// Of those that are there now.
        var processors: [Processor] { processorList.withLock { $0 } }
        var placedDevices: [PlacedDevice] { deviceList.withLock { $0 } }
        var transports: [MMIOTransport] { placedDevices.map { $0.transport } }

        /// How it ended; nil while it has not.
        public var ending: Ending? { lifecycle.result }

        /// Lends a descriptor that is readable as soon as the machine has ended: then ``wait()`` does not wait.
        public func withEndEvent<Result: ~Copyable, Failure: Error>(
            _ body: (borrowing Descriptor) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            try body(lifecycle.event.descriptor)
        }

        /// Waits until the machine has ended and its threads are gone.
        public func wait() -> Ending {
            lifecycle.wait()
            finish()
            return lifecycle.result!
        }

        /// Nanoseconds of the monotonic clock at which the guest said that it is up, by writing 123 to 0xc0000000; nil
        /// while it did not.
        public var guestUpTime: UInt64? { bootTimer.upSince }

        /// Lends a descriptor that is readable as soon as ``guestUpTime`` is there.
        public func withUpEvent<Result: ~Copyable, Failure: Error>(
            _ body: (borrowing Descriptor) throws(Failure) -> Result
        ) throws(Failure) -> Result {
            try body(bootTimer.event.descriptor)
        }

        /// The virtio devices, in the order in which the guest finds them.
        public var devices: [any Device] { transports.map { $0.device } }

        /// Presses Ctrl, Alt and Del on the guest's keyboard, where it has one: most guests restart then.
        public func pressControlAltDelete() { keyboard.pressControlAltDelete() }

        /// Exits of all processors so far.
        public var exits: ExitCounts { processors.reduce(ExitCounts()) { $0 + $1.counts } }

        /// What made a device ask its driver for a reset, for those that did; for a log.
        public var faults: [DeviceFault] { transports.compactMap { $0.fault } }

        private func finish() {
            // Not while somebody pauses it or saves it: then its threads are not to move.
            control.withLock { isPaused in
                isPaused = false
                gate.open()
            }
            let running = threads.withLock { threads in
                let all = threads
                threads = []
                return all
            }
            for processor in processors { processor.kicker.kick() }
            loop.stop()
            for loop in shareLoops { loop.stop() }
            relay.stop()
            for thread in running { thread.join() }
            for transport in transports { transport.shutDown() }
        }
    }

#endif
