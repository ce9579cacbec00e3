import Glibc
import OCI

/// Answers requests: counts them, finds out what they ask for, has it done and logs what became of it.
struct Service {
    let controller: Controller
    let logger: Logger
    let metrics: Metrics

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        let parts = request.pathParts
        let time = LogClock.now
        logger.info(at: time) { line in
            line.append("The API server received a ")
            Self.describe(request, parts, &line)
            line.append(UInt8(ascii: "."))
        }
        // What changes something is told of before that.
        if request.method != .get { logger.flush() }
        let counter = RequestCounter(request, parts)
        if let counter { metrics.count(counter) }
        let route: Route
        do throws(Fault) { route = try Route(request, parts) } catch {
            if let counter { metrics.countRefusal(counter) }
            return refuse(error)
        }
        if route.isDeprecated {
            metrics.countDeprecated()
            logger.warn("\(request.method.rawValue) \(request.path): a field that is deprecated was used.")
        }
        var response: HTTPResponse
        do throws(Fault) {
            switch try controller.perform(route.action) {
            case .done:
                logger.info("The request was executed successfully. Status code: 204 No Content.")
                response = HTTPResponse(.noContent)
            case .value(let json):
                // What tells of something has taken no time.
                logger.info(at: time) {
                    $0.append("The request was executed successfully. Status code: 200 OK.")
                }
                response = HTTPResponse(.ok, json)
            }
        } catch { response = refuse(error) }
        response.isDeprecated = route.isDeprecated
        return response
    }

    private func refuse(_ fault: Fault) -> HTTPResponse {
        let status = "\(fault.status.rawValue) \(fault.status.reason)"
        logger.error("Received Error. Status code: \(status). Message: \(fault.message)")
        return HTTPResponse(fault.status, ["fault_message": JSON(fault.message)])
    }

    private static func describe(_ request: HTTPRequest, _ parts: [String], _ line: inout [UInt8]) {
        line.append(request.method.capitalized)
        line.append(" request on ")
        // Encoded: no client may begin a line of the log.
        JSON(request.path).encode(into: &line)
        // What a guest is told about itself may be secret.
        guard let body = request.body, parts.filter({ !$0.isEmpty }) != ["mmds"] else { return }
        line.append(" with body ")
        JSON(String(decoding: body, as: UTF8.self)).encode(into: &line)
    }
}

extension HTTPRequest.Method {
    /// As the log has it.
    fileprivate var capitalized: StaticString {
        switch self {
        case .get: "Get"
        case .put: "Put"
        case .patch: "Patch"
        case .delete: "Delete"
        }
    }
}
