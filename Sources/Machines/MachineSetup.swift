#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux
    import Virtio

    extension MachineConfiguration {
        /// Pieces of memory that may come.
        var memorySlots: Int { (maximumMemory ?? 0) > memory ? HotplugPlan.mostMemorySlots : 0 }
    }

    // What a machine that boots and one that is restored have in common.
    extension Machine {
        /// All but the virtual machine itself, its memory and its processors.
        struct Parts {
            let lifecycle: Lifecycle
            let loop: DeviceLoop
            let signal: KickSignal
            let bootTimer: BootTimer
            var assembly: DeviceAssembly
            let gate = PauseGate()
            let relay: SerialRelay
            /// What its hot-plug memory consists of.
            let pluggable: PluggableMemory?

            /// - Parameters:
            ///   - more: devices beyond the configuration's.
            ///   - layout: where they are, if they are not one behind the other with room behind them.
            init(
                _ configuration: MachineConfiguration, _ more: [any Device], _ console: consuming SerialEnds,
                at layout: DeviceLayout? = nil, vm: borrowing VirtualMachine, _ vcpu: borrowing VCPU,
                memory: GuestMemory
            ) throws(MachineError) {
                var devices = try DeviceAssembly.make(configuration)
                if let choice = configuration.hotplugMemory {
                    let blocks = try building(.hotplugMemory) { () throws(SystemError) in
                        try PluggableMemory(choice, memory, vm, logsWrites: configuration.tracksDirtyPages)
                    }
                    devices.append((nil, blocks.makeDevice()))
                    pluggable = blocks
                } else {
                    pluggable = nil
                }
                devices += more.map { (nil, $0) }
                let layout =
                    layout ?? DeviceLayout(count: devices.count + configuration.spareDevices, places: devices.indices)
                guard layout.count <= AddressMap.mostDevices else {
                    throw MachineError(
                        .machine,
                        "\(devices.count) devices and \(configuration.spareDevices) places for more are more than "
                            + "\(AddressMap.mostDevices)")
                }
                do throws(SystemError) {
                    lifecycle = try Lifecycle()
                    loop = try DeviceLoop()
                    signal = try KickSignal()
                    bootTimer = try BootTimer()
                } catch { throw MachineError(.machine, error) }
                assembly = try DeviceAssembly(
                    zip(layout.places, devices).map { ($0, $1.name, $1.device) }, slotCount: layout.count,
                    processors: configuration.processors, vm: vm, vcpu, memory: memory, loop: loop,
                    lifecycle: lifecycle, bootTimer: bootTimer, hasKeyboard: configuration.hasKeyboard)
                do throws(SystemError) { relay = try SerialRelay(assembly.serial, console, gate) } catch {
                    throw MachineError(.console, error)
                }
            }

            /// Gives persistent memory its place and shows it to the guest.
            func placeMemory(_ room: MemoryRoom, _ vm: borrowing VirtualMachine) throws(MachineError) {
                for (index, placed) in assembly.devices.enumerated() {
                    guard let memory = PersistentMemory.from(placed.transport.device) else { continue }
                    try room.place(memory, beside: Array(assembly.devices[..<index]))
                    try building(.persistentMemory) { () throws(SystemError) in try placed.showMemory(vm) }
                }
            }

            func growth(_ configuration: MachineConfiguration, _ setup: ProcessorSetup, _ map: AddressMap) -> Growth {
                let taken = Set(assembly.devices.map { $0.slot.number })
                return Growth(
                    configuration, setup, signal, gate, ports: assembly.ports, memoryBus: assembly.memoryBus,
                    emptySlots: assembly.slots.filter { !taken.contains($0.number) }, addedMemory: map.addedMemory)
            }
        }

        static func check(
            _ hypervisor: borrowing Hypervisor, _ configuration: MachineConfiguration
        ) throws(MachineError) {
            let needed: [(Capability, String)] = [
                (.irqChip, "interrupt controllers"), (.ioeventfd, "ioeventfd"), (.irqfd, "irqfd"),
                (.userMemory, "memory"), (.setTSSAddr, "KVM_SET_TSS_ADDR"), (.pit2, "a timer"),
                (.extCPUID, "CPUID"),
            ]
            let template = configuration.processorTemplate ?? ProcessorTemplate()
            for number in template.neededCapabilities {
                let capability = Capability(rawValue: CInt(truncatingIfNeeded: number))
                guard !hypervisor.supports(capability) else { continue }
                throw MachineError(.processors, "this host's KVM lacks \(capability), which the template needs")
            }
            for (capability, name) in needed where !hypervisor.supports(capability) {
                if template.ignoredCapabilities.contains(UInt32(capability.rawValue)) { continue }
                throw MachineError(.machine, "this host's KVM lacks \(name) (\(capability))")
            }
            let most = try building(.processors) { () throws(SystemError) in try hypervisor.value(of: .maxVCPUs) }
            // 0 where the kernel does not say; it had 4 then.
            guard configuration.mostProcessors <= max(4, Int(most)) else {
                throw MachineError(
                    .processors,
                    "\(configuration.mostProcessors) processors are more than this host's KVM allows: \(most)")
            }
            if let choice = configuration.hotplugMemory {
                let slots = try building(.hotplugMemory) { () throws(SystemError) in
                    try hypervisor.value(of: .nrMemorySlots)
                }
                let room = Int(slots) - Int(PluggableMemory.firstSlot)
                guard choice.slotCount <= room else {
                    throw MachineError(
                        .hotplugMemory,
                        "\(choice.slotCount) slots of hot-plug memory are more than this host's KVM allows: \(room)")
                }
            }
        }

        static func makeVM(_ hypervisor: borrowing Hypervisor) throws(MachineError) -> VirtualMachine {
            try building(.machine) { () throws(SystemError) in
                let vm = try hypervisor.makeMachine()
                try vm.setTSSAddress(AddressMap.taskState)
                try vm.makeInterruptControllers()
                try vm.makePIT(speaker: true)
                return vm
            }
        }

        /// Leaves the old interrupt controllers as firmware does: a guest that never looks at them would get their interrupts
        /// as exceptions.
        static func maskOldControllers(_ vm: borrowing VirtualMachine) throws(MachineError) {
            try building(.machine) { () throws(SystemError) in
                for chip in [InterruptChip.firstPIC, .secondPIC] {
                    var state = try vm.pic(chip)
                    state.mask = 0xff
                    try vm.setPIC(chip, state)
                }
            }
        }

        /// - Parameter logsWrites: whether it is known which pages are written.
        static func makeMemory(
            _ regions: [GuestRegion.Plan], spare: Int, _ vm: borrowing VirtualMachine, logsWrites: Bool
        ) throws(MachineError) -> GuestMemory {
            let memory: GuestMemory
            do throws(GuestMemoryError) { memory = try GuestMemory(regions, spare: spare) } catch {
                throw MachineError(.memory, error)
            }
            if logsWrites { memory.startDirtyTracking() }
            for index in 0..<memory.regionCount {
                do throws(SystemError) {
                    try memory.withRegion(index) { (region: borrowing GuestRegion) throws(SystemError) in
                        // Its slots are shown one by one.
                        if region.isPluggable { return }
                        try show(region, UInt32(index), vm, logsWrites: logsWrites)
                    }
                } catch { throw MachineError(.memory, error) }
            }
            return memory
        }

        /// Shows a region to the guest.
        static func show(
            _ region: borrowing GuestRegion, _ slot: UInt32, _ vm: borrowing VirtualMachine, logsWrites: Bool
        ) throws(SystemError) {
            try vm.setMemory(
                slot: slot, at: region.start.rawValue,
                UnsafeMutableRawBufferPointer(start: region.hostAddress, count: Int(region.size)),
                flags: logsWrites ? .logDirtyPages : [])
        }

        /// Refuses a host on which a kernel would not finish booting.
        static func checkRingZero(_ vcpu: inout VCPU, _ memory: GuestMemory) throws(MachineError) {
            let measured: RingZero
            do throws(SystemError) {
                measured = try memory.withRegion(0) { (region: borrowing GuestRegion) throws(SystemError) in
                    try vcpu.measureRingZero(
                        in: UnsafeMutableRawBufferPointer(start: region.hostAddress, count: RingZero.memoryNeeded))
                }
            } catch { throw MachineError(.machine, error) }
            guard measured.isReal else { throw MachineError(.machine, .emulated(measured)) }
        }
    }
#endif
