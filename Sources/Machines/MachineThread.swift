import CLinux
import Glibc
import Linux

/// A thread of its own: vCPUs and loops wait in the kernel for as long as they like, which no pool of threads is for.
public final class MachineThread {
    private let handle: pthread_t

    /// Starts it. Signals are held back in it but those that its body lets through.
    ///
    /// - Parameters:
    ///   - name: up to 15 bytes, as `ps` shows it.
    ///   - body: what it does.
    public init(_ name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let job = Unmanaged.passRetained(Job(name, body))
        var handle = pthread_t()
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        // Smaller than a huge page, which the kernel else makes of the stack at its first use.
        pthread_attr_setstacksize(&attributes, 512 << 10)
        let error = pthread_create(&handle, &attributes, runJob, job.toOpaque())
        pthread_attr_destroy(&attributes)
        guard error == 0 else {
            job.release()
            throw SystemError("make the thread \(name)", Errno(rawValue: error))
        }
        self.handle = handle
    }

    /// Waits until the body has returned; to be called once.
    public func join() { pthread_join(handle, nil) }

    fileprivate final class Job {
        let name: String
        let body: @Sendable () -> Void

        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}

private nonisolated func runJob(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    let job = Unmanaged<MachineThread.Job>.fromOpaque(argument!).takeRetainedValue()
    _ = job.name.withCString { bh_prctl(PR_SET_NAME, UInt(bitPattern: $0), 0, 0, 0) }
    // A reader that goes away is seen by the write that fails.
    _ = try? SignalSet.forwardable.union(SignalSet([.brokenPipe])).block()
    job.body()
    return nil
}
