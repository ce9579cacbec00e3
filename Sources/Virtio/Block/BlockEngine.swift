import Linux

/// How a block device moves bytes between the guest and the disk.
protocol BlockEngine: AnyObject {
    /// Starts a request.
    ///
    /// - Returns: how it went, where it is done already; nil where a completion will tell.
    func submit(_ request: BlockRequest, _ file: CInt) -> BlockOutcome?
    /// Hands what was submitted to the kernel: once for a batch.
    func commit()
    /// Hands the completions that are there to `body`.
    func reap(_ body: (_ slot: Int, _ result: CInt) -> Void)
    /// Waits for at least one completion.
    func wait()
    /// Requests under way.
    var inFlight: Int { get }
    /// Watches for completions.
    func watch(_ host: DeviceHost, token: UInt32) throws(DeviceFault)
    func unwatch(_ host: DeviceHost)
}

/// How a request ended.
enum BlockOutcome {
    case done
    case failed(Errno)
}

/// Does each request at once, in the loop's thread: `preadv(2)` and `pwritev2(2)`.
final class SynchronousEngine: BlockEngine {
    func submit(_ request: BlockRequest, _ file: CInt) -> BlockOutcome? {
        do throws(SystemError) {
            try request.finishNow(file)
            return .done
        } catch { return .failed(error.errno) }
    }

    func commit() {}
    func reap(_ body: (_ slot: Int, _ result: CInt) -> Void) {}
    func wait() {}
    var inFlight: Int { 0 }
    func watch(_ host: DeviceHost, token: UInt32) throws(DeviceFault) {}
    func unwatch(_ host: DeviceHost) {}
}
