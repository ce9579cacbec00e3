import Linux
import OCI
import Testing

@testable import bulkhead_vm

/// What is remembered from one request to the next changes nothing that a client, the log or the metrics see.
@Suite struct ServiceTests {
    private let scratch = Scratch()
    private let metrics = Metrics()
    private let logger = Logger(id: "i")
    private let service: Service

    init() throws {
        var settings = LoggerSettings()
        settings.path = try scratch.file("log", [])
        try logger.apply(settings)
        let preboot = PrebootController(
            instance: InstanceInfo(id: "i"), logger: logger, metrics: metrics, metadata: MetadataStore(limit: 100))
        service = Service(
            controller: Controller(
                preboot, start: { (_) throws(Fault) in throw Fault("start") },
                load: { (_, _) throws(Fault) in throw Fault("load") }),
            logger: logger, metrics: metrics)
    }

    private func ask(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) throws -> JSON? {
        let response = service.answer(HTTPRequest(method, path, body: body.map { Array($0.utf8) }))
        return try response.body.map { try JSON(parsing: $0) }
    }

    @Test func whatHasChangedIsToldAtOnce() throws {
        for size in [64, 128, 128, 256] as [JSON] {
            #expect(try ask(.patch, "/machine-config", #"{"mem_size_mib": \#(size.encoded())}"#) == nil)
            for _ in 0..<3 { #expect(try ask(.get, "/machine-config")?["mem_size_mib"] == size) }
            #expect(try ask(.get, "/vm/config")?["machine-config"]?["mem_size_mib"] == size)
            #expect(try ask(.get, "/")?["state"] == "Not started")
            #expect(try ask(.get, "/version")?["firecracker_version"] == JSON(InstanceInfo.version))
        }
    }

    @Test func aRefusalIsNoAnswerToWhatComesNext() throws {
        for _ in 0..<2 {
            #expect(try ask(.get, "/balloon")?["fault_message"] == "Balloon config error: No balloon device found.")
        }
        #expect(try ask(.get, "/nowhere")?["fault_message"] == "Invalid request method and/or path: GET nowhere.")
        #expect(try ask(.put, "/balloon", #"{"amount_mib": 1, "deflate_on_oom": true}"#) == nil)
        #expect(try ask(.get, "/balloon")?["amount_mib"] == 1)
        // The same target, and yet another request.
        #expect(try ask(.get, "/balloon", "{}")?["fault_message"] == "GET request cannot have a body.")
        #expect(try ask(.delete, "/balloon")?["fault_message"] == "Invalid request method and/or path: DELETE balloon.")
        #expect(try ask(.get, "/balloon")?["amount_mib"] == 1)
    }

    /// Without times.
    private func logged() throws -> [String] {
        try readText("\(scratch.path)/log").split(separator: "\n").map {
            String($0.drop { $0 != "]" }.dropFirst(2).map { $0.isASCII && $0.isNumber ? "0" : $0 })
        }
    }

    @Test func howLongEachTookIsTheDebuggersToKnow() throws {
        func took() throws -> Int { try logged().count { $0.hasPrefix("Total previous API call duration: 0") } }
        _ = try ask(.get, "/version")
        _ = try ask(.patch, "/machine-config", #"{"vcpu_count": 2}"#)
        #expect(try logged().count == 4 && took() == 0)
        // From the request on that asks for it, and to the one that ends it.
        #expect(try ask(.put, "/logger", #"{"level": "Debug"}"#) == nil)
        #expect(try took() == 1)
        for target in ["/version", "/version", "/nowhere"] { _ = try ask(.get, target) }
        let last = try #require(try logged().last)
        #expect(try took() == 4 && last.hasPrefix("Total previous API call duration: 0") && last.hasSuffix("0 us."))
        #expect(try ask(.put, "/logger", #"{"level": "Info"}"#) == nil)
        _ = try ask(.get, "/version")
        #expect(try took() == 4)
    }

    @Test func whatIsOnItsWayOutIsWarnedOfWhateverBecomesOfIt() throws {
        #expect(try ask(.patch, "/machine-config", #"{"cpu_template": "None"}"#) == nil)
        #expect(try ask(.put, "/vsock", #"{"guest_cid": 2, "uds_path": "v", "vsock_id": "x"}"#) != nil)
        let warnings = try logged().filter { $0.hasSuffix("is deprecated.") }
        #expect(
            warnings == [
                "PATCH /machine-config: cpu_template field is deprecated.",
                "PUT /vsock: vsock_id field is deprecated.",
            ])
        let file = try scratch.file("metrics", [])
        try metrics.open(MetricsSettings(path: file), instance: InstanceInfo(id: "i"))
        metrics.flush([], missedLines: 0)
        #expect(try MetricsFile(path: file).sum("deprecated_api", "deprecated_http_api_calls") == 2)
    }

    @Test func eachIsCountedAndLogged() throws {
        for target in ["/version", "/version", "/machine-config", "/version", "/nowhere", "/nowhere"] {
            _ = try ask(.get, target)
        }
        let lines = try readText("\(scratch.path)/log").split(separator: "\n").map {
            $0.drop { $0 != "]" }.dropFirst(2)
        }
        let done: Substring = "The request was executed successfully. Status code: 200 OK."
        let refused: Substring =
            "Received Error. Status code: 400 Bad Request. Message: Invalid request method and/or path: GET nowhere."
        func asked(_ target: String) -> Substring { #"The API server received a Get request on "\#(target)"."# }
        #expect(
            lines == [
                asked("/version"), done, asked("/version"), done, asked("/machine-config"), done, asked("/version"),
                done, asked("/nowhere"), refused, asked("/nowhere"), refused,
            ])
        let file = try scratch.file("metrics", [])
        try metrics.open(MetricsSettings(path: file), instance: InstanceInfo(id: "i"))
        metrics.flush([], missedLines: 0)
        let counts = try JSON(parsing: Array(readText(file).utf8))["get_api_requests"]
        #expect(counts?["vmm_version_count"] == 3 && counts?["machine_cfg_count"] == 1)
    }
}
