/// What a guest's program asks over one connection: a stream of requests in, one of answers out.
struct MetadataSession {
    /// Bytes that are kept of requests that can't be answered yet.
    static let room = 8192
    /// No request that means something here has a body.
    private static let mostBody = 1024

    private var parser = RequestParser(bodyLimit: mostBody)
    /// No request is answered any more.
    private(set) var isOver = false

    /// For how many bytes there is room.
    var window: Int { isOver ? Self.room : max(0, Self.room - parser.held) }

    mutating func take(_ bytes: ArraySlice<UInt8>) {
        if !isOver { parser.take(bytes) }
    }

    /// The next answer; nil where more bytes are needed for it.
    mutating func next(_ service: MetadataService, now: UInt64) -> [UInt8]? {
        guard !isOver else { return nil }
        do throws(HTTPFault) {
            switch try parser.next() {
            case .request(let request):
                isOver = !request.keepsAlive
                return service.answer(request, now: now).encoded(closes: isOver)
            case .wantsContinue: return HTTPResponse.goOn
            case nil: return nil
            }
        } catch {
            // What is behind it can't be understood.
            isOver = true
            return Self.refusal(error).encoded(closes: true)
        }
    }

    private static func refusal(_ fault: HTTPFault) -> HTTPResponse {
        switch fault {
        case .method: .text(.notImplemented, "Unsupported HTTP method.")
        case .version: .text(.notImplemented, "Unsupported HTTP version.")
        case .target(let why): .text(.badRequest, why)
        case .tooLarge: .text(.payloadTooLarge, fault.description)
        default: .text(.badRequest, fault.description)
        }
    }
}
