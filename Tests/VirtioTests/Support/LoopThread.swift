import Glibc
import Linux

@testable import Virtio

/// A thread of its own for a device loop: a task would block one of the few threads that tasks have.
final class LoopThread {
    private var thread = pthread_t()
    private let loop: DeviceLoop

    init(_ loop: DeviceLoop) {
        self.loop = loop
        let argument = Unmanaged.passRetained(loop).toOpaque()
        let result = pthread_create(
            &thread, nil,
            { argument in
                try? Unmanaged<DeviceLoop>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, argument)
        precondition(result == 0, "no thread")
    }

    /// Ends the loop, and returns when the thread is gone.
    func join() {
        loop.stop()
        pthread_join(thread, nil)
    }
}
