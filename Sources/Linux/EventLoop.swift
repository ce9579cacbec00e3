import CLinux

/// What a descriptor is ready for; `epoll_ctl(2)`.
public struct Readiness: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
    public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
    public static let priority = Readiness(rawValue: EPOLLPRI.rawValue)
    /// Reported always, never asked for.
    public static let error = Readiness(rawValue: EPOLLERR.rawValue)
    /// Reported always, never asked for.
    public static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue)
    public static let peerClosed = Readiness(rawValue: EPOLLRDHUP.rawValue)
    public static let edgeTriggered = Readiness(rawValue: EPOLLET.rawValue)
    public static let oneShot = Readiness(rawValue: EPOLLONESHOT.rawValue)
}

/// One thread's wait on many descriptors; `epoll(7)`.
///
/// The loop holds no reference to what it watches: a token of the caller's choice comes back with each event.
public struct EventLoop: ~Copyable, Sendable {
    /// The epoll instance.
    public let descriptor: Descriptor

    public init() throws(SystemError) {
        descriptor = Descriptor(owning: try systemCall("epoll_create1") { bh_epoll_create() })
    }

    /// Watches a descriptor.
    ///
    /// - Throws: `EEXIST` when it is watched already, `EPERM` when it can't be polled, as a regular file.
    public func add(_ watched: borrowing Descriptor, for readiness: Readiness, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, watched.rawValue, readiness, token)
    }

    /// Changes what a watched descriptor is watched for.
    public func modify(_ watched: borrowing Descriptor, for readiness: Readiness, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_MOD, watched.rawValue, readiness, token)
    }

    /// Stops watching a descriptor.
    public func remove(_ watched: borrowing Descriptor) throws(SystemError) {
        try control(EPOLL_CTL_DEL, watched.rawValue, [], 0)
    }

    private func control(
        _ operation: CInt, _ watched: CInt, _ readiness: Readiness, _ token: UInt64
    ) throws(SystemError) {
        let number = descriptor.rawValue
        var event = unsafe epoll_event(events: readiness.rawValue, data: epoll_data_t(u64: token))
        try systemCall("epoll_ctl on descriptor \(watched)") { unsafe epoll_ctl(number, operation, watched, &event) }
    }

    /// Waits once and hands each event to `body`, 64 at the most.
    ///
    /// - Parameters:
    ///   - timeoutMilliseconds: -1 waits for ever.
    ///   - body: gets the token that the descriptor was added with, and what it is ready for.
    /// - Returns: how many events there were; 0 when the time ran out or a signal arrived.
    @discardableResult
    public func wait(
        timeoutMilliseconds: CInt = -1, _ body: (_ token: UInt64, _ readiness: Readiness) -> Void
    ) throws(SystemError) -> Int {
        let number = descriptor.rawValue
        var events = unsafe [64 of epoll_event](repeating: epoll_event())
        var span = unsafe events.mutableSpan
        let count = unsafe span.withUnsafeMutableBufferPointer {
            unsafe epoll_wait(number, $0.baseAddress!, 64, timeoutMilliseconds)
        }
        if count < 0 {
            // A signal ends the wait: who asked for it decides whether to wait again.
            if Errno.current == .interrupted { return 0 }
            throw SystemError("epoll_wait", .current)
        }
        for index in 0..<Int(count) {
            unsafe body(events[index].data.u64, Readiness(rawValue: events[index].events))
        }
        return Int(count)
    }
}
