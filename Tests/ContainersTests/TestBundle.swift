import Containers
import Glibc
import Linux
import OCI

/// A bundle with Debian's static busybox as its root file system, in a temporary folder that goes with the value.
final class TestBundle {
    let folder: String
    let runtime: Runtime
    var configuration: Configuration
    private static let applets = [
        "sh", "true", "false", "cat", "echo", "id", "ls", "mkdir", "mknod", "mount", "sleep", "hostname", "dd", "stat",
        "readlink", "test", "touch", "ps", "grep", "kill", "pwd", "env", "wc", "ip", "chroot", "head", "od", "tty",
    ]

    init(_ arguments: [String] = ["true"]) throws {
        var template = Array("/tmp/bulkhead-test.XXXXXX".utf8CString)
        guard template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else {
            throw SystemError("mkdtemp", .current)
        }
        folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        chmod(folder, 0o755)
        runtime = Runtime(stateRoot: "\(folder)/state")
        configuration = Configuration.template()
        configuration.process?.terminal = false
        configuration.process?.args = arguments
        configuration.hostname = "compartment"
        for directory in [
            "rootfs", "rootfs/bin", "rootfs/etc", "rootfs/tmp", "rootfs/proc", "rootfs/sys", "rootfs/dev",
        ] {
            mkdir("\(folder)/\(directory)", 0o755)
        }
        try copy("/bin/busybox", to: "\(folder)/rootfs/bin/busybox")
        for applet in Self.applets { symlink("busybox", "\(folder)/rootfs/bin/\(applet)") }
    }

    deinit { removeTree(folder) }

    var options: CreateOptions { CreateOptions(bundle: folder) }

    func write() throws {
        let file = try Descriptor.open("\(folder)/config.json", [.writeOnly, .create, .truncate], mode: 0o644)
        try file.write(configuration.json.encodedBytes())
    }

    /// Runs the program to its end and returns what it wrote to its standard output.
    func run(_ id: String = "test") throws -> (status: ExitStatus, output: String) {
        try write()
        let pipe = try Pipe()
        let kept = try Descriptor(owning: systemCall("dup") { fcntl(1, F_DUPFD_CLOEXEC, 10) })
        dup2(pipe.writeEnd.rawValue, 1)
        defer { dup2(kept.rawValue, 1) }
        let creation = try runtime.prepareRun(id, options)
        try creation.start()
        dup2(kept.rawValue, 1)
        let reader = pipe.takeReadEnd()
        let output = String(decoding: try reader.readToEnd(), as: UTF8.self)
        let status = try creation.wait()
        try creation.container.delete()
        return (status, output)
    }
}

private func copy(_ source: String, to target: String) throws {
    let bytes = try readFile(source)
    try Descriptor.open(target, [.writeOnly, .create], mode: 0o755).write(bytes)
}

/// Removes a folder with all below it, never following a link.
func removeTree(_ path: String) {
    if let stream = opendir(path) {
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name == "." || name == ".." { continue }
            if unlink("\(path)/\(name)") != 0 { removeTree("\(path)/\(name)") }
        }
        closedir(stream)
    }
    rmdir(path)
}
