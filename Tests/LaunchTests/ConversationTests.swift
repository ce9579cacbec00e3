import Glibc
import Launch
import Linux
import TestSupport
import Testing

/// What parent and child tell each other, and what passes from one to the other.
@Suite struct ConversationTests {
    private func shell(_ script: String, output: borrowing Pipe, _ plan: inout LaunchPlan) {
        plan.append(.duplicate(.inherited(output.writeEnd.rawValue), to: 1))
        plan.append(.closeDescriptors(from: 3, keeping: []))
        plan.append(.findExecutable("/bin/sh", searchPath: []))
        plan.append(.execute(arguments: ["sh", "-c", script], environment: ["PATH=/bin:/usr/bin"]))
    }

    private func text(_ pipe: consuming Pipe) throws -> String {
        String(decoding: try pipe.takeReadEnd().readToEnd(), as: UTF8.self)
    }

    @Test func pointsAreReachedInOrder() throws {
        var plan = LaunchPlan()
        let slot = plan.makeSlot()
        plan.append(.synchronize(SyncPoint(rawValue: 7)))
        plan.append(.open(path: "/dev/zero", from: .workingDirectory, flags: .readOnly, resolve: [], into: slot))
        plan.append(.synchronize(SyncPoint(rawValue: 3), sending: .slot(slot)))
        let process = try plan.launch()
        #expect(try process.next() == .reached(SyncPoint(rawValue: 7)))
        #expect(try !process.process.hasExited())
        try process.proceed()
        var descriptor: Descriptor?
        #expect(try process.next(receiving: &descriptor) == .reached(SyncPoint(rawValue: 3)))
        let zero = try required(descriptor.take())
        #expect(try zero.read(upTo: 3) == [0, 0, 0])
        try process.proceed()
        #expect(try process.next() == .executed)
        // A plan without a program ends well when it has done its work.
        #expect(try process.wait() == .exited(0))
    }

    @Test func aChildWhoseParentIsGoneEnds() throws {
        var plan = LaunchPlan()
        plan.append(.synchronize(SyncPoint(rawValue: 1)))
        plan.append(.synchronize(SyncPoint(rawValue: 2)))
        let handle = try {
            let process = try plan.launch()
            try process.next()
            return try ProcessDescriptor(pid: process.pid)
        }()
        #expect(try handle.waitForExit(timeoutMilliseconds: 10_000))
        #expect(try handle.wait() == .exited(1))
    }

    @Test func theChildHoldsNothingItWasNotGiven() throws {
        let folder = try TemporaryFolder()
        let file = try Descriptor.open("\(folder.path)/lock", [.readWrite, .create], mode: 0o600)
        var plan = LaunchPlan()
        plan.append(.synchronize(SyncPoint(rawValue: 1)))
        plan.append(.closeDescriptors(from: 3, keeping: []))
        let process = try plan.launch()
        try process.next()
        // While it waits, long before it runs its program.
        let held = try names(in: "/proc/\(process.pid)/fd").map { link("/proc/\(process.pid)/fd/\($0)") }
        #expect(!held.contains("\(folder.path)/lock"))
        #expect(held.filter { $0.hasPrefix("socket:") }.count <= 1 + 3)
        withExtendedLifetime(file) {}
        try process.proceed()
        try process.waitUntilExecuted()
        _ = try process.wait()
    }

    @Test func aLaunchDoesNotWaitForAnother() throws {
        // The first waits with whatever it inherited, made before and after the second's channel.
        var waiting = LaunchPlan()
        waiting.append(.synchronize(SyncPoint(rawValue: 1)))
        waiting.append(.closeDescriptors(from: 3, keeping: []))
        let first = try waiting.launch()
        try first.next()
        var plan = LaunchPlan()
        plan.append(.closeDescriptors(from: 3, keeping: []))
        plan.append(.findExecutable("/bin/true", searchPath: []))
        plan.append(.execute(arguments: ["true"], environment: []))
        let second = try plan.launch()
        #expect(try second.next() == .executed)
        #expect(try second.wait() == .exited(0))
        try first.proceed()
        try first.waitUntilExecuted()
        _ = try first.wait()
    }

    @Test func descriptorsArriveAtTheirNumbersAndOthersDoNot() throws {
        let pipe = try Pipe()
        let seven = try Descriptor.open("/dev/zero", .readOnly)
        let other = try Descriptor.open("/dev/full", .readOnly)
        try other.setInheritable(true)
        var plan = LaunchPlan()
        plan.append(.duplicate(.inherited(seven.rawValue), to: 207))
        plan.append(.duplicate(.inherited(pipe.writeEnd.rawValue), to: 1))
        plan.append(.closeDescriptors(from: 3, keeping: [207]))
        plan.append(.findExecutable("/bin/sh", searchPath: []))
        plan.append(
            .execute(
                arguments: ["sh", "-c", "for f in /proc/$$/fd/*; do readlink $f; done; true"], environment: ["PATH=/bin:/usr/bin"]))
        let process = try plan.launch()
        try process.waitUntilExecuted()
        #expect(try process.wait() == .exited(0))
        let lines = try text(pipe).split(separator: "\n")
        #expect(lines.contains("/dev/zero"))
        #expect(!lines.contains("/dev/full"))
    }

    @Test func signalsAreAsAtTheStart() throws {
        let pipe = try Pipe()
        var plan = LaunchPlan()
        shell("grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status | tr -d '\\t'", output: pipe, &plan)
        let process = try plan.launch()
        try process.waitUntilExecuted()
        _ = try process.wait()
        let none = "0000000000000000"
        let signals = try text(pipe)
        #expect(signals == "SigBlk:\(none)\nSigIgn:\(none)\nSigCgt:\(none)\n")
    }

    @Test func timesAreTakenStepByStep() throws {
        var plan = LaunchPlan()
        plan.isTraced = true
        plan.append(.umask(0o22))
        plan.append(.hook(.init(path: "/bin/sleep", arguments: ["sleep", "0.05"], environment: [])))
        plan.append(.synchronize(SyncPoint(rawValue: 1)))
        plan.append(.changeDirectory("/"))
        let process = try plan.launch()
        try process.next()
        #expect(process.times().count == 2)
        #expect(process.times()[1] >= 50_000_000)
        #expect(process.times()[0] < process.times()[1])
        try process.proceed()
        try process.waitUntilExecuted()
        _ = try process.wait()
        #expect(process.times().count == 4)
        plan.isTraced = false
        let untraced = try plan.launch()
        try untraced.waitUntilExecuted()
        _ = try untraced.wait()
        #expect(untraced.times().isEmpty)
    }

    // Hooks.

    private func hook(_ script: String, timeout: Int? = nil, input: String = "") throws -> LaunchError? {
        var plan = LaunchPlan()
        plan.hookInput = Array(input.utf8)
        plan.append(
            .hook(
                .init(
                    path: "/bin/sh", arguments: ["sh", "-c", script], environment: ["PATH=/bin:/usr/bin"], timeout: timeout)))
        let process = try plan.launch()
        do throws(LaunchError) { try process.waitUntilExecuted() } catch { return error }
        let status = try process.wait()
        #expect(status == .exited(0))
        return nil
    }

    @Test func aHooksEndIsTheLaunchs() throws {
        #expect(try hook("exit 0") == nil)
        let failed = try hook("exit 9")
        #expect(failed?.hookStatus == 9 << 8)
        #expect(failed?.description == "operation 0: run hook \"/bin/sh\": exit status 9")
        let killed = try hook("kill -TERM $$")
        #expect(killed?.hookStatus == SIGTERM)
        #expect(killed?.description == "operation 0: run hook \"/bin/sh\": ended by signal 15")
        let start = ContinuousClock.now
        let late = try hook("exec sleep 100", timeout: 1)
        #expect(late?.errno == .timedOut)
        #expect(ContinuousClock.now - start < .seconds(10))
        #expect(try hook("exit 0", timeout: 0) == nil || ContinuousClock.now - start < .seconds(10))
        var plan = LaunchPlan()
        plan.append(.hook(.init(path: "/no/such/hook", arguments: ["hook"], environment: [])))
        let missing = #expect(throws: LaunchError.self) { try plan.launch().waitUntilExecuted() }
        #expect(missing?.description == "operation 0: run hook \"/no/such/hook\": no such file or directory (ENOENT)")
    }

    @Test func aHookReadsItsInput() throws {
        #expect(try hook("[ \"$(cat)\" = \"the state\" ]", input: "the state") == nil)
        // More than a pipe holds, whether it is read or not.
        let long = String(repeating: "x", count: 200_000)
        #expect(try hook("[ $(wc -c) = 200000 ]", input: long) == nil)
        #expect(try hook("exit 0", input: long) == nil)
        #expect(try hook("exec 0<&-; sleep 0.1", input: long) == nil)
        var plan = LaunchPlan()
        plan.hookInput = [UInt8](repeating: 0, count: 300_000)
        plan.append(.hook(.init(path: "/bin/true", arguments: ["true"], environment: [])))
        #expect(throws: LaunchError.self) { _ = try plan.launch() }
    }

    // The two-stage start.

    @Test func aWaitingProcessIsStartedByAnother() throws {
        let folder = try TemporaryFolder()
        let listener = try UnixSocket.listen(at: "\(folder.path)/start", .messages)
        let pipe = try Pipe()
        var plan = LaunchPlan()
        plan.append(.awaitStart(on: .inherited(listener.rawValue)))
        shell("echo started", output: pipe, &plan)
        let process = try plan.launch()
        #expect(try process.next() == .readyToStart)
        // One that leaves without a word starts nothing.
        try UnixSocket.connect(to: "\(folder.path)/start", .messages).close()
        usleep(20_000)
        #expect(try !process.process.hasExited())
        let peer = try StartPeer(connectingTo: "\(folder.path)/start")
        try peer.start()
        #expect(try process.wait() == .exited(0))
        #expect(try text(pipe) == "started\n")
    }

    @Test func whoStartsItIsToldWhatFails() throws {
        let folder = try TemporaryFolder()
        let listener = try UnixSocket.listen(at: "\(folder.path)/start", .messages)
        var plan = LaunchPlan()
        plan.append(.awaitStart(on: .inherited(listener.rawValue)))
        plan.append(.hook(.init(path: "/bin/false", arguments: ["false"], environment: [])), label: "the hook of the start")
        let process = try plan.launch()
        #expect(try process.next() == .readyToStart)
        let peer = try StartPeer(connectingTo: "\(folder.path)/start")
        let error = #expect(throws: LaunchError.self) { try peer.start() }
        #expect(error?.description == "operation 1: the hook of the start: exit status 1")
        #expect(try process.wait() == .exited(1))
    }
}

/// A folder that goes with the value.
final class TemporaryFolder {
    let path: String

    init() throws {
        var template = Array("/tmp/bulkhead-launch.XXXXXX".utf8CString)
        guard template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else {
            throw SystemError("mkdtemp", .current)
        }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit {
        for name in (try? names(in: path)) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

func names(in path: String) throws -> [String] {
    guard let stream = opendir(path) else { throw SystemError("list \(path)", .current) }
    defer { closedir(stream) }
    var result: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != "." && name != ".." { result.append(name) }
    }
    return result
}

func link(_ path: String) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let length = readlink(path, &buffer, buffer.count)
    return length < 0 ? "" : String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
