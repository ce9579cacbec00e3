import Linux

/// What the kernel does with a call; a filter's 32-bit answer, `SECCOMP_RET_*`; `seccomp(2)`.
///
/// The upper half is the action, the lower half its data. An action that the kernel does not know kills the process.
public struct SeccompAction: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Ends the process, as if by an uncaught `SIGSYS`.
    public static let killProcess = SeccompAction(rawValue: 0x8000_0000)
    /// Ends the thread, as if by an uncaught `SIGSYS`.
    public static let killThread = SeccompAction(rawValue: 0)
    /// Sends the thread `SIGSYS`, which it may handle.
    public static let trap = SeccompAction(rawValue: 0x0003_0000)
    /// Asks whoever holds the filter's ``NotificationListener``.
    public static let notify = SeccompAction(rawValue: 0x7fc0_0000)
    /// Lets the call through, after logging it.
    public static let log = SeccompAction(rawValue: 0x7ffc_0000)
    /// Lets the call through.
    public static let allow = SeccompAction(rawValue: 0x7fff_0000)

    /// Fails the call. With number 0 the call does nothing and succeeds.
    public static func errno(_ errno: Errno) -> SeccompAction {
        SeccompAction(rawValue: 0x0005_0000 | UInt32(truncatingIfNeeded: errno.rawValue) & 0xffff)
    }

    /// Asks the thread's tracer, handing it the data; `ENOSYS` without one.
    public static func trace(_ data: UInt16) -> SeccompAction {
        SeccompAction(rawValue: 0x7ff0_0000 | UInt32(data))
    }

    /// The action without its data.
    public var kind: SeccompAction { SeccompAction(rawValue: rawValue & 0xffff_0000) }

    /// The data: an error number, or what a tracer is told.
    public var data: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    /// Whether the call is made in the end, or a tracer decides: calls that nobody knows yet may then be left alone.
    var letsCallsThrough: Bool {
        kind == .allow || kind == .log || kind == .trace(0)
    }

    /// The largest error number that a call can answer with.
    public static let largestErrno: UInt32 = 4095

    static let named: [(name: String, action: SeccompAction)] = [
        ("KILL_PROCESS", .killProcess), ("KILL_THREAD", .killThread), ("KILL", .killThread), ("TRAP", .trap),
        ("ERRNO", SeccompAction(rawValue: 0x0005_0000)), ("NOTIFY", .notify), ("TRACE", .trace(0)), ("LOG", .log),
        ("ALLOW", .allow),
    ]

    /// Every name that ``init(name:data:)`` takes.
    public static var allNames: [String] { named.map { "SCMP_ACT_\($0.name)" } }

    /// An action by libseccomp's name, with or without `SCMP_ACT_`.
    ///
    /// - Parameters:
    ///   - name: such as `SCMP_ACT_ERRNO` or `ERRNO`.
    ///   - data: the error number of `ERRNO`, or what `TRACE` tells the tracer; `EPERM` for both when nil.
    /// - Throws: ``SeccompError/unknownAction(_:)``; ``SeccompError/dataNotTaken(action:)`` when another action is
    ///   given data; ``SeccompError/errnoOutOfRange(_:)``.
    public init(name: String, data: UInt32? = nil) throws(SeccompError) {
        let short = name.hasPrefix("SCMP_ACT_") ? String(name.dropFirst(9)) : name
        guard let known = Self.named.first(where: { $0.name == short })?.action else { throw .unknownAction(name) }
        guard short == "ERRNO" || short == "TRACE" else {
            if data != nil { throw .dataNotTaken(action: name) }
            self = known
            return
        }
        let data = data ?? UInt32(Errno.notPermitted.rawValue)
        guard data <= (short == "ERRNO" ? Self.largestErrno : 0xffff) else { throw .errnoOutOfRange(data) }
        self.init(rawValue: known.rawValue | data)
    }

    func requireValid() throws(SeccompError) {
        guard Self.named.contains(where: { $0.action == kind }) else { throw .unknownAction(description) }
        if kind.rawValue == 0x0005_0000, UInt32(data) > Self.largestErrno { throw .errnoOutOfRange(UInt32(data)) }
    }
}

extension SeccompAction: CustomStringConvertible {
    /// The name in short: `ALLOW`, `ERRNO(EPERM)`, `TRACE(7)`.
    public var description: String {
        guard let name = Self.named.first(where: { $0.action == kind })?.name else {
            return "0x\(String(rawValue, radix: 16)) (unknown: kills the process)"
        }
        switch name {
        case "ERRNO": return "ERRNO(\(Errno(rawValue: CInt(data)).name))"
        case "TRACE": return "TRACE(\(data))"
        default: return data == 0 ? name : "\(name)(\(data))"
        }
    }
}
