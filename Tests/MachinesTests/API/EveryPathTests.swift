#if arch(x86_64)
    import Glibc
    import Linux
    import OCI
    import TestSupport
    import Testing

    @testable import bulkhead_vm

    // In the suite of machines, so that they run one after the other.
    extension MachineTests {
        /// Every method of every path in every state of a monitor, with good bodies and bad ones, by curl.
        @Suite(.needs(.program("curl")), .serialized) struct EveryPathTests {
            @Test(.needs(.kvm), .needs(.root)) func everyRequestIsAnsweredAsFirecrackerDoes() throws {
                let folder = Scratch()
                for name in ["metrics", "serial", "state.paused", "memory.paused", "state.restored", "memory.restored"]
                {
                    _ = try folder.file(name, [])
                }
                _ = try folder.file("kernel", TestELF(code: [0xf4, 0xeb, 0xfd]).bytes)
                _ = try folder.file("large", [UInt8](repeating: 0x20, count: 51_201))
                for name in ["disk", "memory"] { _ = try folder.hole(name, size: 4096) }

                let first = try Client(folder, tap: "bh\(getpid())")
                for state in [MonitorState.notStarted, .running, .paused] { try first.askEverything(in: state) }

                let second = try Client(folder, tap: "bh\(getpid())")
                let load =
                    #"{"snapshot_path": "$DIR/state.paused", "mem_backend": {"backend_type": "File", "#
                    + #""backend_path": "$DIR/memory.paused"}, "vsock_override": {"uds_path": "$DIR/vsock2"}, "#
                    + #""network_overrides": [{"iface_id": "n", "host_dev_name": "$TAP"}]}"#
                try second.ask([("PUT", "/snapshot/load", load, .done, false)], in: .notStarted)
                for state in [MonitorState.restored, .resumed] { try second.askEverything(in: state) }

                for client in [first, second] {
                    client.api.monitor.signal(SIGTERM)
                    #expect(try client.api.monitor.finish().status == 128 + SIGTERM)
                }
                let line = try #require(try readText("\(folder.path)/metrics").split(separator: "\n").first)
                let metrics = try JSON(parsing: String(line))
                #expect(metrics["id"] == "anonymous-instance" && metrics["properties"] == ["owner": "test"])
            }

            /// A path that is new in the monitor is new in the table.
            @Test func theTableIsComplete() throws {
                let sources =
                    "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
                    + "/Sources/Examples/MicroVM/API"
                var reached: Set<String> = []
                for endpoint in everyEndpoint {
                    let method = try #require(HTTPRequest.Method(rawValue: endpoint.method))
                    let request = HTTPRequest(method, endpoint.place, body: endpoint.body.map { Array($0.utf8) })
                    reached.insert(String("\(try Route(request).action)".prefix { $0 != "(" }))
                }
                // Each action has a request that asks for it.
                let actions = try readText("\(sources)/Action.swift").split(separator: "\n").compactMap { line in
                    let words = line.split(separator: " ")
                    return words.first == "case" ? String(words[1].prefix { $0 != "(" }) : nil
                }
                #expect(actions.count > 30 && Set(actions) == reached)

                // And each name that the router knows is a part of a path with that method.
                let places = everyEndpoint.map { ($0.method, Set($0.place.split(separator: "/").map(String.init))) }
                var method: Substring = ""
                var names = 0
                for line in try readText("\(sources)/Route.swift").split(separator: "\n") {
                    if line.contains("MARK:") { method = "" }
                    if let start = line.firstRange(of: "private static func ") {
                        method = line[start.upperBound...].prefix { $0 != "(" }
                    }
                    let methods = [
                        "get": "GET", "put": "PUT", "patch": "PATCH", "delete": "DELETE", "hinting": "PATCH",
                    ]
                    guard let method = methods[String(method)], line.contains("case ") else { continue }
                    let pattern = line.split(separator: ":")[0]
                    for name in pattern.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
                    where name.offset % 2 == 1 && !name.element.isEmpty {
                        names += 1
                        #expect(
                            places.contains { $0.0 == method && $0.1.contains(String(name.element)) },
                            "\(method) \(name.element)")
                    }
                }
                #expect(names > 40)
            }
        }
    }

    /// A monitor, and what is asked of it.
    private final class Client {
        typealias Case = (method: String, path: String, body: String?, expected: Expected, isDeprecated: Bool)

        let api: APIClient
        private let folder: Scratch
        private let tap: String

        init(_ folder: Scratch, tap: String) throws {
            (self.folder, self.tap) = (folder, tap)
            api = try APIClient("--accept-emulation")
        }

        /// What ends the state comes last.
        func askEverything(in state: MonitorState) throws {
            #expect(try api("GET", "/").json()["state"]?.stringValue == state.name, "\(state)")
            let staying = everyEndpoint.filter { !$0.ends.contains(state) }
            try ask(staying.map(good(state)), in: state)
            try ask(try bad(state), in: state)
            try ask(oddPlaces.map { ($0.method, $0.path, $0.body, $0.expected, false) }, in: state)
            try ask(everyEndpoint.filter { $0.ends.contains(state) }.map(good(state)), in: state)
        }

        private func good(_ state: MonitorState) -> (Endpoint) -> Case {
            { ($0.method, $0.place, $0.body, $0.expected(in: state), $0.isDeprecated) }
        }

        /// What means nothing in any state.
        private func bad(_ state: MonitorState) throws -> [Case] {
            var cases: [Case] = []
            func add(_ method: String, _ path: String, _ body: String?, _ expected: Expected) {
                cases.append((method, path, body, expected, false))
            }
            let tooLarge = Expected.error(
                "Request payload with size 51201 is larger than the limit of 51200 allowed by server.\n")
            for endpoint in everyEndpoint {
                let (method, place) = (endpoint.method, endpoint.place)
                switch method {
                case "GET": add(method, place, "{}", .fault("GET request cannot have a body."))
                case "DELETE": add(method, place, "{}", .fault("Empty Delete request."))
                default:
                    if !endpoint.mayBeEmpty { add(method, place, nil, .fault("Empty \(method) request.")) }
                    add(method, place, "@$DIR/large", tooLarge)
                }
                guard let shape = endpoint.shape, let body = endpoint.body.map({ filled($0, state) }) else { continue }
                for (body, message) in try shape.wrong(of: body) { add(method, place, body, badBody(message)) }
                if let id = shape.id {
                    let (here, there) = (endpoint.id ?? "", "another")
                    add(
                        method, "\(endpoint.path)/\(there)", body,
                        .fault(
                            id.isNamed
                                ? "The id from the path [\(there)] does not match the id from the body [\(here)]!"
                                : "The id from the path does not match the id from the body!"))
                }
            }
            for endpoint in everyEndpoint where endpoint.id != nil {
                add(endpoint.method, endpoint.path, endpoint.body, .fault("The ID cannot be empty."))
                add(
                    endpoint.method, "\(endpoint.path)/a-b", endpoint.body,
                    .fault("API Resource IDs can only contain alphanumeric characters and underscores."))
            }
            for place in Set(everyEndpoint.map(\.place)).sorted() {
                add("POST", place, nil, .error("Invalid HTTP Method: Unsupported HTTP method.\n"))
                for method in ["GET", "PUT", "PATCH", "DELETE"] {
                    // Whether a method is there is told by the table, and by the odd places.
                    let isThere =
                        everyEndpoint.contains { ($0.method, $0.place) == (method, place) }
                        || oddPlaces.contains { ($0.method, $0.path) == (method, place) }
                    guard !isThere else { continue }
                    let hasBody = method == "PUT" || method == "PATCH"
                    let first = place.split(separator: "/").first ?? ""
                    add(
                        method, place, hasBody ? "{}" : nil,
                        .fault("Invalid request method and/or path: \(method) \(first)."))
                }
            }
            return cases
        }

        private func filled(_ body: String, _ state: MonitorState) -> String {
            body.replacing("$DIR", with: folder.path).replacing("$STATE", with: state.rawValue)
                .replacing("$TAP", with: tap)
        }

        func ask(_ cases: [Case], in state: MonitorState) throws {
            let requests = cases.map {
                CurlBatch.Request(
                    method: $0.method, path: $0.path,
                    body: $0.body.map { filled($0, state) })
            }
            let answers = try CurlBatch(to: api.socket).send(requests)
            // The first request makes a connection, and each behind one that the server ended.
            var isOpen = false
            for (asked, answer) in zip(cases, answers) {
                let isRight: Bool
                var expected = answer
                (expected.server, expected.contentType) = ("Firecracker API", "application/json")
                (expected.connection, expected.deprecation) = ("keep-alive", asked.isDeprecated ? "true" : "")
                expected.connects = isOpen ? 0 : 1
                isOpen = true
                switch asked.expected {
                case .done:
                    (expected.status, expected.contentType, expected.body) = (204, "", "")
                    isRight = true
                case .told(let text):
                    expected.status = 200
                    isRight = answer.body.contains(text)
                case .fault(let message):
                    expected.status = 400
                    isRight = answer.fault == message
                case .error(let message):
                    (expected.status, expected.connection) = (400, "close")
                    isRight = answer.error?.hasPrefix(message) == true
                    isOpen = false
                }
                // An expectation for each would take longer than all of the requests.
                if isRight, answer == expected { continue }
                let request = "\(state.rawValue): \(asked.method) \(asked.path) \(asked.body?.prefix(200) ?? "")"
                Issue.record("\(request) is not answered with \(asked.expected) but with \(answer)")
            }
        }
    }
#endif
