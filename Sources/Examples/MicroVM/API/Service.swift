import Glibc
import Machines
import OCI

/// Answers requests: counts them, finds out what they ask for, has it done and logs what became of it.
///
/// Clients ask the same again and again. What only depends on what they sent is found out once, and so is the text of an
/// answer that is what it was; whether it is, the controller is asked each time.
final class Service {
    /// What was found out about a request.
    private final class Question {
        let target: String
        /// What the log says of it.
        let line: [UInt8]
        let counter: RequestCounter?
        let action: Result<Action, Fault>
        let deprecation: String?
        let isDeprecated: Bool

        init(_ request: HTTPRequest) {
            let parts = request.pathParts
            var line: [UInt8] = []
            target = request.target
            Service.describe(request, parts, &line)
            self.line = line
            counter = RequestCounter(request, parts)
            do throws(Fault) {
                let route = try Route(request, parts)
                (action, deprecation) = (.success(route.action), route.deprecation)
            } catch {
                (action, deprecation) = (.failure(error), nil)
            }
            isDeprecated = deprecation != nil
        }
    }

    private let controller: Controller
    private let logger: Logger
    private let metrics: Metrics
    private var lastQuestion: Question?
    private var lastAnswer: (answer: Answer, text: [UInt8])?

    init(controller: Controller, logger: Logger, metrics: Metrics) {
        self.controller = controller
        self.logger = logger
        self.metrics = metrics
    }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        // What is asked again and again is not timed for a log that does not tell of it.
        let begin = request.method != .get || logger.admits(.debug) ? monotonicNanoseconds() : nil
        defer { if let begin { noteEnd(since: begin) } }
        let time = LogClock.now
        let question = question(request)
        logger.info(at: time) { $0 += question.line }
        // What changes something is told of before that.
        if request.method != .get { logger.flush() }
        if let counter = question.counter { metrics.count(counter) }
        if case .failure(let fault) = question.action {
            if let counter = question.counter { metrics.countRefusal(counter) }
            return refuse(fault)
        }
        var response: HTTPResponse
        do throws(Fault) {
            response = tell(try controller.perform(try question.action.get()), time)
            if let begin { noteTime(try question.action.get(), since: begin) }
        } catch { response = refuse(error) }
        if question.isDeprecated {
            metrics.countDeprecated()
            if let deprecation = question.deprecation { logger.warn(deprecation) }
            response.isDeprecated = true
        }
        return response
    }

    private func noteEnd(since begin: UInt64) {
        logger.debug("Total previous API call duration: \((monotonicNanoseconds() - begin) / 1000) us.")
    }

    /// Tells how long something took whose time is kept, and begins the metrics of a machine that has begun.
    private func noteTime(_ action: Action, since begin: UInt64) {
        if let timing = action.timing {
            let microseconds = (monotonicNanoseconds() - begin) / 1000
            metrics.note(timing.metric, microseconds: microseconds)
            logger.info("'\(timing.words)' API request took \(microseconds) us.")
        }
        switch action {
        case .start, .loadSnapshot: controller.flushMetrics()
        default: break
        }
    }

    private func question(_ request: HTTPRequest) -> Question {
        guard request.method == .get, request.body == nil else { return Question(request) }
        if let lastQuestion, lastQuestion.target == request.target { return lastQuestion }
        let question = Question(request)
        lastQuestion = question
        return question
    }

    private func tell(_ answer: Answer, _ time: timespec) -> HTTPResponse {
        guard answer != .done else {
            logger.info("The request was executed successfully. Status code: 204 No Content.")
            return HTTPResponse(.noContent)
        }
        // What tells of something has taken no time.
        logger.info(at: time) { $0.append("The request was executed successfully. Status code: 200 OK.") }
        if case .value(let json) = answer { return HTTPResponse(.ok, json) }
        if lastAnswer?.answer != answer { lastAnswer = (answer, answer.json?.encodedBytes() ?? []) }
        return HTTPResponse(.ok, lastAnswer?.text)
    }

    private func refuse(_ fault: Fault) -> HTTPResponse {
        let status = "\(fault.status.rawValue) \(fault.status.reason)"
        logger.error("Received Error. Status code: \(status). Message: \(fault.message)")
        return HTTPResponse(fault.status, ["fault_message": JSON(fault.message)])
    }

    private static func describe(_ request: HTTPRequest, _ parts: [String], _ line: inout [UInt8]) {
        line.append("The API server received a ")
        line.append(request.method.capitalized)
        line.append(" request on ")
        // Encoded: no client may begin a line of the log.
        JSON(request.path).encode(into: &line)
        // What a guest is told about itself may be secret.
        if let body = request.body, parts.filter({ !$0.isEmpty }) != ["mmds"] {
            line.append(" with body ")
            JSON(String(decoding: body, as: UTF8.self)).encode(into: &line)
        }
        line.append(UInt8(ascii: "."))
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
