/// A start's steps with the time of each, in microseconds, and their sum.
func traceReport(_ times: [(step: String, nanoseconds: UInt64)]) -> String {
    let total = times.reduce(0) { $0 &+ $1.nanoseconds }
    let rows = times.map { (microseconds($0.nanoseconds), oneLine($0.step)) } + [(microseconds(total), "total")]
    let width = max(2, rows.map { $0.0.utf8.count }.max() ?? 0)
    var text = String(repeating: " ", count: width - 2) + "µs  step\n"
    for (time, step) in rows {
        text += String(repeating: " ", count: width - time.utf8.count) + time + "  \(step)\n"
    }
    return text
}

private func microseconds(_ nanoseconds: UInt64) -> String { "\(nanoseconds / 1000).\(nanoseconds / 100 % 10)" }
