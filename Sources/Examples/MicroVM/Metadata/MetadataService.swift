import OCI

/// Answers the guest's requests, in Firecracker's words.
struct MetadataService {
    private static let tokenPath: [Substring] = ["latest", "api", "token"]
    private static let tokenNames = ["x-metadata-token", "x-aws-ec2-metadata-token"]
    private static let lifetimeNames = [
        ("x-metadata-token-ttl-seconds", "X-metadata-token-ttl-seconds"),
        ("x-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token-ttl-seconds"),
    ]

    let store: MetadataStore
    let counters: MetadataCounters

    func answer(_ request: HTTPRequest, now: UInt64) -> HTTPResponse {
        guard !request.path.isEmpty else { return .text(.badRequest, "Invalid URI.") }
        switch request.method {
        case .get: return get(request, now)
        case .put: return makeToken(request, now)
        case .patch, .delete:
            var response = HTTPResponse.text(.methodNotAllowed, "Not allowed HTTP method.")
            response.fields.append(.init("Allow", "GET, PUT"))
            return response
        }
    }

    private func get(_ request: HTTPRequest, _ now: UInt64) -> HTTPResponse {
        let token = Self.tokenNames.lazy.compactMap { request.fields[$0] }.first
        let isValid = token.map { store.isValid(token: $0, now: now) } ?? false
        if !isValid { counters.count(token == nil ? .noToken : .invalidToken) }
        if store.needsToken, !isValid {
            guard token != nil else {
                return .text(
                    .unauthorized,
                    "No MMDS token provided. Use `X-metadata-token` or `X-aws-ec2-metadata-token` header to specify the "
                        + "session token.")
            }
            return .text(.unauthorized, "MMDS token not valid.")
        }
        guard let value = store.value(at: request.path) else { return Self.notFound(request) }
        if request.acceptsJSON, !store.isPlain { return HTTPResponse(.ok, value) }
        guard let text = value.plainText else {
            return .text(.notImplemented, "Cannot retrieve value. The value has an unsupported type.")
        }
        return .text(.ok, text)
    }

    private func makeToken(_ request: HTTPRequest, _ now: UInt64) -> HTTPResponse {
        // A request that somebody hands on is one from elsewhere.
        if request.fields["x-forwarded-for"] != nil {
            return .text(
                .badRequest, "Invalid header. Reason: Unsupported header name. Key: X-Forwarded-For")
        }
        guard request.path.split(separator: "/") == Self.tokenPath else { return Self.notFound(request) }
        for (name, field) in Self.lifetimeNames {
            guard let text = request.fields[name] else { continue }
            guard let lifetime = UInt32(text) else {
                return .text(.badRequest, HTTPFault.value(name: field, text).description)
            }
            let range = SessionTokens.lifetimes
            guard range.contains(lifetime) else {
                return .text(
                    .badRequest,
                    "Invalid time to live value provided for token: \(lifetime). Please provide a value between "
                        + "\(range.lowerBound) and \(range.upperBound).")
            }
            var response = HTTPResponse.text(.ok, store.makeToken(lifetime: lifetime, now: now))
            response.fields.append(.init(field, "\(lifetime)"))
            return response
        }
        return .text(
            .badRequest,
            "Token time to live value not found. Use `X-metadata-token-ttl-seconds` or "
                + "`X-aws-ec2-metadata-token-ttl-seconds` header to specify the token's lifetime.")
    }

    private static func notFound(_ request: HTTPRequest) -> HTTPResponse {
        .text(.notFound, "Resource not found: \(request.path).")
    }
}

extension HTTPRequest {
    /// Whether the client asks for JSON by name.
    fileprivate var acceptsJSON: Bool {
        (fields["accept"] ?? "").lowercased().split(separator: ",").contains { range in
            range.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" } == "application/json"
        }
    }
}
