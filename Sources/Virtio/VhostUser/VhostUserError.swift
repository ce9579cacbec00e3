import Linux

/// Why a vhost-user backend can't be worked with.
public struct VhostUserError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        /// The host refused, as where nobody listens.
        case refused(SystemError)
        /// The backend ended the connection.
        case closed
        /// The backend took too long.
        case timedOut
        /// What the backend said is no answer.
        case answer(String)
        /// The backend says that it could not do it, with a number of its own.
        case failed(UInt64)
        /// The backend, or the memory, lacks what is needed.
        case lacking(String)
    }

    /// What was asked; nil where it is about none.
    public var request: VhostUserRequest?
    public var reason: Reason

    public init(_ request: VhostUserRequest?, _ reason: Reason) {
        self.request = request
        self.reason = reason
    }

    /// Whether frontend and backend no longer know what the other's next bytes mean.
    var endsConnection: Bool {
        switch reason {
        case .failed, .lacking: false
        case .refused, .closed, .timedOut, .answer: true
        }
    }
}

extension VhostUserError: CustomStringConvertible {
    public var description: String { request.map { "\($0): \(reason)" } ?? reason.description }
}

extension VhostUserError.Reason: CustomStringConvertible {
    public var description: String {
        switch self {
        case .refused(let error): error.description
        case .closed: "the backend ended the connection"
        case .timedOut: "the backend does not answer"
        case .answer(let what): what
        case .failed(let number): "the backend could not do it (\(number))"
        case .lacking(let what): what
        }
    }
}
