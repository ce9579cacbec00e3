/// Why the program ends without having done what it was asked to: one line, and the exit status.
struct Failure: Error, CustomStringConvertible {
    let description: String
    var status: CInt = 1

    init(_ description: String, status: CInt = 1) {
        self.description = description
        self.status = status
    }

    /// The command line itself is wrong.
    static func usage(_ description: String) -> Failure { Failure(description) }
}
