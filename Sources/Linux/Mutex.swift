#if hasFeature(Embedded)
    import Glibc

    /// The standard library's `Mutex`, which Embedded Swift does not have on Linux: the same words, over
    /// `pthread_mutex_lock(3)`.
    public struct Mutex<Value: ~Copyable>: ~Copyable {
        private struct Place: ~Copyable {
            var lock = pthread_mutex_t()
            var value: Value

            init(_ value: consuming sending Value) { self.value = value }
        }

        // A lock must not move, and this may.
        private let place: UnsafeMutablePointer<Place>

        /// - Parameter value: what only one thread at a time sees.
        public init(_ value: consuming sending Value) {
            unsafe place = .allocate(capacity: 1)
            unsafe place.initialize(to: Place(value))
        }

        deinit {
            unsafe place.deinitialize(count: 1)
            unsafe place.deallocate()
        }

        /// Runs `body` while no other thread is in one for this value. Not to be called again from within.
        ///
        /// - Parameter body: what sees the value.
        public borrowing func withLock<Result: ~Copyable, Failure: Error>(
            _ body: (inout sending Value) throws(Failure) -> sending Result
        ) throws(Failure) -> sending Result {
            _unsafeLock()
            defer { _unsafeUnlock() }
            return try unsafe body(&place.pointee.value)
        }

        /// Locks, for a body that ``withLock(_:)`` can't take.
        public borrowing func _unsafeLock() { unsafe pthread_mutex_lock(&place.pointee.lock) }

        /// Unlocks what this thread has locked.
        public borrowing func _unsafeUnlock() { unsafe pthread_mutex_unlock(&place.pointee.lock) }
    }

    extension Mutex: @unchecked Sendable where Value: ~Copyable {}
#endif
