@testable import bulkhead_vm

/// Requests to a monitor that has no machine yet.
extension PrebootController {
    /// One that was told nothing.
    static func new() -> PrebootController {
        PrebootController(
            instance: InstanceInfo(id: "i"), logger: Logger(id: "i"), metrics: Metrics(),
            metadata: MetadataStore(limit: 100))
    }

    func perform(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) throws -> Answer {
        try perform(try Route(HTTPRequest(method, path, body: body.map { Array($0.utf8) })).action)
    }

    /// Why it refuses; nil where it does not.
    func fault(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) -> Fault? {
        do {
            _ = try perform(method, path, body)
            return nil
        } catch { return error as? Fault ?? Fault("\(error)") }
    }

    /// In what words it refuses; nil where it does not.
    func refusal(_ method: HTTPRequest.Method, _ path: String, _ body: String? = nil) -> String? {
        fault(method, path, body)?.message
    }
}
