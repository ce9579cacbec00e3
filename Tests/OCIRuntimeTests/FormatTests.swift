import OCI
import Testing

@testable import bulkhead_oci

@Suite struct FormatTests {
    private var running: State {
        var state = State(id: "web", status: .running, pid: 42, bundle: "/srv/a-longer-bundle")
        state.rootfs = "/srv/a-longer-bundle/rootfs"
        state.created = "2026-11-23T20:09:12Z"
        state.owner = "root"
        return state
    }

    @Test func aStoppedContainersPIDIsZero() {
        let document = stateDocument(State(id: "x", status: .stopped, bundle: "/b"))
        #expect(document["pid"]?.integerValue(as: Int.self) == 0)
        #expect(document["owner"]?.stringValue == "")
        #expect(document["status"]?.stringValue == "stopped")
    }

    @Test func theTableIsRuncs() {
        let table = containerTable([running, State(id: "a-very-long-id", status: .stopped, bundle: "/b")])
        #expect(
            table == """
                ID               PID         STATUS      BUNDLE                 CREATED                OWNER
                web              42          running     /srv/a-longer-bundle   2026-11-23T20:09:12Z   root
                a-very-long-id   0           stopped     /b                                            

                """)
        #expect(containerTable([]) == "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n")
    }

    @Test func processesAreFoundByTheirColumn() throws {
        let listing = "UID   PID  PPID CMD\nroot   12     1 a 7\nroot    7    12 b 12\nroot  120     7 c\n"
        #expect(
            try processTable(listing, [7, 120]) == "UID   PID  PPID CMD\nroot    7    12 b 12\nroot  120     7 c\n")
        #expect(throws: Failure.self) { try processTable("USER CMD\n", [1]) }
        #expect(throws: Failure.self) { try processTable("", [1]) }
    }

    @Test func formats() throws {
        #expect(try listingFormat(nil) == .table)
        #expect(try listingFormat("json") == .json)
        #expect(throws: Failure.self) { try listingFormat("yaml") }
    }

    @Test func aTraceIsAlignedAndSummed() {
        let report = traceReport([("mount \"a\"", 1_234_567), ("exec", 900)])
        #expect(report == "    µs  step\n1234.5  mount \"a\"\n   0.9  exec\n1235.4  total\n")
    }

    @Test func logLines() throws {
        let time = timestamp(secondsSince1970: 1_000_000_000)
        #expect(time == "2001-09-09T01:46:40Z")
        #expect(
            Log.entry(.error, "a \"b\"", .json, time: time)
                == #"{"level":"error","msg":"a \"b\"","time":"2001-09-09T01:46:40Z"}"# + "\n")
        #expect(
            Log.entry(.warning, "a \"b\"", .text, time: time)
                == #"time="2001-09-09T01:46:40Z" level=warning msg="a \"b\"""# + "\n")
    }

    @Test func messagesStayOnOneLine() {
        #expect(oneLine("a\nb\u{1b}[31m") == "a b [31m")
        #expect(oneLine("grün") == "grün")
    }

    @Test func featuresDecodeAndTellTheTruth() throws {
        let features = try Features(json: runtimeFeatures().json.encodedBytes())
        #expect(features.ociVersionMin <= features.ociVersionMax)
        #expect(features.linux?.cgroup?.v2 == true && features.linux?.cgroup?.v1 == false)
        #expect(features.linux?.capabilities?.contains("CAP_SYS_ADMIN") == true)
        #expect(features.linux?.seccomp?.archs?.contains("SCMP_ARCH_X86_64") == true)
        #expect(features.mountOptions?.contains("rbind") == true)
        #expect(features.linux?.namespaces?.count == 8)
    }
}
