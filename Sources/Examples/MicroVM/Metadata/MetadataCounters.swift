import Linux
import Synchronization

/// What happened to the guest's requests: counted by the devices' thread, read by the API's.
final class MetadataCounters: Sendable {
    enum Event: Int, CaseIterable {
        /// A frame was for the service.
        case accepted
        /// It was malformed.
        case malformed
        /// It was none of TCP, or something that seldom happens, as a reset.
        case unusual
        /// A segment was taken.
        case segment
        case invalidToken
        case noToken
        case sentBytes
        case sentFrame
        case opened
        case closed
    }

    private let numbers = Mutex([UInt64](repeating: 0, count: Event.allCases.count))

    func count(_ event: Event, _ amount: UInt64 = 1) { numbers.withLock { $0[event.rawValue] &+= amount } }

    /// How often it happened so far.
    subscript(event: Event) -> UInt64 { numbers.withLock { $0[event.rawValue] } }
}
