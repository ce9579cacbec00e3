#if arch(x86_64)
    import Glibc
    import KVM
    import Linux
    import Synchronization

    /// Where a processor rests while a debugger looks at it: its thread leaves the vCPU here and waits.
    final class DebugSeat: Sendable {
        private struct Seat: ~Copyable {
            var vcpu: VCPU?
            var isHeld: Bool
            var stop: DebugExit?

            var hasVCPU: Bool {
                switch vcpu {
                case .some: true
                case nil: false
                }
            }
        }

        private let seat: Mutex<Seat>
        /// The same as in the seat, for the thread's look after each exit.
        private let mayBeHeld: Atomic<Bool>
        private let kicker: VCPUKicker
        private let lifecycle: Lifecycle
        private let release: EventCounter
        /// Readable on a release, and at the machine's end.
        private let events: EventLoop
        private let arrivals: DebugArrivals

        init(
            _ kicker: VCPUKicker, _ lifecycle: Lifecycle, _ arrivals: DebugArrivals, isHeld: Bool
        ) throws(SystemError) {
            seat = Mutex(Seat(vcpu: nil, isHeld: isHeld, stop: nil))
            mayBeHeld = Atomic(isHeld)
            self.kicker = kicker
            self.lifecycle = lifecycle
            self.arrivals = arrivals
            release = try EventCounter()
            events = try EventLoop()
            try events.add(release.descriptor, for: .readable, token: 0)
            try events.add(lifecycle.event.descriptor, for: .readable, token: 1)
        }

        // MARK: - The processor's side

        /// Whether the thread has to come here.
        var isHeld: Bool { mayBeHeld.load(ordering: .acquiring) }

        /// The guest met a breakpoint or has made its step: the thread comes here by itself.
        func stopped(_ stop: DebugExit) {
            seat.withLock {
                $0.isHeld = true
                $0.stop = stop
            }
            mayBeHeld.store(true, ordering: .releasing)
        }

        /// Waits until nobody holds it any more, or the machine has ended.
        func rest(_ vcpu: consuming VCPU) -> VCPU? {
            var coming: VCPU? = consume vcpu
            seat.withLock { $0.vcpu = coming.take() }
            arrivals.say()
            while true {
                // In one step with the look: who holds it finds it here from then on.
                var going: VCPU?
                let isFree = seat.withLock { seat in
                    guard !seat.isHeld || lifecycle.isOver else { return false }
                    going = seat.vcpu.take()
                    return true
                }
                if isFree { return going }
                _ = try? events.wait(timeoutMilliseconds: -1) { _, _ in }
                _ = try? release.take()
            }
        }

        // MARK: - The debugger's side

        /// Makes the processor come.
        func hold() {
            let isHere = seat.withLock { seat in
                seat.isHeld = true
                mayBeHeld.store(true, ordering: .releasing)
                return seat.hasVCPU
            }
            if !isHere { kicker.kick() }
        }

        /// Lets it go on.
        func letGo() {
            seat.withLock { seat in
                seat.isHeld = false
                seat.stop = nil
                mayBeHeld.store(false, ordering: .releasing)
            }
            try? release.add()
        }

        var isHere: Bool { seat.withLock { $0.hasVCPU } }

        /// What stopped it, if something did.
        var stop: DebugExit? { seat.withLock { $0.stop } }

        /// Lends the vCPU; nil where it is not here.
        func withVCPU<Result>(
            _ body: (borrowing VCPU) throws(SystemError) -> Result
        ) throws(SystemError) -> Result? {
            try seat.withLock { (seat) throws(SystemError) -> Result? in
                switch seat.vcpu {
                case .some(let vcpu): try body(vcpu)
                case nil: nil
                }
            }
        }
    }

    /// Processors that came to their seats.
    final class DebugArrivals: Sendable {
        let event: EventCounter

        init() throws(SystemError) { event = try EventCounter() }

        func say() { try? event.add() }
    }
#endif
