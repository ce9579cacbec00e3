import Glibc
import Linux

/// Why a request is refused; its message is what the client reads, in Firecracker's words where it has some.
struct Fault: Error, Hashable {
    var message: String
    var status: HTTPResponse.Status

    init(_ message: String, status: HTTPResponse.Status = .badRequest) {
        self.message = message
        self.status = status
    }

    static let postBoot = Fault("The requested operation is not supported after starting the microVM.")
    static let preBoot = Fault("The requested operation is not supported before starting the microVM.")

    /// What Firecracker does and this monitor does not.
    static func notSupported(_ what: String) -> Fault { Fault("The requested operation is not supported: \(what)") }

    init(_ error: BodyError, in body: [UInt8]) {
        self.init("An error occurred when deserializing the json body of a request: \(error.message(in: body)).")
    }
}

/// What the kernel said, as Firecracker's clients know it: `No such file or directory (os error 2)`.
func osError(_ errno: Errno) -> String { "\(String(cString: strerror(errno.rawValue))) (os error \(errno.rawValue))" }
