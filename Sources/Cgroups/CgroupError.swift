import CLinux
import Linux

/// What could not be done to which cgroup, and why. It reads as a sentence:
/// `write "1K" to memory.max of "/sys/fs/cgroup/x": invalid argument (EINVAL): bytes, or "max"`.
public struct CgroupError: Error, Hashable, Sendable {
    /// What was being done.
    public enum Operation: Hashable, Sendable {
        case find
        case open
        case create
        case remove
        case list
        /// Reading an interface file.
        case read
        /// Writing this value to an interface file.
        case write(String)
        case watch
        case kill
        case freeze
        case thaw
        /// Making controllers available to a cgroup's children.
        case enable(Controller)
        /// Handing the cgroup to another user.
        case delegate
        /// Loading a device program into the kernel; `BPF_PROG_LOAD`.
        case loadProgram
        /// Attaching, replacing, asking for or detaching device programs.
        case attachProgram
        case queryPrograms
        case detachProgram
    }

    /// Why it failed.
    public enum Cause: Hashable, Sendable {
        /// The kernel said so.
        case kernel(Errno)
        /// The file belongs to a controller that is not there.
        case controllerMissing(ControllerAbsence)
        /// The controller is there, the file is not: this kernel was built without it, or is older than it.
        case fileMissing(Controller)
        /// The kernel's text could not be understood.
        case malformed(String)
        /// The caller's value can't be meant; nothing was changed.
        case invalid(String)
        /// The new limit lies below what is in use; nothing was changed.
        case belowUsage(limit: UInt64, usage: UInt64)
        /// The state that was waited for did not come.
        case timedOut(milliseconds: CInt)
    }

    public var operation: Operation

    /// The cgroup's directory.
    public var path: String

    /// The interface file, where there is one.
    public var file: String?

    public var cause: Cause

    /// What the number alone does not say: the likely cause or what to do. For a program that the kernel's
    /// verifier refused, the verifier's log.
    public var hint: String?

    public init(
        _ operation: Operation, path: String, file: String? = nil, cause: Cause, hint: String? = nil
    ) {
        self.operation = operation
        self.path = path
        self.file = file
        self.cause = cause
        self.hint = hint
    }

    /// The kernel's number, or the nearest to it where the kernel was not asked.
    public var errno: Errno {
        switch cause {
        case .kernel(let errno): errno
        case .controllerMissing, .fileMissing: .noSuchFileOrDirectory
        case .malformed: Errno(rawValue: EBADMSG)
        case .invalid: .invalidArgument
        case .belowUsage: .busy
        case .timedOut: .timedOut
        }
    }

    /// The value that was being written.
    public var value: String? {
        if case .write(let value) = operation { value } else { nil }
    }

    /// One level's name must not lead elsewhere.
    static func checkLevel(_ name: String, of path: String) throws(CgroupError) {
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(0x2f), !name.utf8.contains(0) else {
            throw CgroupError(.open, path: path, cause: .invalid("\(quoted(name)) is no cgroup's name"))
        }
    }
}

extension CgroupError: CustomStringConvertible {
    public var description: String {
        "\(subject): \(cause)" + (hint.map { ": \($0)" } ?? "")
    }

    private var subject: String {
        let cgroup = quoted(path)
        let of = file.map { "\($0) of \(cgroup)" } ?? "cgroup \(cgroup)"
        return switch operation {
        case .find: "find the cgroup2 file system at \(cgroup)"
        case .open: "open \(of)"
        case .create: "create \(of)"
        case .remove: "remove \(of)"
        case .list: "list \(of)"
        case .read: "read \(of)"
        case .write(let value): "write \(quoted(value)) to \(of)"
        case .watch: "watch \(of)"
        case .kill: "kill every process of \(of)"
        case .freeze: "freeze \(of)"
        case .thaw: "thaw \(of)"
        case .enable(let controller): "enable the controller \(controller) below \(of)"
        case .delegate: "delegate \(of)"
        case .loadProgram: "load the device program"
        case .attachProgram: "attach the device program to \(of)"
        case .queryPrograms: "ask for the device programs of \(of)"
        case .detachProgram: "detach a device program from \(of)"
        }
    }
}

extension CgroupError.Cause: CustomStringConvertible {
    public var description: String {
        switch self {
        case .kernel(let errno): "\(errno)"
        case .controllerMissing(let absence): "\(absence)"
        case .fileMissing(let controller): "the controller \(controller) is there, but this kernel has no such file"
        case .malformed(let text): "the kernel's text \(quoted(text)) is not understood"
        case .invalid(let why): why
        case .belowUsage(let limit, let usage): "the new limit, \(limit) bytes, is below the usage, \(usage) bytes"
        case .timedOut(let milliseconds): "not done after \(milliseconds) ms"
        }
    }
}
