/// A parser and what has to hold of whatever it is given: it must not crash, and what it accepts must mean the same when
/// it is written and read again.
struct Target: Sendable {
    let name: String
    private let body: @Sendable ([UInt8]) -> Void

    init(_ name: String, _ body: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.body = body
    }

    static let all =
        documents + kernelText + seccomp + queues + devices + backends + kernels + snapshots + requests + metadata
        + debugger

    // Set once, before the fuzzer starts, and read by its one thread.
    nonisolated(unsafe) private static var chosen: Target?

    func choose() { Target.chosen = self }

    static func run(_ bytes: [UInt8]) { chosen?.body(bytes) }
}

/// Ends the program, which the fuzzer reports with the input, where something does not hold.
func require(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fatalError(message()) }
}

/// Reads a value, writes it, and reads it again.
func roundTrip<Value: Equatable, Text>(_ text: Text, read: (Text) throws -> Value, write: (Value) -> Text) {
    guard let value = try? read(text) else { return }
    let written = write(value)
    guard let again = try? read(written) else { fatalError("what was accepted is refused when written: \(written)") }
    require(again == value, "read again, \(value) is \(again)")
}
