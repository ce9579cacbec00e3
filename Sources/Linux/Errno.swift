import CLinux

/// A kernel error number, `errno(3)`. A number newer than this library survives a round trip.
public struct Errno: RawRepresentable, Hashable, Sendable, Error {
    public let rawValue: CInt

    @inlinable
    public init(rawValue: CInt) { self.rawValue = rawValue }

    /// The calling thread's `errno`, to be read directly after the call that failed.
    public static var current: Errno { Errno(rawValue: bh_errno()) }

    public static let notPermitted = Errno(rawValue: EPERM)
    public static let noSuchFileOrDirectory = Errno(rawValue: ENOENT)
    public static let noSuchProcess = Errno(rawValue: ESRCH)
    public static let interrupted = Errno(rawValue: EINTR)
    public static let ioError = Errno(rawValue: EIO)
    public static let argumentListTooLong = Errno(rawValue: E2BIG)
    public static let execFormatError = Errno(rawValue: ENOEXEC)
    public static let badDescriptor = Errno(rawValue: EBADF)
    public static let noChildProcess = Errno(rawValue: ECHILD)
    public static let wouldBlock = Errno(rawValue: EAGAIN)
    public static let noMemory = Errno(rawValue: ENOMEM)
    public static let permissionDenied = Errno(rawValue: EACCES)
    public static let busy = Errno(rawValue: EBUSY)
    public static let fileExists = Errno(rawValue: EEXIST)
    public static let crossDevice = Errno(rawValue: EXDEV)
    public static let noSuchDevice = Errno(rawValue: ENODEV)
    public static let notADirectory = Errno(rawValue: ENOTDIR)
    public static let isADirectory = Errno(rawValue: EISDIR)
    public static let invalidArgument = Errno(rawValue: EINVAL)
    public static let noSpace = Errno(rawValue: ENOSPC)
    public static let readOnlyFileSystem = Errno(rawValue: EROFS)
    public static let brokenPipe = Errno(rawValue: EPIPE)
    public static let outOfRange = Errno(rawValue: ERANGE)
    public static let nameTooLong = Errno(rawValue: ENAMETOOLONG)
    public static let noSystemCall = Errno(rawValue: ENOSYS)
    public static let directoryNotEmpty = Errno(rawValue: ENOTEMPTY)
    public static let tooManySymbolicLinks = Errno(rawValue: ELOOP)
    public static let notSupported = Errno(rawValue: EOPNOTSUPP)
    public static let timedOut = Errno(rawValue: ETIMEDOUT)
    public static let connectionReset = Errno(rawValue: ECONNRESET)

    /// The constant's name, such as `EPERM`; `errno 4095` for a number without one.
    public var name: String {
        guard let text = unsafe bh_errno_name(rawValue) else { return "errno \(rawValue)" }
        return unsafe String(cString: text)
    }
}

extension Errno: CustomStringConvertible {
    /// A sentence's end: `operation not permitted (EPERM)`.
    public var description: String {
        guard let text = unsafe bh_errno_description(rawValue) else { return "error number \(rawValue)" }
        let words = unsafe String(cString: text)
        // glibc capitalises the first word, but leaves names such as "RFS" and ".lib" alone.
        guard let first = words.first, first.isUppercase, words.dropFirst().first?.isLowercase == true else {
            return "\(words) (\(name))"
        }
        return "\(first.lowercased())\(words.dropFirst()) (\(name))"
    }
}
