import CLinux
import Glibc
import Linux
import OCI

/// Runs a hook in the runtime's namespaces to its end, the container's state on its standard input.
///
/// - Throws: when it could not be run, took longer than its timeout, or ended with another status than 0.
func run(_ hook: Configuration.Hook, _ kind: String, state: JSON) throws(ContainerError) {
    let name = "\(kind) hook \(quoted(hook.path))"
    let status: ExitStatus?
    do throws(SystemError) { status = try runToEnd(hook, input: state.encodedBytes()) } catch {
        throw ContainerError(.hook, "\(name): \(error)")
    }
    switch status {
    case .exited(0): return
    case .exited(let code): throw ContainerError(.hook, "\(name): exit status \(code)")
    case .signaled(let signal): throw ContainerError(.hook, "\(name): ended by signal \(signal)")
    case nil: throw ContainerError(.hook, "\(name): took longer than its timeout of \(hook.timeout ?? 0) s: killed")
    }
}

/// - Returns: nil when it was killed for taking too long, with all that it had started.
private func runToEnd(_ hook: Configuration.Hook, input: [UInt8]) throws(SystemError) -> ExitStatus? {
    let pipe = try Pipe()
    let pid = try spawn(hook, input: pipe.readEnd.rawValue)
    // The group holds what the hook has forked; its number is safe until the hook is reaped.
    func end() {
        _ = kill(-pid, SIGKILL)
        _ = waitpid(pid, nil, 0)
    }
    let process: ProcessDescriptor
    do throws(SystemError) { process = try ProcessDescriptor(pid: pid) } catch {
        end()
        throw error
    }
    feed(input, to: pipe.takeWriteEnd())
    let milliseconds = hook.timeout.map { CInt(clamping: $0 * 1000) } ?? -1
    if try process.waitForExit(timeoutMilliseconds: milliseconds) { return try process.wait() }
    end()
    return nil
}

/// A state is far smaller than a pipe, so this never waits for the hook to read; whether it reads is its own matter.
private func feed(_ bytes: [UInt8], to end: consuming Descriptor) {
    let before = signal(SIGPIPE, bh_ignored())
    defer { signal(SIGPIPE, before) }
    let number = end.rawValue
    _ = bh_fcntl(number, F_SETFL, CLong(O_NONBLOCK))
    _ = bytes.withUnsafeBytes { Glibc.write(number, $0.baseAddress, $0.count) }
}

/// posix_spawn(3) in a session and with an environment of the hook's own; nothing of the runtime's stays open in it but
/// 1 and 2, whatever else in this process leaves descriptors inheritable.
private func spawn(_ hook: Configuration.Hook, input: CInt) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    bh_spawn_close_from(&actions, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The runtime may block the signals that it forwards; a hook must not inherit that.
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | bh_spawn_setsid())
    let arguments = hook.args.isEmpty ? [hook.path] : hook.args
    var pid: pid_t = 0
    let failure = withCStrings(arguments) { arguments in
        withCStrings(hook.env) { environment in
            posix_spawn(&pid, hook.path, &actions, &attributes, arguments, environment)
        }
    }
    if failure != 0 { throw SystemError("run", Errno(rawValue: failure)) }
    return pid
}

private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = strings.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
}
