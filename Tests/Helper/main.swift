// A runtime of its own process, for tests that the test process cannot be the runtime for: those in which it dies,
// runs as somebody else, is given certain descriptors, or has its own descriptors and children counted.
//
//     bulkhead-test-helper COMMAND BUNDLE ID STATE-ROOT [NAME=VALUE]...

import CLinux
import Containers
import Glibc
import Linux

struct Arguments {
    let command, bundle, id, stateRoot: String
    private var values: [Substring: Substring] = [:]

    init?(_ arguments: [String]) {
        guard arguments.count >= 5 else { return nil }
        (command, bundle, id, stateRoot) = (arguments[1], arguments[2], arguments[3], arguments[4])
        for argument in arguments.dropFirst(5) {
            let parts = argument.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { values[parts[0]] = parts[1] }
        }
    }

    subscript(name: Substring) -> Substring? { values[name] }
    func number(_ name: Substring) -> Int? { self[name].flatMap { Int($0) } }

    var options: CreateOptions {
        var options = CreateOptions(bundle: bundle)
        options.preservedDescriptors = number("preserve") ?? 0
        #if DEBUG
            if let step = number("kill-step") { options.fault = .kill(step: step) }
            if let index = number("kill-operation") { options.fault = .killAfterOperation(index) }
            if let step = number("fail-step") { options.fault = .fail(step: step) }
            if let index = number("fail-operation") { options.fault = .failOperation(index, .ioError) }
        #endif
        return options
    }
}

func become(_ account: Substring) {
    let ids = account.split(separator: ":").compactMap { UInt32($0) }
    guard ids.count == 2, setgroups(0, nil) == 0, setgid(ids[1]) == 0, setuid(ids[0]) == 0 else {
        fatalError("become \(account): \(Errno.current)")
    }
    // As after a login: the files below /proc/self belong to the user again.
    _ = bh_prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
}

func entries(_ path: String) -> [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}

/// Ids of the processes whose parent this one is, zombies included.
func children() -> [String] {
    entries("/proc").filter { name in
        guard Int(name) != nil, let text = try? readText("/proc/\(name)/stat"), let end = text.lastIndex(of: ")") else {
            return false
        }
        return text[text.index(after: end)...].split(separator: " ").dropFirst().first == "\(getpid())"
    }
}

func runOnce(_ runtime: Runtime, _ arguments: Arguments) throws(ContainerError) -> ExitStatus {
    let creation = try runtime.prepareRun(arguments.id, arguments.options)
    try creation.start()
    let status = try creation.wait()
    try creation.container.delete()
    return status
}

/// Runs the document's process a second time, in the container that it makes.
func executeOnce(_ runtime: Runtime, _ arguments: Arguments) throws(ContainerError) -> ExitStatus {
    let creation = try runtime.prepareRun(arguments.id, arguments.options)
    try creation.start()
    do throws(ContainerError) {
        guard let process = try creation.container.configuration().process else { fatalError("no process") }
        let status = try creation.container.execute(process).wait()
        try creation.container.delete(force: true)
        return status
    } catch {
        try? creation.container.delete(force: true)
        throw error
    }
}

func execute(_ arguments: Arguments) throws(ContainerError) -> CInt {
    var runtime = Runtime(stateRoot: arguments.stateRoot)
    runtime.warn = { print("warning: \($0)") }
    switch arguments.command {
    case "create":
        _ = try runtime.create(arguments.id, arguments.options)
        return 0
    case "run":
        return try runOnce(runtime, arguments).shellCode
    case "exec":
        return try executeOnce(runtime, arguments).shellCode
    case "start":
        try runtime.container(arguments.id).start()
        return 0
    case "delete":
        try runtime.delete(arguments.id, force: true)
        return 0
    case "repeat":
        // Once before, for what the first time opens for good.
        _ = try? runOnce(runtime, arguments)
        let before = (entries("/proc/self/fd").count, children())
        for _ in 0..<(arguments.number("count") ?? 1) { _ = try? runOnce(runtime, arguments) }
        let after = (entries("/proc/self/fd").count, children())
        print("descriptors \(before.0) \(after.0) children \(before.1.count) \(after.1.count)")
        return 0
    default:
        print("unknown command \(arguments.command)")
        return 2
    }
}

guard let arguments = Arguments(CommandLine.arguments) else {
    print("usage: bulkhead-test-helper COMMAND BUNDLE ID STATE-ROOT [NAME=VALUE]...")
    exit(2)
}
// Whoever started it may have left more open than it meant to.
for number in 3 + CInt(arguments.number("given") ?? 0)..<256 { close(number) }
if let account = arguments["user"] { become(account) }
do throws(ContainerError) { exit(try execute(arguments)) } catch {
    print("\(error.kind): \(error.message)")
    exit(1)
}
