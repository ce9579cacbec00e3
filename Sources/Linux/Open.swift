import CLinux

/// `open(2)` flags. `O_CLOEXEC` is always added.
public struct OpenFlags: OptionSet, Hashable, Sendable {
    public let rawValue: CInt
    @inlinable
    public init(rawValue: CInt) { self.rawValue = rawValue }

    public static let readOnly = OpenFlags(rawValue: O_RDONLY)
    public static let writeOnly = OpenFlags(rawValue: O_WRONLY)
    public static let readWrite = OpenFlags(rawValue: O_RDWR)
    public static let create = OpenFlags(rawValue: O_CREAT)
    public static let exclusive = OpenFlags(rawValue: O_EXCL)
    public static let truncate = OpenFlags(rawValue: O_TRUNC)
    public static let append = OpenFlags(rawValue: O_APPEND)
    public static let nonBlocking = OpenFlags(rawValue: O_NONBLOCK)
    public static let directory = OpenFlags(rawValue: O_DIRECTORY)
    public static let noFollow = OpenFlags(rawValue: O_NOFOLLOW)
    public static let noControllingTerminal = OpenFlags(rawValue: O_NOCTTY)
    /// A place in the file system, without access to the file itself.
    public static let path = OpenFlags(rawValue: O_PATH)
    public static let temporaryFile = OpenFlags(rawValue: 0x400000 | O_DIRECTORY)
}

/// How a path is resolved; `openat2(2)`, `RESOLVE_*`.
public struct ResolveFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt64
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Never cross a mount point, bind mounts included.
    public static let noCrossDevice = ResolveFlags(rawValue: UInt64(RESOLVE_NO_XDEV))
    /// Never follow a magic link such as `/proc/self/exe`.
    public static let noMagicLinks = ResolveFlags(rawValue: UInt64(RESOLVE_NO_MAGICLINKS))
    /// Never follow a symbolic link.
    public static let noSymbolicLinks = ResolveFlags(rawValue: UInt64(RESOLVE_NO_SYMLINKS))
    /// Refuse to leave the starting directory.
    public static let beneath = ResolveFlags(rawValue: UInt64(RESOLVE_BENEATH))
    /// Treat the starting directory as `/`, for absolute links and `..` alike.
    public static let inRoot = ResolveFlags(rawValue: UInt64(RESOLVE_IN_ROOT))
}

extension Descriptor {
    /// Opens a path from the current directory; `openat(2)`.
    public static func open(
        _ path: String, _ flags: OpenFlags, mode: mode_t = 0
    ) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try systemCall("open \(quoted(path))") {
                unsafe bh_openat(AT_FDCWD, path, flags.rawValue | O_CLOEXEC, mode)
            })
    }

    /// Opens a path from a directory; `openat2(2)`.
    ///
    /// With ``ResolveFlags/inRoot`` the directory is the root of every step of the resolution, so no link inside an
    /// untrusted tree leads out of it. The kernel answers `EAGAIN` when it cannot prove that a concurrent rename
    /// did not lead out; the call is then made again, up to 128 times.
    public func open(
        _ path: String, _ flags: OpenFlags, mode: mode_t = 0, resolve: ResolveFlags = []
    ) throws(SystemError) -> Descriptor {
        let directory = rawValue
        var attempts = 0
        while true {
            do throws(SystemError) {
                let number = try systemCall("openat2 \(quoted(path))") {
                    unsafe bh_openat2(
                        directory, path, UInt64(UInt32(bitPattern: flags.rawValue | O_CLOEXEC)), UInt64(mode),
                        resolve.rawValue)
                }
                return Descriptor(owning: number)
            } catch {
                attempts += 1
                guard error.errno == .wouldBlock, !resolve.isDisjoint(with: [.inRoot, .beneath]), attempts < 128
                else { throw error }
            }
        }
    }

    /// Exchanges two entries of this directory, at once for whoever looks; `renameat2(2)`, `RENAME_EXCHANGE`.
    ///
    /// - Throws: `ENOENT` when either is not there, `EINVAL` where the file system can't.
    public func exchange(_ name: String, with other: String) throws(SystemError) {
        let directory = rawValue
        try systemCall("exchange \(quoted(name)) and \(quoted(other))") { unsafe bh_exchange(directory, name, other) }
    }
}

/// A path or name as error messages show it: in double quotes, control characters escaped.
public func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case _ where scalar.value < 0x20 || scalar.value == 0x7f:
            result += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
