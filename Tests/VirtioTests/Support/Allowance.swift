/// What a token bucket that was full at a moment may have given by now. On a slow machine time goes on during a test, so
/// what a limit lets through is compared with the time that it really had.
struct Allowance {
    let size: Int
    let refillTime: Duration
    private let start = ContinuousClock.now

    init(_ size: Int, per refillTime: Duration) {
        self.size = size
        self.refillTime = refillTime
    }

    var now: Int { size + Int(Double(size) * ((ContinuousClock.now - start) / refillTime)) }
}
