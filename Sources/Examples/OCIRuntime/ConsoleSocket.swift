import Glibc
import Linux

/// A Unix socket of this program's own, at which a container's terminal arrives; it goes when this value does.
struct ConsoleSocket: ~Copyable {
    private let directory: String
    private let listener: Descriptor

    /// Where the socket is.
    var path: String { "\(directory)/console" }

    init() throws(Failure) {
        // A socket's address holds 107 bytes, so the directory's path has to be short; nobody else may enter it.
        let places = [environmentVariable("XDG_RUNTIME_DIR"), "/run", "/tmp"].compactMap { $0 }
        var failure = Errno.noSuchFileOrDirectory
        for place in places where place.utf8.count < 70 {
            var template = Array("\(place)/bulkhead-XXXXXX".utf8CString)
            guard mkdtemp(&template) != nil else {
                failure = .current
                continue
            }
            let made = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            do throws(SystemError) { listener = try UnixSocket.listen(at: "\(made)/console") } catch {
                rmdir(made)
                throw Failure("\(error)")
            }
            directory = made
            return
        }
        throw Failure("\(SystemError("make a directory for the console socket", failure))")
    }

    deinit {
        unlink("\(directory)/console")
        rmdir(directory)
    }

    /// The terminal's master, which has been sent by now.
    func receiveMaster() throws(Failure) -> Descriptor {
        try waitForConnection()
        let connection = try attemptCall(try UnixSocket.accept(on: listener))
        var master: Descriptor?
        _ = try attemptCall(try UnixSocket.receive(from: connection, descriptor: &master))
        guard let master = master.take() else { throw Failure("the container's terminal did not arrive") }
        return master
    }

    private func waitForConnection() throws(Failure) {
        var entry = pollfd(fd: listener.rawValue, events: Int16(POLLIN), revents: 0)
        let count = try attemptCall(try systemCall("poll") { poll(&entry, 1, 5000) })
        guard count == 1 else { throw Failure("the container's terminal did not arrive") }
    }
}
