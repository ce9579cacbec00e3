import CLinux

/// An owned file descriptor: closed when the value ends, given up only by ``release()``.
///
/// Every function of this package that makes a descriptor makes it close-on-exec.
@frozen
public struct Descriptor: ~Copyable, Sendable {
    /// The number, still owned by this value: for system calls that this package does not wrap.
    /// It is valid only while the value lives.
    public let rawValue: CInt

    /// Takes ownership of an open descriptor.
    ///
    /// - Precondition: `rawValue` is not negative.
    public init(owning rawValue: CInt) {
        precondition(rawValue >= 0, "a descriptor is never negative")
        self.rawValue = rawValue
    }

    deinit { _ = closeDescriptor(rawValue) }

    /// Closes now and reports what the kernel said; `close(2)`.
    ///
    /// - Throws: `EIO`, `ENOSPC` and the like when earlier writes were lost. The descriptor is closed all the same.
    public consuming func close() throws(SystemError) {
        let number = release()
        // Never retried: Linux releases the number even when it answers EINTR.
        if closeDescriptor(number) == -1 {
            let error = Errno.current
            if error != .interrupted { throw SystemError("close descriptor \(number)", error) }
        }
    }

    /// Gives the number up: from here the caller closes it.
    public consuming func release() -> CInt {
        let number = rawValue
        discard self
        return number
    }

    /// A second descriptor of the same open file, close-on-exec; `fcntl(2)`, `F_DUPFD_CLOEXEC`.
    public func duplicate() throws(SystemError) -> Descriptor { try .duplicate(of: rawValue) }

    /// A second descriptor of an open file that somebody else owns, such as standard input; close-on-exec.
    ///
    /// - Parameters:
    ///   - number: the other's.
    ///   - first: The lowest number that the new one may have.
    /// - Throws: `EBADF` when it is not open, `EMFILE`.
    public static func duplicate(of number: CInt, from first: CInt = 0) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try systemCall("duplicate descriptor \(number)") {
                bh_fcntl(number, F_DUPFD_CLOEXEC, CLong(first))
            })
    }

    /// Whether `execve(2)` leaves the descriptor open; `fcntl(2)`, `F_SETFD`.
    public func setInheritable(_ inheritable: Bool) throws(SystemError) {
        let number = rawValue
        try systemCall("set FD_CLOEXEC on descriptor \(number)") {
            bh_fcntl(number, F_SETFD, inheritable ? 0 : CLong(FD_CLOEXEC))
        }
    }

    /// A path by which this process reaches the open file: `/proc/self/fd/N`.
    public var procPath: String { "/proc/self/fd/\(rawValue)" }
}

private func closeDescriptor(_ descriptor: CInt) -> CInt { CLinux.close(descriptor) }
