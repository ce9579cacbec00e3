import Glibc
import Linux
import Synchronization

/// What one thread tells another.
final class Flag: Sendable {
    private let value = Atomic(false)
    func set() { value.store(true, ordering: .releasing) }
    var isSet: Bool { value.load(ordering: .acquiring) }
}

/// A thread that keeps exchanging two names, as an attacker inside a tree would.
final class Swapper: @unchecked Sendable {
    private let one: String
    private let other: String
    private let stop: Flag
    private var thread = pthread_t()

    init(_ one: String, _ other: String, _ stop: Flag) {
        self.one = one
        self.other = other
        self.stop = stop
    }

    func start() throws {
        let failure = pthread_create(&thread, nil, swap, Unmanaged.passUnretained(self).toOpaque())
        if failure != 0 { throw SystemError("pthread_create", Errno(rawValue: failure)) }
    }

    func join() throws { pthread_join(thread, nil) }

    fileprivate func run() {
        while !stop.isSet { exchange(one, other) }
    }
}

private nonisolated func swap(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let argument else { return nil }
    Unmanaged<Swapper>.fromOpaque(argument).takeUnretainedValue().run()
    return nil
}
