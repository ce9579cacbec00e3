import Linux
import OCI
import TestSupport
import Testing

/// `bulkhead doctor` as a newcomer runs it.
@Suite struct EndToEndDoctorTests {
    @Test func oneScreen() throws {
        let outcome = try run("doctor")
        #expect(outcome.err == "")
        #expect(outcome.outLines.count <= 40 && outcome.outLines.count > 10)
        #expect(outcome.outLines.allSatisfy { $0.count <= 100 }, "wider than a screen")
        #expect(!outcome.out.contains("\u{1b}"), "colours in a file")
        #expect(outcome.outLines.first?.hasPrefix("Linux ") == true)
        // The exit status says what the marks do.
        let lacksSomething = outcome.outLines.contains { $0.hasPrefix("  no* ") }
        #expect(outcome.status == (lacksSomething ? 1 : 0))
        // Under each no stands what to do about it.
        for (line, next) in zip(outcome.outLines, outcome.outLines.dropFirst()) where line.hasPrefix("  no") {
            #expect(next.contains("→"), "\(line)")
        }
    }

    @Test func asJSON() throws {
        let outcome = try run("doctor", "--json")
        let report = try JSON(parsing: outcome.out)
        let checks = report["checks"]?.arrayValue ?? []
        #expect(checks.count > 10)
        let lacksSomething = checks.contains {
            $0["essential"]?.boolValue == true && $0["status"]?.stringValue == "no"
        }
        #expect(report["healthy"]?.boolValue == !lacksSomething)
        #expect(outcome.status == (lacksSomething ? 1 : 0))
    }

    // What the test machine is for.
    @Test(.needs(.testVM)) func theTestMachineIsHealthy() throws {
        let outcome = try run("doctor")
        #expect(outcome.status == 0, "\(outcome.out)")
    }

    @Test func commandLines() throws {
        let help = try run("--help")
        #expect(help.status == 0 && help.out.hasPrefix("usage: bulkhead doctor"))
        #expect(try run("doctor", "--help").status == 0)
        for (words, message) in [
            ([], "no command"), (["nosuch"], "unknown command"), (["doctor", "--nosuch"], "unknown option"),
        ] {
            let outcome = try run(words)
            #expect(outcome.status == 2)
            #expect(outcome.out == "")
            #expect(outcome.errLines.count == 1 && outcome.err.contains(message), "\(outcome.err)")
        }
    }

    private func run(_ words: String...) throws -> Client.Outcome { try run(words) }

    private func run(_ words: [String]) throws -> Client.Outcome {
        let folder = try temporaryFolder()
        defer { removeTree(folder) }
        return try RunningProgram([try builtProgram("bulkhead")] + words, folder: folder).finish()
    }
}
