import CLinux
import Linux

/// The five capability sets of a thread, as a plain value; `capabilities(7)`.
///
/// ```swift
/// var state = try CapabilityState.ofCallingThread()
/// state.restrict(to: [.netBindService])
/// try state.applyToCallingThread()
/// ```
public struct CapabilityState: Hashable, Sendable {
    /// What the kernel checks now.
    public var effective: CapabilitySet
    /// What may become effective.
    public var permitted: CapabilitySet
    /// What an executed file that has the same capability inheritable may keep.
    public var inheritable: CapabilitySet
    /// The most that any executed file can bring.
    public var bounding: CapabilitySet
    /// What stays permitted and effective across an `execve(2)` of a plain file.
    public var ambient: CapabilitySet

    public init(
        effective: CapabilitySet = [], permitted: CapabilitySet = [], inheritable: CapabilitySet = [],
        bounding: CapabilitySet = [], ambient: CapabilitySet = []
    ) {
        self.effective = effective
        self.permitted = permitted
        self.inheritable = inheritable
        self.bounding = bounding
        self.ambient = ambient
    }

    /// One of the five.
    public subscript(kind: CapabilitySetKind) -> CapabilitySet {
        get {
            switch kind {
            case .effective: effective
            case .permitted: permitted
            case .inheritable: inheritable
            case .bounding: bounding
            case .ambient: ambient
            }
        }
        set {
            switch kind {
            case .effective: effective = newValue
            case .permitted: permitted = newValue
            case .inheritable: inheritable = newValue
            case .bounding: bounding = newValue
            case .ambient: ambient = newValue
            }
        }
    }

    /// Takes out of all five sets what is not in `kept`.
    public mutating func restrict(to kept: CapabilitySet) {
        for kind in CapabilitySetKind.allCases { self[kind].formIntersection(kept) }
    }

    /// Takes out of all five sets what is not in `kept`.
    public mutating func restrict(to kept: [Capability]) { restrict(to: CapabilitySet(kept)) }

    /// The calling thread's sets; `/proc/thread-self/status`.
    public static func ofCallingThread() throws(CapabilityError) -> CapabilityState {
        try read("/proc/thread-self/status")
    }

    /// The sets of a process's main thread; `/proc/PID/status`.
    ///
    /// - Throws: ``CapabilityError/system(_:)`` with `ENOENT` when there is no such process.
    public static func of(process pid: pid_t) throws(CapabilityError) -> CapabilityState {
        try read("/proc/\(pid)/status")
    }

    private static func read(_ path: String) throws(CapabilityError) -> CapabilityState {
        let text = try system { () throws(SystemError) in try readText(path, limit: 1 << 16) }
        return try CapabilityState(status: text)
    }

    /// Reads the `Cap…` lines of a status file; `proc_pid_status(5)`.
    ///
    /// - Throws: ``CapabilityError/malformedStatus(field:)``.
    public init(status: String) throws(CapabilityError) {
        var masks: [Substring: Substring] = [:]
        for line in status.split(separator: "\n") where line.hasPrefix("Cap") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { masks[parts[0]] = parts[1].drop(while: { $0.isWhitespace }) }
        }
        func mask(_ field: Substring) throws(CapabilityError) -> CapabilitySet {
            guard let text = masks[field], let bits = UInt64(text, radix: 16) else {
                throw .malformedStatus(field: String(field))
            }
            return CapabilitySet(rawValue: bits)
        }
        self.init(
            effective: try mask("CapEff"), permitted: try mask("CapPrm"), inheritable: try mask("CapInh"),
            bounding: try mask("CapBnd"), ambient: try mask("CapAmb"))
    }

    /// The largest state within this one that a thread can reach from `current`, and that the kernel's rules between
    /// the sets allow: effective and ambient lie within permitted, ambient within inheritable, and nothing that
    /// was given up comes back.
    ///
    /// It assumes that the thread holds `CAP_SETPCAP` while it changes; without it the bounding set stays as it is.
    public func attainable(from current: CapabilityState) -> CapabilityState {
        var result = self
        result.bounding.formIntersection(current.bounding)
        result.permitted.formIntersection(current.permitted)
        result.effective.formIntersection(result.permitted)
        result.inheritable.formIntersection(current.inheritable.union(result.bounding))
        result.ambient.formIntersection(result.permitted.intersection(result.inheritable))
        return result
    }

    /// The first set that a thread with `current` can't be brought to, as the error that says so.
    public func obstacle(from current: CapabilityState) -> CapabilityError? {
        let attainable = attainable(from: current)
        for kind in [CapabilitySetKind.bounding, .permitted, .effective, .inheritable, .ambient] {
            let missing = self[kind].subtracting(attainable[kind])
            if !missing.isEmpty { return .notAttainable(missing, kind) }
        }
        return nil
    }

    /// Brings the calling thread to this state: bounding set first, while the thread may still have `CAP_SETPCAP`;
    /// then permitted, effective and inheritable together; ambient last, for it must lie within those.
    ///
    /// Only the calling thread changes. After a failure the thread may be anywhere on the way, never with more than
    /// it had.
    ///
    /// - Throws: ``CapabilityError/notAttainable(_:_:)`` before anything changed,
    ///   ``CapabilityError/system(_:)`` with `EPERM` when the bounding set must shrink and `CAP_SETPCAP` is not
    ///   effective.
    public func applyToCallingThread() throws(CapabilityError) {
        if let obstacle = obstacle(from: try .ofCallingThread()) { throw obstacle }
        try ThreadCapabilities.limitBounding(to: bounding)
        try ThreadCapabilities.set(effective: effective, permitted: permitted, inheritable: inheritable)
        try ThreadCapabilities.setAmbient(ambient)
    }
}

extension CapabilityState: CustomStringConvertible {
    /// One line a set.
    public var description: String {
        CapabilitySetKind.allCases.map { "\($0.rawValue): \(self[$0])" }.joined(separator: "\n")
    }
}
