import CLinux

/// A signal; `signal(7)`.
public struct Signal: RawRepresentable, Hashable, Sendable {
    public let rawValue: CInt
    @inlinable
    public init(rawValue: CInt) { self.rawValue = rawValue }

    public static let hangUp = Signal(rawValue: SIGHUP)
    public static let interrupt = Signal(rawValue: SIGINT)
    public static let kill = Signal(rawValue: SIGKILL)
    public static let terminate = Signal(rawValue: SIGTERM)
    public static let child = Signal(rawValue: SIGCHLD)
    public static let windowChanged = Signal(rawValue: SIGWINCH)
    public static let brokenPipe = Signal(rawValue: SIGPIPE)

    /// The largest signal number, 64 on Linux.
    public static var maximum: CInt { bh_sigrtmax() }

    /// Reads a signal as command lines name it: `KILL`, `sigkill`, `9`, `RTMIN+3`, `RTMAX-1`; 0 is no signal, and asks
    /// only whether a process is there. Nil for anything else.
    public init?(_ text: String) {
        if let first = text.utf8.first, first >= UInt8(ascii: "0"), first <= UInt8(ascii: "9") {
            guard let number = CInt(text), number <= Self.maximum else { return nil }
            self.init(rawValue: number)
            return
        }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        guard let number = Self.realTime(name) ?? Self.named(name) else { return nil }
        self.init(rawValue: number)
    }

    private static func named(_ name: String) -> CInt? {
        switch name {
        // Names that the C library gives no signal of its own.
        case "IOT": return SIGABRT
        case "CLD": return SIGCHLD
        case "IO": return SIGIO
        case "UNUSED": return SIGSYS
        default:
            return (1...maximum).first { number in
                guard let text = unsafe bh_signal_abbreviation(number) else { return false }
                return unsafe String(cString: text) == name
            }
        }
    }

    private static func realTime(_ name: String) -> CInt? {
        guard name.hasPrefix("RTM") else { return nil }
        let (lowest, highest) = (bh_sigrtmin(), bh_sigrtmax())
        let rest = name.dropFirst(5)
        let isLowest = name.hasPrefix("RTMIN")
        guard isLowest || name.hasPrefix("RTMAX") else { return nil }
        if rest.isEmpty { return isLowest ? lowest : highest }
        guard rest.utf8.first == UInt8(ascii: isLowest ? "+" : "-"),
            rest.utf8.dropFirst().allSatisfy({ 0x30...0x39 ~= $0 }), let distance = CInt(rest.dropFirst()),
            distance <= highest - lowest
        else { return nil }
        return isLowest ? lowest + distance : highest - distance
    }
}

extension Signal {
    /// Takes it as if it had come now and were not held back; `raise(3)`.
    ///
    /// Where its action is the default one and ends a process, this does not return, so that who waits for the process sees
    /// what ended it. It returns where the signal is ignored, and in the first process of a pid namespace.
    public func take() {
        _ = unsafe bh_signal_mask(SIG_UNBLOCK, SignalSet([self]).rawValue, nil)
        raise(rawValue)
    }
}

extension Signal: CustomStringConvertible {
    /// `SIGTERM`, `SIGRTMIN+3`; `signal 99` for a number without a name.
    public var description: String {
        if let text = unsafe bh_signal_abbreviation(rawValue) { return "SIG\(unsafe String(cString: text))" }
        let lowest = bh_sigrtmin()
        guard (lowest...bh_sigrtmax()).contains(rawValue) else { return "signal \(rawValue)" }
        return rawValue == lowest ? "SIGRTMIN" : "SIGRTMIN+\(rawValue - lowest)"
    }
}

/// A set of signals; the kernel's `sigset_t`: signal *n* is bit *n* − 1.
public struct SignalSet: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The signals given, of which numbers outside 1 to 64 are left out.
    @inlinable
    public init(_ signals: some Sequence<Signal>) {
        var set: UInt64 = 0
        for signal in signals where (1...64).contains(signal.rawValue) { set |= 1 << UInt64(signal.rawValue - 1) }
        rawValue = set
    }

    public func contains(_ signal: Signal) -> Bool { isSuperset(of: SignalSet([signal])) && signal.rawValue > 0 }

    /// What a program that stands in for another passes on: all but `SIGCHLD`, which tells of its own children,
    /// `SIGPIPE`, which tells of its own writes, those that no program can hold back, those that a fault in its own
    /// code raises, and the two that the C library keeps for itself.
    public static var forwardable: SignalSet {
        let own = [SIGCHLD, SIGPIPE, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, 32, 33]
        return SignalSet(rawValue: .max).subtracting(SignalSet(own.map { Signal(rawValue: $0) }))
    }

    /// Holds these signals back from the calling thread, and from threads and processes that it makes;
    /// `sigprocmask(2)`.
    ///
    /// - Returns: what was held back before.
    @discardableResult
    public func block() throws(SystemError) -> SignalSet {
        var before: UInt64 = 0
        try systemCall("sigprocmask") { unsafe bh_signal_mask(SIG_BLOCK, rawValue, &before) }
        return SignalSet(rawValue: before)
    }

    /// Makes these the only signals that are held back from the calling thread; `sigprocmask(2)`.
    public func setAsMask() throws(SystemError) {
        try systemCall("sigprocmask") { bh_signal_mask(SIG_SETMASK, rawValue, nil) }
    }
}

/// Signals as data: those of a set, read from a descriptor; `signalfd(2)`.
///
/// Only signals that are blocked wait to be read, so ``SignalSet/block()`` comes first.
public struct SignalDescriptor: ~Copyable, Sendable {
    /// Readable while a signal waits. It never blocks.
    public let descriptor: Descriptor

    public init(_ signals: SignalSet) throws(SystemError) {
        descriptor = Descriptor(owning: try systemCall("signalfd") { bh_signalfd(signals.rawValue) })
    }

    /// The next signal, nil when none waits.
    public func next() throws(SystemError) -> Signal? {
        let number = descriptor.rawValue
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        do throws(SystemError) {
            try systemCall("read signalfd") { unsafe CLinux.read(number, &info, size) }
        } catch {
            if error.errno == .wouldBlock { return nil }
            throw error
        }
        return Signal(rawValue: CInt(info.ssi_signo))
    }
}
