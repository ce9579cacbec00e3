/// A refusal by the kernel: which operation, on what, and why. It reads as a sentence:
/// `mount "proc" on "/proc": operation not permitted (EPERM): the user namespace does not own this pid namespace`.
public struct SystemError: Error, Hashable, Sendable {
    /// The operation and its important arguments, as in `openat2 "etc/passwd"`.
    public var operation: String

    /// What the kernel answered.
    public var errno: Errno

    /// What the number alone does not say, where it is known: the likely cause or what to do.
    public var hint: String?

    public init(_ operation: String, _ errno: Errno, hint: String? = nil) {
        self.operation = operation
        self.errno = errno
        self.hint = hint
    }

    /// The same refusal, seen from the wider operation that it ended.
    public func during(_ wider: String) -> SystemError {
        SystemError("\(wider): \(operation)", errno, hint: hint)
    }
}

extension SystemError: CustomStringConvertible {
    public var description: String {
        "\(operation): \(errno)" + (hint.map { ": \($0)" } ?? "")
    }
}

/// Makes a system call and turns -1 into a throw. A call that a signal interrupted is made again.
///
/// The operation's text is built only on failure, after `errno` was read.
@inlinable
@discardableResult
public func systemCall<Result: SignedInteger>(
    _ operation: @autoclosure () -> String, _ call: () -> Result
) throws(SystemError) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error == .interrupted { continue }
        throw SystemError(operation(), error)
    }
}
