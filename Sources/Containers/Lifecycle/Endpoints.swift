import CLinux
import Glibc
import Linux

/// Connects to a socket that the caller or the document names.
func connect(_ path: String, _ what: String) throws(ContainerError) -> Descriptor {
    do throws(SystemError) { return try UnixSocket.connect(to: path) } catch {
        throw ContainerError(error, during: what)
    }
}

/// Sends a pidfd to whoever listens at a path.
func send(_ process: borrowing ProcessDescriptor, to path: String) throws(ContainerError) {
    let socket = try connect(path, "pidfd socket")
    do throws(SystemError) {
        try UnixSocket.send(process.descriptor, with: Array("pidfd".utf8), over: socket)
    } catch { throw ContainerError(error, during: "pidfd socket") }
}

/// Writes a process's id where a caller waits for it: whole, or not at all.
func write(pid: pid_t, to path: String) throws(ContainerError) {
    let slash = path.lastIndex(of: "/")
    let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
    let new = (slash.map { String(path[...$0]) } ?? "") + ".\(name).new"
    do throws(SystemError) {
        try Descriptor.open(new, [.writeOnly, .create, .truncate], mode: 0o644).write("\(pid)")
        try systemCall("rename \(quoted(new))") { rename(new, path) }
    } catch { throw ContainerError(error, during: "write the pid file") }
}

/// Whether the descriptors that the program is to keep, from 3 on, are there.
func checkOpen(preserved count: Int) throws(ContainerError) {
    for number in 0..<CInt(clamping: count) where bh_fcntl(number + 3, F_GETFD, 0) < 0 {
        throw ContainerError(.system, "preserved descriptors: descriptor \(number + 3) is not open")
    }
}
