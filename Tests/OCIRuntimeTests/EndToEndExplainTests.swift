import Glibc
import Linux
import OCI
import TestSupport
import Testing

/// A start that explains itself.
@Suite struct EndToEndExplainTests {
    @Test(.needs(.root), arguments: ["create", "run"]) func explainRunsNothing(_ command: String) throws {
        let client = try Client(["sleep", "1000"])
        client.configuration.linux.sysctl = ["net.ipv4.ip_forward": "1"]
        client.configuration.hooks.createRuntime = [.init(path: "\(client.folder)/hook-that-is-not-run")]
        try client.write()
        let steps = try client.succeed(command, "--explain", client.id).split(separator: "\n").map(String.init)
        // One step of each kind, in the order in which they must happen.
        var rest = steps[...]
        for wanted in [
            "make directory \"\(client.stateRoot)/\(client.id)\"", "make cgroup \"\(client.cgroup)\"", "clone",
            "hostname", "ip_forward", "\"/proc\"", "\"/dev/null\"", "run createRuntime hook", "mask \"/proc/kcore\"",
            "the root and drop the old",
            "bound capabilities", "close every descriptor", "execute \"sleep\" \"1000\"",
        ] {
            let index = rest.firstIndex { $0.contains(wanted) }
            #expect(index != nil, "\(wanted), in this place")
            if let index { rest = rest[(index + 1)...] }
        }
        #expect(access(client.stateRoot, F_OK) != 0)
        try client.expectNothingLeft()
    }

    @Test func explainNeedsNoRoot() throws {
        let client = try Client()
        try client.write()
        #expect(try client.run("create", "--explain", client.id).status == 0)
    }

    @Test(.needs(.root)) func traceTellsTheTimeOfEachStep() throws {
        let client = try Client(["echo", "hello"])
        try client.write()
        let explained = try client.succeed("run", "--explain", client.id).split(separator: "\n")
        let outcome = try client.run("run", "--trace", client.id)
        #expect(outcome.status == 0)
        #expect(outcome.out == "hello\n")
        let lines = outcome.errLines
        #expect(lines.first?.hasSuffix("µs  step") == true)
        #expect(lines.last?.hasSuffix("  total") == true)
        let times = lines.dropFirst().compactMap { line in
            line.split(separator: " ", maxSplits: 1).first.flatMap { Double($0) }
        }
        #expect(times.count == lines.count - 1, "a line without a time")
        let total = times.last ?? 0
        #expect(abs(times.dropLast().reduce(0, +) - total) < Double(times.count), "the sum is \(total)")
        #expect(times.count > 30 && times.count <= explained.count + 1)
        #expect(lines.contains { $0.hasSuffix("execute \"echo\" \"hello\"") })
        try client.expectNothingLeft()
    }
}
