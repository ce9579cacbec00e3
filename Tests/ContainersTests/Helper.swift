import Glibc
import Linux

/// The runtime in a process of its own: `bulkhead-test-helper`, which lies beside the test binary.
struct Helper {
    let pid: pid_t
    private let output: CInt

    /// - Parameter descriptors: what it gets as descriptors from 3 on.
    init(_ command: String, _ bundle: TestBundle, _ values: [String] = [], descriptors: [CInt] = []) throws {
        let pipe = try Pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // Out of the way of the numbers that are asked for.
        var copies: [CInt] = []
        for descriptor in descriptors { copies.append(fcntl(descriptor, F_DUPFD_CLOEXEC, 100)) }
        let end = fcntl(pipe.writeEnd.rawValue, F_DUPFD_CLOEXEC, 100)
        defer { for copy in copies + [end] { close(copy) } }
        posix_spawn_file_actions_adddup2(&actions, end, 1)
        posix_spawn_file_actions_adddup2(&actions, end, 2)
        for (index, copy) in copies.enumerated() { posix_spawn_file_actions_adddup2(&actions, copy, CInt(index) + 3) }

        let arguments = [Self.path, command, bundle.folder, bundle.id, bundle.runtime.stateRoot, "given=\(descriptors.count)"] + values
        var pid: pid_t = 0
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        let failure = pointers.withUnsafeMutableBufferPointer {
            posix_spawn(&pid, Self.path, &actions, nil, $0.baseAddress!, environ)
        }
        guard failure == 0 else { throw SystemError("run \(Self.path)", Errno(rawValue: failure)) }
        self.pid = pid
        output = pipe.takeReadEnd().release()
    }

    /// Waits for its end. What it, but not what its containers wrote.
    func finish() throws -> (status: ExitStatus, output: String) {
        let status = try ProcessDescriptor(pid: pid).wait()
        let end = Descriptor(owning: output)
        // A container that it left behind may hold the other end open, so the end of the stream may not come.
        _ = fcntl(end.rawValue, F_SETFL, O_NONBLOCK)
        let bytes = (try? end.read(upTo: 65536)) ?? []
        return (status, String(decoding: bytes, as: UTF8.self))
    }

    static func run(
        _ command: String, _ bundle: TestBundle, _ values: [String] = [], descriptors: [CInt] = []
    ) throws -> (status: ExitStatus, output: String) {
        try Helper(command, bundle, values, descriptors: descriptors).finish()
    }

    private static let path: String = {
        let test = realpath("/proc/self/exe", nil)
        defer { free(test) }
        let path = test.map { String(cString: $0) } ?? ""
        return path[..<(path.lastIndex(of: "/") ?? path.startIndex)] + "/bulkhead-test-helper"
    }()
}
