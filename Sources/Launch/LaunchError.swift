import Linux

/// What a launch failed at. It reads as a sentence:
/// `operation 17: make file system proc into slot 3: operation not permitted (EPERM)`.
public struct LaunchError: Error, Sendable {
    /// Where a launch can fail.
    public enum Stage: Sendable {
        /// Before or at `clone3(2)`, or in the parent's own part: in words.
        case parent(String)
        /// At a step of the plan.
        case operation(index: Int, Operation)
        /// At a step of a plan that this process has not got, in the words that came with it.
        case described(index: Int, String)
    }

    public var stage: Stage
    public var errno: Errno
    /// The kernel's or the file system's own words, where it had any.
    public var detail: String?
    /// The wait status of a hook that ran and failed.
    public var hookStatus: CInt?

    public init(_ stage: Stage, _ errno: Errno, detail: String? = nil, hookStatus: CInt? = nil) {
        self.stage = stage
        self.errno = errno
        self.detail = detail
        self.hookStatus = hookStatus
    }

    init(_ error: SystemError) {
        self.init(.parent(error.operation), error.errno, detail: error.hint)
    }

    /// The index of the operation that failed, if it was one.
    public var operationIndex: Int? {
        switch stage {
        case .parent: nil
        case .operation(let index, _), .described(let index, _): index
        }
    }
}

extension LaunchError: CustomStringConvertible {
    public var description: String {
        let what: String =
            switch stage {
            case .parent(let text): text
            case .operation(let index, let operation): "operation \(index): \(operation)"
            case .described(let index, let text): "operation \(index): \(text)"
            }
        if let hookStatus, hookStatus != 0 {
            let signal = hookStatus & 0x7f
            return signal == 0 ? "\(what): exit status \(hookStatus >> 8)" : "\(what): ended by signal \(signal)"
        }
        return "\(what): \(errno)" + (detail.map { ": \($0)" } ?? "")
    }
}
