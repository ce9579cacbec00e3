import Glibc

/// Runs the body on a thread of its own, which may block or die without holding up the test's own.
final class OSThread: @unchecked Sendable {
    private var handle = pthread_t()
    private let body: @Sendable () -> Void
    /// Whether the body came to its end; read it after ``join()``.
    private(set) var returned = false

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
        pthread_create(&handle, nil, threadMain, Unmanaged.passRetained(self).toOpaque())
    }

    func join() { pthread_join(handle, nil) }

    fileprivate func run() {
        body()
        returned = true
    }
}

private nonisolated func threadMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    Unmanaged<OSThread>.fromOpaque(context!).takeRetainedValue().run()
    return nil
}
