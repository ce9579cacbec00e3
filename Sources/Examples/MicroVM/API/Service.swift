import OCI

/// Answers requests: counts them, finds out what they ask for, has it done and logs what became of it.
struct Service {
    let controller: Controller
    let logger: Logger
    let metrics: Metrics

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        logger.info("The API server received a \(Self.describe(request)).")
        let counter = RequestCounter(request)
        if let counter { metrics.count(counter.group, "\(counter.name)_count") }
        let route: Route
        do throws(Fault) { route = try Route(request) } catch {
            if let counter { metrics.count(counter.group, "\(counter.name)_fails") }
            return refuse(error)
        }
        if route.isDeprecated {
            metrics.count("deprecated_api", "deprecated_http_api_calls")
            logger.warn("\(request.method.rawValue) \(request.path): a field that is deprecated was used.")
        }
        var response: HTTPResponse
        do throws(Fault) {
            switch try controller.perform(route.action) {
            case .done:
                logger.info("The request was executed successfully. Status code: 204 No Content.")
                response = HTTPResponse(.noContent)
            case .value(let json):
                logger.info("The request was executed successfully. Status code: 200 OK.")
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

    private static func describe(_ request: HTTPRequest) -> String {
        let method = request.method.rawValue.prefix(1) + request.method.rawValue.dropFirst().lowercased()
        // Encoded: no client may begin a line of the log.
        let text = "\(method) request on \(JSON(String(request.path)).encoded())"
        // What a guest is told about itself may be secret.
        guard let body = request.body, request.path.split(separator: "/") != ["mmds"] else { return text }
        return "\(text) with body \(JSON(String(decoding: body, as: UTF8.self)).encoded())"
    }
}
