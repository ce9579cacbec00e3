import Cgroups
import Launch
import Linux
import OCI

/// Why a container could not be made, reached or changed. It reads as one line.
public struct ContainerError: Error, Sendable {
    /// What kind of failure it is, for callers that act on it.
    public enum Kind: Hashable, Sendable {
        /// The bundle or its document is missing or malformed, or asks for what this runtime or kernel has not got.
        case badDocument
        /// The id breaks the rules for ids.
        case badID
        /// A container with this id exists.
        case exists
        /// There is no container with this id.
        case doesNotExist
        /// The container's status does not allow the operation.
        case wrongStatus
        /// The program was not found: a shell's 127.
        case programNotFound
        /// The program may not be executed: a shell's 126.
        case programNotExecutable
        /// A hook failed.
        case hook
        /// The kernel refused.
        case system
    }

    public var kind: Kind
    /// One line, without a newline at its end.
    public var message: String

    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    init(_ error: SystemError) { self.init(.system, error.description) }

    init(_ error: SystemError, during operation: String) {
        self.init(.system, error.during(operation).description)
    }
}

extension ContainerError: CustomStringConvertible {
    public var description: String { message }
}
