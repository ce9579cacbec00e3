import Launch
import Linux

func launch(_ plan: LaunchPlan) throws(ContainerError) -> LaunchedProcess {
    do throws(LaunchError) { return try plan.launch() } catch { throw ContainerError(error) }
}

extension ContainerError {
    /// What a launch failed at, in the words by which clients of runc tell a missing program from a forbidden one.
    init(_ error: LaunchError) {
        guard case .operation(_, let operation) = error.stage else {
            self.init(error.hookStatus == nil ? .system : .hook, error.description)
            return
        }
        switch operation {
        case .findExecutable(let name, _): self.init(notFound: name, error.errno)
        case .execute(let arguments, _): self.init(notExecuted: arguments.first ?? "", error.errno)
        case .hook(let hook): self.init(.hook, "hook \(quoted(hook.path)): \(error.outcome)")
        case .changeDirectory(let path): self.init(.system, "process.cwd: enter \(quoted(path)): \(error.errno)")
        // Of the files that a plan writes, those of a sysctl are the document's.
        case .writeFile(_, let path, let text, _) where path.hasPrefix("sys/"):
            self.init(.system, "linux.sysctl.\(sysctlName(path)): write \(quoted(text)): \(error.errno)")
        case .resourceLimit where error.errno == .notPermitted:
            self.init(.system, "\(error): raising a hard limit needs CAP_SYS_RESOURCE")
        default: self.init(.system, error.description)
        }
    }

    private init(notFound name: String, _ errno: Errno) {
        switch errno {
        case .noSuchFileOrDirectory where !name.contains("/"):
            self.init(.programNotFound, "exec: \(quoted(name)): executable file not found in $PATH")
        case .noSuchFileOrDirectory, .notADirectory:
            self.init(.programNotFound, "exec: \(quoted(name)): no such file or directory (\(errno.name))")
        case .isADirectory:
            self.init(.programNotExecutable, "exec: \(quoted(name)): is a directory: permission denied (EISDIR)")
        case .permissionDenied:
            self.init(.programNotExecutable, "exec: \(quoted(name)): permission denied (EACCES)")
        default: self.init(.system, "exec: \(quoted(name)): \(errno)")
        }
    }

    init(notExecuted name: String, _ errno: Errno) {
        switch errno {
        case .noSuchFileOrDirectory:
            // It was found a moment ago: what is missing is its interpreter.
            self.init(
                .programNotFound,
                "exec: \(quoted(name)): no such file or directory (ENOENT): its interpreter is missing")
        case .permissionDenied:
            self.init(.programNotExecutable, "exec: \(quoted(name)): permission denied (EACCES)")
        case .execFormatError: self.init(.programNotExecutable, "exec: \(quoted(name)): exec format error (ENOEXEC)")
        default: self.init(.system, "exec: \(quoted(name)): \(errno)")
        }
    }
}

/// The usual name of a sysctl's file below `/proc`. A dot within a part, as in `net/ipv4/conf/eth0.1/forwarding`, is
/// written as a slash (sysctl(8)).
private func sysctlName(_ path: String) -> String {
    String(path.dropFirst("sys/".count).map { $0 == "/" ? "." : $0 == "." ? "/" : $0 })
}

extension LaunchError {
    /// The end of a sentence about a hook.
    fileprivate var outcome: String {
        guard let hookStatus, hookStatus != 0 else {
            return errno == .timedOut ? "took longer than its timeout: killed" : errno.description
        }
        let signal = hookStatus & 0x7f
        return signal == 0 ? "exit status \(hookStatus >> 8)" : "ended by signal \(signal)"
    }
}
