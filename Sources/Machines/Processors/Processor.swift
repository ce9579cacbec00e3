#if arch(x86_64)
    import KVM
    import Linux
    import Synchronization

    /// A vCPU and what its thread does: it runs the guest and hands accesses to the buses, until the machine has ended.
    final class Processor: @unchecked Sendable {
        private enum Next {
            case goOn
            case interrupted
            case end(Ending)
        }

        /// Here before the thread begins, and while it waits at the gate; the thread's alone otherwise.
        private let vcpu: Mutex<VCPU?>
        let kicker: VCPUKicker
        /// What its CPUID was told to answer.
        let cpuid: [CPUIDEntry]
        /// Where it rests while a debugger looks at it; set before the thread begins.
        var seat: DebugSeat?
        private let signal: KickSignal
        private let lifecycle: Lifecycle
        private let gate: PauseGate
        private let ports: Bus
        private let memory: Bus
        private let counters = ExitCounters()

        init(
            _ vcpu: consuming VCPU, _ cpuid: [CPUIDEntry], _ signal: KickSignal, _ lifecycle: Lifecycle,
            _ gate: PauseGate, ports: Bus,
            memory: Bus
        ) {
            kicker = vcpu.kicker(signal)
            self.cpuid = cpuid
            self.vcpu = Mutex(consume vcpu)
            self.signal = signal
            self.lifecycle = lifecycle
            self.gate = gate
            self.ports = ports
            self.memory = memory
        }

        /// Of the guest so far; from any thread.
        var counts: ExitCounts { counters.counts }

        /// The thread's body.
        func run() {
            if gate.isClosed { gate.waitWhileClosed() }
            guard var vcpu = take() else { return }
            do throws(SystemError) {
                try signal.unblock()
                while !lifecycle.isOver {
                    if let seat, seat.isHeld {
                        try settle(&vcpu)
                        guard let same = seat.rest(vcpu) else { return }
                        vcpu = same
                        continue
                    }
                    if gate.isClosed {
                        try settle(&vcpu)
                        put(consume vcpu)
                        gate.waitWhileClosed()
                        guard let same = take() else { return }
                        vcpu = same
                        // Refused where the guest does not use the clock; then it has no watchdog that this would calm.
                        do throws(SystemError) { try vcpu.notifyPaused() } catch {
                            counters.untoldPauses.wrappingAdd(1, ordering: .relaxed)
                        }
                        continue
                    }
                    do {
                        let next = try vcpu.run { handle($0) }
                        act(next)
                    }
                }
            } catch {
                counters.failures.wrappingAdd(1, ordering: .relaxed)
                lifecycle.end(.failed(MachineError(.machine, error)))
            }
        }

        /// Lends the vCPU while its thread waits at the gate, or has not begun.
        ///
        /// - Returns: nil where the thread has it.
        func withVCPU<Result, Failure: Error>(
            _ body: (borrowing VCPU) throws(Failure) -> Result
        ) throws(Failure) -> Result? {
            try vcpu.withLock { (vcpu) throws(Failure) -> Result? in
                switch vcpu {
                case .some(let vcpu): try body(vcpu)
                case nil: nil
                }
            }
        }

        private func take() -> VCPU? { vcpu.withLock { $0.take() } }

        private func put(_ vcpu: consuming VCPU) {
            var back: VCPU? = consume vcpu
            self.vcpu.withLock { $0 = back.take() }
        }

        /// Lets KVM take up the answers to the last exit: until then registers are in the midst of an instruction.
        private func settle(_ vcpu: inout VCPU) throws(SystemError) {
            while !lifecycle.isOver {
                let next = try vcpu.completeLastExit { handle($0) }
                if case .interrupted = next { return }
                act(next)
            }
        }

        private func act(_ next: Next) {
            switch next {
            case .goOn: break
            case .interrupted: counters.interrupted.wrappingAdd(1, ordering: .relaxed)
            case .end(let ending): lifecycle.end(ending)
            }
        }

        private func handle(_ exit: borrowing Exit) -> Next {
            switch exit {
            case .portRead(let read):
                counters.portReads.wrappingAdd(1, ordering: .relaxed)
                for index in 0..<read.count {
                    read.fill(ports.read(UInt64(read.port), width: read.size), at: index)
                }
                return .goOn
            case .portWrite(let write):
                counters.portWrites.wrappingAdd(1, ordering: .relaxed)
                for index in 0..<write.count {
                    ports.write(UInt64(write.port), UInt64(write[index]), width: write.size)
                }
                return .goOn
            case .memoryRead(let read):
                counters.memoryReads.wrappingAdd(1, ordering: .relaxed)
                read.fill(memory.read(read.address, width: read.size))
                return .goOn
            case .memoryWrite(let address, let size, let value):
                counters.memoryWrites.wrappingAdd(1, ordering: .relaxed)
                memory.write(address, value, width: size)
                return .goOn
            case .interrupted: return .interrupted
            case .debug(let stop):
                seat?.stopped(stop)
                return .goOn
            case .shutdown: return .end(.tripleFault)
            case .systemEvent(let event): return .end(Self.ending(event.event))
            case .internalError(let failure):
                return failed("KVM can't go on (internal error \(failure.error.rawValue)) \(Self.bytes(failure))")
            case .entryFailure(let reason, let cpu):
                return failed("the processor refuses the guest's state: 0x\(String(reason, radix: 16)) on CPU \(cpu)")
            case .unknownToKernel(let reason):
                return failed("the guest left for a reason that KVM does not know: 0x\(String(reason, radix: 16))")
            case .memoryFault(let address, _, _):
                return failed("the guest's memory at 0x\(String(address, radix: 16)) is not there")
            case .unknown(let payload):
                return failed("the guest left for reason \(payload.reason), which is unknown here")
            // None of the others was asked for.
            default: return failed("the guest left for a reason that this machine does not ask for")
            }
        }

        private func failed(_ why: String) -> Next {
            counters.failures.wrappingAdd(1, ordering: .relaxed)
            return .end(.failed(MachineError(.machine, why)))
        }

        private static func ending(_ event: SystemEvent) -> Ending {
            switch event {
            case .shutdown: .powerOff
            case .reset: .reset
            case .crash: .panic
            default: .failed(MachineError(.machine, "KVM reports the event \(event.rawValue)"))
            }
        }

        private static func bytes(_ failure: borrowing InternalFailure) -> String {
            let bytes = failure.instruction
            if bytes.isEmpty { return "" }
            return "at an instruction that it can't emulate: "
                + bytes.map { String(UInt16($0) + 0x100, radix: 16).suffix(2) }.joined(separator: " ")
        }
    }
#endif
