import CLinux
import CSeccomp
import Linux

/// The other end of ``SeccompAction/notify``: it receives calls and answers for the kernel; `seccomp_unotify(2)`.
///
/// It is no means to enforce a policy when the answer is to go on: another thread of the caller may change what the
/// arguments point to after they were looked at. Before acting on what was read from the caller's memory, ask
/// ``isWaiting(_:)``: its number may mean another process by now.
public struct NotificationListener: ~Copyable, Sendable {
    /// Readable when a call waits.
    public let descriptor: Descriptor
    private let sizes: seccomp_notif_sizes

    /// Takes over a listener made elsewhere, as one received over a socket.
    public init(owning descriptor: consuming Descriptor) throws(SeccompError) {
        let sizes = try Self.sizes()
        self.init(owning: descriptor, sizes)
    }

    init(owning descriptor: consuming Descriptor, _ sizes: seccomp_notif_sizes) {
        self.descriptor = descriptor
        self.sizes = sizes
    }

    /// A call that waits for an answer.
    public struct Notification: Hashable, Sendable {
        /// The kernel's name for this one wait.
        public let id: UInt64
        /// The calling thread, as the listener's pid namespace numbers it; 0 when it is not in there.
        public let thread: pid_t
        /// What is called.
        public let call: SystemCall
    }

    /// What a call returns to its caller.
    public enum Answer: Hashable, Sendable {
        /// It succeeds with this value, and the kernel does nothing.
        case value(Int64)
        /// It fails.
        case failure(Errno)
        /// It is made after all; Linux 5.5.
        case proceed
    }

    /// What ended a wait.
    public enum Event: Hashable, Sendable {
        /// ``receive()`` won't block.
        case call
        /// No process is left under the filter.
        case ended
        case timedOut
    }

    /// Waits for a call.
    ///
    /// - Parameter timeoutMilliseconds: -1 waits for ever.
    public func wait(timeoutMilliseconds: CInt = -1) throws(SeccompError) -> Event {
        var entry = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        let count = try system { () throws(SystemError) in
            try systemCall("poll the seccomp listener") { unsafe poll(&entry, 1, timeoutMilliseconds) }
        }
        if count == 0 { return .timedOut }
        return CInt(entry.revents) & POLLIN != 0 ? .call : .ended
    }

    /// Takes the next call, waiting for one; nil when the caller was killed meanwhile.
    public func receive() throws(SeccompError) -> Notification? {
        // The kernel may have a larger struct than this library was built with, and wants it zeroed.
        let count = max(Int(sizes.seccomp_notif), MemoryLayout<seccomp_notif>.size)
        var words = [UInt64](repeating: 0, count: (count + 7) / 8)
        let isThere = try control("receive a seccomp notification", 0xc050_2100, &words)
        guard isThere != nil else { return nil }
        let raw = unsafe words.withUnsafeBytes { unsafe $0.loadUnaligned(as: seccomp_notif.self) }
        return Notification(id: raw.id, thread: pid_t(bitPattern: raw.pid), call: SystemCall(raw.data))
    }

    /// Whether the call still waits, so that its thread's number still means the caller.
    public func isWaiting(_ notification: Notification) throws(SeccompError) -> Bool {
        var words = [notification.id]
        return try control("check a seccomp notification", 0x4008_2102, &words) != nil
    }

    /// Lets the caller go on with this answer.
    ///
    /// - Returns: false when the caller no longer waits.
    @discardableResult
    public func answer(_ notification: Notification, _ answer: Answer) throws(SeccompError) -> Bool {
        var response = seccomp_notif_resp(id: notification.id, val: 0, error: 0, flags: 0)
        switch answer {
        case .value(let value): response.val = value
        case .failure(let errno): response.error = -errno.rawValue
        case .proceed: response.flags = 1
        }
        let count = max(Int(sizes.seccomp_notif_resp), MemoryLayout<seccomp_notif_resp>.size)
        var words = [UInt64](repeating: 0, count: (count + 7) / 8)
        unsafe words.withUnsafeMutableBytes { unsafe $0.storeBytes(of: response, as: seccomp_notif_resp.self) }
        return try control("answer a seccomp notification", 0xc018_2101, &words) != nil
    }

    /// Gives the caller a copy of a descriptor; Linux 5.9.
    ///
    /// - Parameters:
    ///   - source: the descriptor to copy.
    ///   - notification: the caller's, not answered yet.
    ///   - number: the number it gets there, replacing what has it; the lowest free one when nil.
    ///   - closeOnExec: whether the copy closes when the caller executes another program.
    ///   - answering: makes that number the call's answer in the same step; Linux 5.14.
    /// - Returns: the number in the caller, nil when the caller no longer waits.
    @discardableResult
    public func addDescriptor(
        _ source: borrowing Descriptor, to notification: Notification, as number: CInt? = nil,
        closeOnExec: Bool = true, answering: Bool = false
    ) throws(SeccompError) -> CInt? {
        let request = seccomp_notif_addfd(
            id: notification.id, flags: (number == nil ? 0 : 1) | (answering ? 2 : 0),
            srcfd: UInt32(source.rawValue), newfd: UInt32(number ?? 0),
            newfd_flags: closeOnExec ? UInt32(O_CLOEXEC) : 0)
        var words = [UInt64](repeating: 0, count: 3)
        unsafe words.withUnsafeMutableBytes { unsafe $0.storeBytes(of: request, as: seccomp_notif_addfd.self) }
        return try control("add a descriptor to the caller", 0x4018_2103, &words)
    }

    /// One ioctl, nil when nobody waits: `ENOENT` for a caller that is gone, `EINPROGRESS` for one that was answered
    /// and has not woken yet.
    private func control(
        _ operation: String, _ request: UInt, _ words: inout [UInt64]
    ) throws(SeccompError) -> CInt? {
        let number = descriptor.rawValue
        do throws(SystemError) {
            return try systemCall(operation) {
                unsafe words.withUnsafeMutableBytes { unsafe bh_ioctl_pointer(number, request, $0.baseAddress!) }
            }
        } catch {
            if error.errno == .noSuchFileOrDirectory || error.errno.rawValue == EINPROGRESS { return nil }
            throw .system(error)
        }
    }

    static func sizes() throws(SeccompError) -> seccomp_notif_sizes {
        var sizes = seccomp_notif_sizes()
        _ = try system { () throws(SystemError) in
            try systemCall("ask the size of seccomp notifications") {
                unsafe withUnsafeMutablePointer(to: &sizes) {
                    bh_syscall3(
                        CLong(SYS_seccomp), CLong(SECCOMP_GET_NOTIF_SIZES), 0, CLong(Int(bitPattern: $0)))
                }
            }
        }
        return sizes
    }
}
