/// Whether to look for a driver's next request before it hears of the last one's end.
///
/// A driver with several requests on their way adds the next while one is worked on; a notification and an interrupt for each
/// would cost it more than the work. So a device looks for four times as long as its last work took, which is some
/// microseconds where that came from the host's cache, and then tells of all at once. A driver that waits for each answer adds
/// nothing meanwhile: looks in vain are made rare, one after 1, 2, 4 … up to 64 turns.
struct Anticipation {
    /// Nanoseconds that a request which is done waits at the most for others to come, and then for the work on the last.
    static let longest: UInt64 = 1_000_000
    private static let mostSkipped = 64
    /// As long as the work is too short: with an exit for each of its requests, a driver takes longer than the device.
    private static let patience: UInt64 = 4

    private var toSkip = 0
    private var skips = 1
    /// When the turn began, and the work that was last.
    private var begin: UInt64 = 0
    private var last: UInt64 = 0
    private var hasFound = false

    /// Requests are going to be worked on of which the driver will be told together.
    mutating func beginTurn() {
        begin = Timer.now
        last = begin
        hasFound = false
    }

    /// To be asked when all that was there is done.
    ///
    /// - Parameter isThere: whether there is a request by now.
    /// - Returns: whether there is one, and the turn goes on.
    mutating func finds(_ isThere: () throws(DeviceFault) -> Bool) throws(DeviceFault) -> Bool {
        if !hasFound, toSkip > 0 {
            toSkip -= 1
            return false
        }
        let start = Timer.now
        guard start &- begin < Self.longest else { return false }
        let patience = min(Self.patience * (start &- last), Self.longest - (start &- begin))
        repeat {
            if try isThere() {
                (hasFound, skips) = (true, 1)
                // The look is no work.
                last = Timer.now
                return true
            }
        } while Timer.now &- start < patience
        if !hasFound {
            toSkip = skips
            skips = min(2 * skips, Self.mostSkipped)
        }
        return false
    }
}
