#if arch(x86_64)
    import GuestMemory
    import KVM
    import Linux
    import Virtio

    /// Where a restored machine has its memory from.
    public enum SnapshotMemory: Hashable, Sendable {
        /// The file that was saved, all of which is checked. It has to stay as it is: the guest reads it, together with all
        /// others that were restored from it, and what it writes is its own. It is no place for pages of the host's reserve
        /// of huge ones.
        case file(String)
        /// A process behind a Unix socket that answers page faults, in Firecracker's protocol: it gets the memory's pieces
        /// as JSON, and the `userfaultfd(2)` with them. Nothing but the save's mark is checked: what the memory has is for
        /// that process to answer for.
        case handler(String)
    }

    extension Machine {
        /// Makes a machine that goes on where another was saved. It is paused: after ``start(preparing:)`` it waits for
        /// ``resume()``. Its guest is told that it was restored (its generation id has changed), and that all its vsock
        /// connections are gone.
        ///
        /// - Parameters:
        ///   - snapshot: the state.
        ///   - source: the memory.
        ///   - console: what the serial port leads to.
        ///   - more: devices beyond the configuration's, as many and of the same kinds as it was made with.
        ///   - advancesClock: whether the guest's clock goes on by the time since the save; otherwise it goes on from there.
        /// - Throws: ``MachineError`` with ``MachineError/Reason/snapshot(_:)`` for what does not fit the host, the memory or
        ///   the devices, and what the host refuses; nothing is left behind then.
        public convenience init(
            restoring snapshot: Snapshot, memory source: SnapshotMemory, console: consuming SerialEnds = SerialEnds(),
            devices more: [any Device] = [], advancesClock: Bool = false
        ) throws(MachineError) {
            var times = SetupTimes(begin: monotonicNanoseconds())
            let configuration = snapshot.configuration
            do throws(SnapshotError) { try snapshot.check() } catch { throw MachineError(error) }
            let expected = snapshot.transports.count - snapshot.additions.count
            guard configuration.deviceCount + more.count == expected else {
                throw MachineError(
                    SnapshotError.malformed("\(configuration.deviceCount + more.count) devices instead of \(expected)"))
            }

            let hypervisor = try building(.machine) { () throws(SystemError) in try Hypervisor() }
            try Self.check(hypervisor, configuration)
            let setup = try building(.machine) { () throws(SystemError) in
                try ProcessorSetup(
                    configuration.processors, maximum: configuration.mostProcessors,
                    threads: configuration.threadsPerCore, template: configuration.processorTemplate, hypervisor)
            }
            for processor in snapshot.processors {
                let missing = ProcessorBaseline.missing(processor.cpuid, setup.supported)
                guard missing.isEmpty else { throw MachineError(SnapshotError.otherProcessor(missing)) }
            }
            let vm = try Self.makeVM(hypervisor)
            let (memory, handler) = try Self.restoredMemory(snapshot, source, vm)
            times.host = monotonicNanoseconds()

            let vcpu = try building(.processors) { () throws(SystemError) in try vm.makeVCPU(0) }
            var parts = try Parts(
                configuration, more, console, at: snapshot.layout, vm: vm, vcpu, memory: memory)
            for (place, device) in zip(snapshot.layout.places.dropFirst(expected), snapshot.additions) {
                try parts.assembly.add(device, at: place, vm: vm, memory: memory, loop: parts.loop)
            }
            times.devices = monotonicNanoseconds()

            var growth = parts.growth(configuration, setup, AddressMap(configuration))
            growth.takeUp(processors: snapshot.processors.count, memory: snapshot.legacy.hotplug.memory)
            var processors: [Processor] = []
            var first: VCPU? = consume vcpu
            do throws(SystemError) {
                for (id, state) in snapshot.processors.enumerated() {
                    let vcpu = if let made = first.take() { made } else { try vm.makeVCPU(UInt32(id)) }
                    try state.restore(to: vcpu)
                    processors.append(growth.processor(vcpu, parts.lifecycle, cpuid: state.cpuid))
                }
                try snapshot.chips.restore(to: vm, advancesClock: advancesClock)
            } catch { throw MachineError(.processors, error) }
            times.images = monotonicNanoseconds()

            parts.gate.close()
            try parts.takeUp(snapshot, memory, vm)
            times.end = monotonicNanoseconds()
            self.init(
                configuration, times, vm: vm, memory: memory, MemoryRoom(configuration, setup.supported), parts,
                processors, growth)
            self.handler = handler
            saves.withLock { $0.checksums = snapshot.checksums }
            control.withLock { $0 = true }
        }

        private static func restoredMemory(
            _ snapshot: Snapshot, _ source: SnapshotMemory, _ vm: borrowing VirtualMachine
        ) throws(MachineError) -> (GuestMemory, FaultHandler?) {
            let pieces = snapshot.legacy.hotplug.memory.count
            let spare = snapshot.configuration.memorySlots - pieces
            func make(_ regions: [GuestRegion.Plan]) throws(MachineError) -> GuestMemory {
                try makeMemory(regions, spare: spare, vm, logsWrites: snapshot.configuration.tracksDirtyPages)
            }
            let memory: GuestMemory
            var handler: FaultHandler?
            switch source {
            case .file(let path):
                guard snapshot.configuration.pageSize != .huge2M else { throw MachineError(SnapshotError.hugePages) }
                let saved = try MemoryFile(of: snapshot, at: path)
                try saved.check(snapshot)
                var offset: UInt64 = 0
                memory = try make(
                    snapshot.plans.map { plan in
                        defer { offset += plan.size }
                        var plan = plan
                        plan.backing = .file(descriptor: saved.file.rawValue, offset: offset, isPrivate: true)
                        return plan
                    })
            case .handler(let path):
                memory = try make(snapshot.plans)
                do throws(SystemError) { handler = try FaultHandler(of: memory, at: path) } catch {
                    throw MachineError(.memory, error)
                }
                let mark: [UInt8]
                do throws(GuestMemoryError) { mark = try GenerationID.mark(of: memory) } catch {
                    throw MachineError(.memory, error)
                }
                guard mark == snapshot.mark else {
                    throw MachineError(SnapshotError.memory("it was not saved together with this state"))
                }
            }
            return (memory, handler)
        }
    }

    extension Machine.Parts {
        /// Gives the devices their state, and tells the guest what has changed. The chips have theirs: interrupts that were
        /// on their way are raised again.
        func takeUp(
            _ snapshot: Snapshot, _ memory: GuestMemory, _ vm: borrowing VirtualMachine
        ) throws(MachineError) {
            assembly.serial.state = snapshot.legacy.serial
            assembly.keyboard.state = snapshot.legacy.keyboard
            assembly.hotplug.state = snapshot.legacy.hotplug
            // Memory comes first: the other devices' rings may lie in it.
            let all = Array(zip(assembly.devices, snapshot.transports).enumerated())
            let memoryFirst =
                all.filter { $0.element.1.device == .memory } + all.filter { $0.element.1.device != .memory }
            for (index, (placed, state)) in memoryFirst {
                let transport = placed.transport
                do throws(StateError) { try transport.restore(state) } catch {
                    throw MachineError(SnapshotError.device("\(index) (\(transport.device.type.name))", error))
                }
                transport.pause()
                try building(.persistentMemory) { () throws(SystemError) in try placed.showMemory(vm) }
            }
            do throws(GuestMemoryError) { try GenerationID.renew(in: memory) } catch {
                throw MachineError(.memory, error)
            }
            assembly.hotplug.notifyGeneration()
        }
    }

    extension Virtio.DeviceType {
        fileprivate var name: String {
            switch self {
            case .network: "network card"
            case .block: "disk"
            case .console: "console"
            case .entropy: "entropy"
            case .balloon: "balloon"
            case .vsock: "vsock"
            case .fileSystem: "shared directory"
            case .memory: "memory"
            case .persistentMemory: "persistent memory"
            default: "type \(rawValue)"
            }
        }
    }
#endif
