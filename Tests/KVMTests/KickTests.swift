#if arch(x86_64)
    import Glibc
    import KVM
    import Linux
    import Synchronization
    import TestSupport
    import Testing

    /// What a kicker wants and what the vCPU's thread saw of it.
    private final class Wishes: Sendable {
        let wanted = Atomic<Int>(0)
        let seen = Atomic<Int>(0)
        let exits = Atomic<Int>(0)
        static let end = Int.max
    }

    private final class Runner: @unchecked Sendable {
        var guest: TestMachine
        let wishes = Wishes()
        let signal: KickSignal
        private var thread = pthread_t()

        init(_ code: [UInt8], ring3: Bool = false) throws {
            guest = try TestMachine(code)
            if ring3 { try guest.enterRing3() }
            signal = try KickSignal()
        }

        /// Runs the vCPU on a thread of its own until the end is wanted.
        func start() {
            let me = Unmanaged.passRetained(self).toOpaque()
            pthread_create(
                &thread, nil,
                { context in
                    Unmanaged<Runner>.fromOpaque(context!).takeRetainedValue().loop()
                    return nil
                }, me)
        }

        private func loop() {
            try? signal.unblock()
            while true {
                let isInterrupted = try? guest.vcpu.run { exit in
                    switch exit {
                    case .interrupted: true
                    default: false
                    }
                }
                wishes.exits.add(1, ordering: .relaxed)
                guard let isInterrupted else { return wishes.seen.store(-1, ordering: .releasing) }
                if !isInterrupted { continue }
                let wanted = wishes.wanted.load(ordering: .acquiring)
                wishes.seen.store(wanted, ordering: .releasing)
                if wanted == Wishes.end { return }
            }
        }

        func join() { pthread_join(thread, nil) }

        /// Whether the vCPU's thread saw this wish, or a later one, in time.
        func hasSeen(_ wish: Int, milliseconds: Int = 20_000) -> Bool {
            let deadline = now() + milliseconds * 1000
            while wishes.seen.load(ordering: .acquiring) < wish {
                if now() > deadline { return false }
                sched_yield()
            }
            return true
        }
    }

    /// Microseconds.
    private func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    }

    /// jmp to itself
    private let spin: [UInt8] = [0xeb, 0xfe]
    /// out 0x10, al; jmp back
    private let exits: [UInt8] = [0xe6, 0x10, 0xeb, 0xfc]
    /// Some rounds without an exit, then one: mov ecx, 300; dec ecx; jnz; out 0x10, al; jmp back
    private let both: [UInt8] = [0xb9, 0x2c, 0x01, 0, 0, 0xff, 0xc9, 0x75, 0xfc, 0xe6, 0x10, 0xeb, 0xf3]

    @Suite(.needs(.kvm), .serialized) struct KickTests {
        @Test func aKickBeforeTheRun() throws {
            let runner = try Runner([0xf4])
            runner.guest.vcpu.kicker(runner.signal).kick()
            #expect(try runner.guest.vcpu.step() == .interrupted)
            #expect(try runner.guest.vcpu.step() == .halt)
        }

        @Test func aKickOutlivesItsVCPU() throws {
            let hypervisor = try Hypervisor()
            let machine = try hypervisor.makeMachine()
            let vcpu = try machine.makeVCPU(0)
            let kicker = vcpu.kicker(try KickSignal())
            try vcpu.descriptor.setInheritable(false)
            _ = consume vcpu
            kicker.kick()
        }

        @Test func aRunThatWouldNeverEnd() throws {
            let runner = try Runner(spin, ring3: true)
            let kicker = runner.guest.vcpu.kicker(runner.signal)
            runner.start()
            // Long enough for the guest to be in its loop.
            usleep(50_000)
            #expect(runner.wishes.exits.load(ordering: .relaxed) == 0)
            runner.wishes.wanted.store(1, ordering: .releasing)
            kicker.kick()
            #expect(runner.hasSeen(1))
            runner.wishes.wanted.store(Wishes.end, ordering: .releasing)
            kicker.kick()
            #expect(runner.hasSeen(Wishes.end))
            runner.join()
        }

        /// Each wish waits for the one before, so that one that is lost is found: the guest would spin for ever.
        @Test(arguments: [spin, exits, both]) func noKickIsLost(_ code: [UInt8]) throws {
            let runner = try Runner(code, ring3: true)
            let kicker = runner.guest.vcpu.kicker(runner.signal)
            runner.start()
            let deadline = now() + (insideTestVM ? 4_000_000 : 800_000)
            var wish = 0
            while now() < deadline {
                wish += 1
                runner.wishes.wanted.store(wish, ordering: .releasing)
                kicker.kick()
                guard runner.hasSeen(wish) else {
                    Issue.record("kick \(wish) was lost")
                    break
                }
                // At another moment of the run each time.
                for _ in 0..<(wish % 61) * 16 { _ = now() }
            }
            #expect(wish > 20)
            runner.wishes.wanted.store(Wishes.end, ordering: .releasing)
            kicker.kick()
            #expect(runner.hasSeen(Wishes.end))
            runner.join()
        }

        /// Kickers that don't wait, from two threads: the last wish is always seen.
        @Test func bursts() throws {
            let runner = try Runner(both, ring3: true)
            let kicker = runner.guest.vcpu.kicker(runner.signal)
            runner.start()
            let other = Burst(kicker)
            other.start()
            for round in 1...200 {
                for _ in 0..<10 { kicker.kick() }
                runner.wishes.wanted.store(round, ordering: .releasing)
                kicker.kick()
                guard runner.hasSeen(round) else {
                    Issue.record("the kick of round \(round) was lost")
                    break
                }
            }
            other.stop()
            runner.wishes.wanted.store(Wishes.end, ordering: .releasing)
            kicker.kick()
            #expect(runner.hasSeen(Wishes.end))
            runner.join()
        }

        /// Real-time signals queue; a storm of kicks must not.
        @Test func kicksDoNotPileUp() async {
            await #expect(processExitsWith: .success) {
                func queued() -> Int {
                    let status = (try? readText("/proc/thread-self/status")) ?? ""
                    let line = status.split(separator: "\n").first { $0.hasPrefix("SigPnd:") } ?? ""
                    return line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }?.nonzeroBitCount ?? -1
                }
                do {
                    let runner = try Runner([0xe6, 0x10, 0xf4])
                    let kicker = runner.guest.vcpu.kicker(runner.signal)
                    // From now on the vCPU has a thread, which holds the signal back.
                    guard try runner.guest.vcpu.step() == .portWrite(0x10, size: 1, [0]) else { exit(1) }
                    try SignalSet([runner.signal.signal]).block()
                    for _ in 0..<100 { kicker.kick() }
                    guard queued() == 1 else { exit(2) }
                    // One is there, and taking it leaves none.
                    var set = sigset_t()
                    sigemptyset(&set)
                    sigaddset(&set, runner.signal.signal.rawValue)
                    var none = timespec()
                    guard sigtimedwait(&set, nil, &none) == runner.signal.signal.rawValue else { exit(3) }
                    guard sigtimedwait(&set, nil, &none) == -1 else { exit(4) }
                    // The flag is still up, so nothing was lost.
                    guard try runner.guest.vcpu.step() == .interrupted else { exit(5) }
                    // And the next kick sends its own.
                    kicker.kick()
                    guard sigtimedwait(&set, nil, &none) == runner.signal.signal.rawValue else { exit(6) }
                    exit(0)
                } catch { exit(7) }
            }
        }

        /// Where the user's queue is full, a kick waits for room, or for the vCPU to stop on its own account.
        @Test func aFullQueueOfSignals() async {
            await #expect(processExitsWith: .success) {
                do {
                    let runner = try Runner(exits, ring3: true)
                    let kicker = runner.guest.vcpu.kicker(runner.signal)
                    runner.start()
                    usleep(10_000)
                    var none = rlimit()
                    setrlimit(__rlimit_resource_t(11), &none)  // RLIMIT_SIGPENDING
                    for wish in 1...20 {
                        runner.wishes.wanted.store(wish, ordering: .releasing)
                        kicker.kick()
                        guard runner.hasSeen(wish) else { exit(1) }
                    }
                    exit(0)
                } catch { exit(2) }
            }
        }

        @Test func aSignalInUseIsRefused() async {
            await #expect(processExitsWith: .success) {
                signal(SIGUSR1) { _ in }
                do throws(SystemError) { _ = try KickSignal(Signal(rawValue: SIGUSR1)) } catch {
                    guard error.errno == .busy, error.operation == "handle SIGUSR1 for kicks" else { exit(1) }
                    do throws(SystemError) { _ = try KickSignal(.kill) } catch {
                        // Twice is fine.
                        let again =
                            (try? KickSignal(Signal(rawValue: SIGUSR2))) != nil
                            && (try? KickSignal(Signal(rawValue: SIGUSR2))) != nil
                        exit(error.errno == .invalidArgument && again ? 0 : 2)
                    }
                }
                exit(3)
            }
        }
    }

    private final class Burst: @unchecked Sendable {
        private let kicker: VCPUKicker
        private let isOn = Atomic<Bool>(true)
        private var thread = pthread_t()

        init(_ kicker: VCPUKicker) { self.kicker = kicker }

        func start() {
            pthread_create(
                &thread, nil,
                { context in
                    let me = Unmanaged<Burst>.fromOpaque(context!).takeRetainedValue()
                    while me.isOn.load(ordering: .relaxed) {
                        me.kicker.kick()
                        sched_yield()
                    }
                    return nil
                }, Unmanaged.passRetained(self).toOpaque())
        }

        func stop() {
            isOn.store(false, ordering: .relaxed)
            pthread_join(thread, nil)
        }
    }
#endif
