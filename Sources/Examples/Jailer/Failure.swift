import Cgroups
import Glibc
import Launch
import Linux

/// Why there is no jail: one line.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// What the kernel may refuse, with what was being done in front.
func attempt<Value: ~Copyable>(
    _ what: String? = nil, _ work: () throws(SystemError) -> Value
) throws(Failure) -> Value {
    do throws(SystemError) { return try work() } catch {
        throw Failure(what.map { "\($0): \(error)" } ?? error.description)
    }
}

/// What a cgroup's files may refuse.
func attemptCgroup<Value: ~Copyable>(_ work: () throws(CgroupError) -> Value) throws(Failure) -> Value {
    do throws(CgroupError) { return try work() } catch { throw Failure("--cgroup: \(error)") }
}

/// What a step of the launch may fail at.
func attemptLaunch<Value: ~Copyable>(_ work: () throws(LaunchError) -> Value) throws(Failure) -> Value {
    do throws(LaunchError) { return try work() } catch {
        // The kernel says the same of a file and of the loader that it names.
        if case .operation(_, .execute) = error.stage, error.errno == .noSuchFileOrDirectory {
            throw Failure("\(error): is it linked statically? There are no libraries in a jail")
        }
        throw Failure(error.description)
    }
}

/// Says what is wrong, in one line on standard error.
func complain(_ message: String) {
    let line = Array("bulkhead-jailer: \(message)\n".utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
