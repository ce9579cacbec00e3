import Glibc
import Synchronization

/// Where the threads of a machine wait while it is paused, without using a processor.
///
/// A thread looks at ``isClosed`` wherever it may stop, and then calls ``waitWhileClosed()``. Who closes the gate waits
/// until every thread is there.
final class PauseGate: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    // Outside the mutex, as each exit of a guest looks at it.
    private let closed = Atomic<Bool>(false)
    // Guarded by the mutex.
    private var members = 0
    private var waiting = 0

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    var isClosed: Bool { closed.load(ordering: .acquiring) }

    func close() { locked { closed.store(true, ordering: .releasing) } }

    func open() { locked { closed.store(false, ordering: .releasing) } }

    /// One thread more that ``waitForAll()`` waits for; to be called before the thread is made.
    func enter() { locked { members += 1 } }

    /// A thread is about to end.
    func leave() { locked { members -= 1 } }

    /// What a thread does where it may stop.
    func waitWhileClosed() {
        locked {
            waiting += 1
            pthread_cond_broadcast(condition)
            while closed.load(ordering: .relaxed) { pthread_cond_wait(condition, mutex) }
            waiting -= 1
        }
    }

    /// Waits until every thread is at the closed gate, or has ended.
    func waitForAll() {
        locked { while waiting < members { pthread_cond_wait(condition, mutex) } }
    }

    private func locked(_ body: () -> Void) {
        pthread_mutex_lock(mutex)
        body()
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }
}
