import Glibc
import Linux
import OCI

/// A bundle's directory and document, read and checked.
struct Bundle {
    /// Absolute, without links.
    let path: String
    /// Absolute.
    let rootfs: String
    let document: [UInt8]
    let configuration: Configuration

    init(_ path: String) throws(ContainerError) {
        guard let resolved = realpath(path, nil) else {
            throw ContainerError(.badDocument, "bundle \(quoted(path)): \(Errno.current)")
        }
        self.path = String(cString: resolved)
        free(resolved)
        let file = "\(self.path)/config.json"
        do throws(SystemError) { document = try readFile(file) } catch {
            throw ContainerError(.badDocument, "\(file): \(error.errno)")
        }
        do throws(DocumentError) { configuration = try Configuration(json: document) } catch {
            throw ContainerError(.badDocument, "\(file): \(error)")
        }
        rootfs = absolute(configuration.root.path, in: self.path)
        var status = stat()
        guard stat(rootfs, &status) == 0 else {
            throw ContainerError(.badDocument, "config.json: root.path: \(quoted(rootfs)): \(Errno.current)")
        }
        guard status.st_mode & mode_t(S_IFMT) == mode_t(S_IFDIR) else {
            throw ContainerError(.badDocument, "config.json: root.path: \(quoted(rootfs)) is not a directory")
        }
    }

    func checkTerminal(_ options: CreateOptions) throws(ContainerError) {
        let wanted = configuration.process?.terminal == true
        if wanted && options.consoleSocket == nil {
            throw ContainerError(
                .badDocument, "config.json: process.terminal: a terminal needs a console socket to send it to")
        }
        if !wanted && options.consoleSocket != nil {
            throw ContainerError(
                .badDocument, "config.json: process.terminal: false, so the console socket would get nothing")
        }
    }
}
