import CLinux

/// A pipe's two ends; `pipe2(2)`.
public struct Pipe: ~Copyable, Sendable {
    public var readEnd: Descriptor
    public var writeEnd: Descriptor

    public init() throws(SystemError) {
        var ends: (CInt, CInt) = (-1, -1)
        try systemCall("pipe2") {
            unsafe withUnsafeMutableBytes(of: &ends) {
                unsafe pipe2($0.assumingMemoryBound(to: CInt.self).baseAddress!, O_CLOEXEC)
            }
        }
        readEnd = Descriptor(owning: ends.0)
        writeEnd = Descriptor(owning: ends.1)
    }

    /// Keeps the read end and closes the write end.
    public consuming func takeReadEnd() -> Descriptor { readEnd }

    /// Keeps the write end and closes the read end.
    public consuming func takeWriteEnd() -> Descriptor { writeEnd }
}

/// Two connected Unix sockets; `socketpair(2)`.
public struct SocketPair: ~Copyable, Sendable {
    public var first: Descriptor
    public var second: Descriptor

    public init(_ kind: UnixSocket.Kind = .messages) throws(SystemError) {
        var ends: (CInt, CInt) = (-1, -1)
        try systemCall("socketpair") {
            unsafe withUnsafeMutableBytes(of: &ends) {
                unsafe bh_socketpair(kind.rawValue, $0.assumingMemoryBound(to: CInt.self).baseAddress!)
            }
        }
        first = Descriptor(owning: ends.0)
        second = Descriptor(owning: ends.1)
    }

    /// Keeps the first end and closes the second.
    public consuming func takeFirst() -> Descriptor { first }

    /// Keeps the second end and closes the first.
    public consuming func takeSecond() -> Descriptor { second }
}

/// A counter that wakes who waits on it; `eventfd(2)`.
public struct EventCounter: ~Copyable, Sendable {
    /// Readable while the counter is above zero.
    public let descriptor: Descriptor

    public init(initialValue: UInt32 = 0) throws(SystemError) {
        descriptor = Descriptor(
            owning: try systemCall("eventfd") { bh_eventfd(initialValue) })
    }

    /// Adds to the counter.
    ///
    /// - Throws: `EAGAIN` when the sum would pass 2⁶⁴ − 2.
    public func add(_ value: UInt64 = 1) throws(SystemError) {
        let number = descriptor.rawValue
        var value = value
        try systemCall("add to eventfd") { unsafe CLinux.write(number, &value, 8) }
    }

    /// The count since the last take, 0 when there was none; the counter is then zero.
    public func take() throws(SystemError) -> UInt64 {
        let number = descriptor.rawValue
        var value: UInt64 = 0
        do throws(SystemError) {
            try systemCall("read eventfd") { unsafe CLinux.read(number, &value, 8) }
        } catch {
            if error.errno == .wouldBlock { return 0 }
            throw error
        }
        return value
    }
}
