import CVirtio
import Glibc
import GuestMemory
import Linux
import Synchronization
import TestSupport
import Testing

@testable import Virtio

/// A vhost-user-blk backend that serves no request, written from the protocol's text and not from the frontend: it answers
/// what it is asked in a thread of its own, until the frontend leaves or it is told to misbehave.
final class FakeBackend: Sendable {
    /// What goes wrong where.
    enum Misbehaviour: CaseIterable, Sendable {
        case closes, hangs, answersAnother, answersUnmarked, answersOtherVersion, answersLong, answersShort, endsShort,
            sendsDescriptors, refuses
    }

    /// A message as it came.
    struct Message: Equatable {
        var request: UInt32
        var payload: [UInt8]
        var descriptors: Int
    }

    struct Options: Sendable {
        var features: UInt64 = 1 << 32 | 1 << 30 | 1 << 29 | 1 << 28 | 1 << 9 | 1 << 5 | 1 << 2
        var protocolFeatures: UInt64 = 1 << 0 | 1 << 3 | 1 << 9 | 1 << 12
        var queueCount: UInt64 = 4
        var sectors: UInt64 = 2048
        var fault: (request: UInt32, how: Misbehaviour)?
    }

    private struct State {
        var options: Options
        var messages: [Message] = []
        var call: CInt = -1
        var hasEnded = false
    }

    private let state: Mutex<State>
    private let socket: CInt
    private let thread = Mutex<pthread_t?>(nil)
    /// A pipe whose write end it sends where it should send no descriptor.
    private let pipe: Mutex<(read: CInt, write: CInt)>

    /// - Parameter socket: its end of a connection.
    init(_ socket: consuming Descriptor, _ options: Options = Options()) throws {
        state = Mutex(State(options: options))
        self.socket = socket.release()
        let pipe = try Pipe()
        self.pipe = Mutex((try pipe.readEnd.duplicate().release(), try pipe.writeEnd.duplicate().release()))
        var made = pthread_t()
        let argument = Unmanaged.passRetained(self).toOpaque()
        let result = pthread_create(
            &made, nil,
            { argument in
                Unmanaged<FakeBackend>.fromOpaque(argument!).takeRetainedValue().serve()
                return nil
            }, argument)
        precondition(result == 0, "no thread")
        thread.withLock { $0 = made }
    }

    /// One, and the frontend's end of the connection.
    static func connected(_ options: Options = Options()) throws -> (backend: FakeBackend, socket: CInt) {
        let ends = try SocketPair(.stream)
        let far = try ends.second.duplicate()
        return (try FakeBackend(far, options), ends.takeFirst().release())
    }

    /// Waits until it has ended, as it does when nobody has the frontend's end any more.
    func join() {
        if let thread = thread.withLock({ $0.take() }) { pthread_join(thread, nil) }
    }

    /// Whether nobody has the descriptor that came with an answer; once, at the end.
    func isSentDescriptorClosed() -> Bool {
        pipe.withLock { ends in
            close(ends.write)
            defer { close(ends.read) }
            return isOtherEndClosed(of: ends.read)
        }
    }

    /// Leaves, as a process that is killed.
    func leave() { shutdown(socket, CInt(SHUT_RDWR)) }

    var messages: [Message] { state.withLock { $0.messages } }
    var hasEnded: Bool { state.withLock { $0.hasEnded } }
    func change(_ body: @Sendable (inout Options) -> Void) { state.withLock { body(&$0.options) } }

    /// Writes to the call descriptor that it was given last.
    func interrupt() {
        var one: UInt64 = 1
        let call = state.withLock { $0.call }
        #expect(Glibc.write(call, &one, 8) == 8)
    }

    // MARK: - Its work

    private func serve() {
        var held: [CInt] = []
        while let (message, descriptors) = receive() {
            held += descriptors
            let options = state.withLock { state in
                state.messages.append(message)
                if message.request == 13, let call = descriptors.last { state.call = call }
                return state.options
            }
            guard answer(message, options) else { break }
        }
        state.withLock { $0.hasEnded = true }
        for descriptor in held + [socket] { close(descriptor) }
    }

    private func receive() -> (Message, [CInt])? {
        guard let (head, descriptors) = receive(12) else { return nil }
        let size = Int(head.integer(8, as: UInt32.self))
        let payload = size == 0 ? [] : receive(size)?.0 ?? []
        guard payload.count == size else { return nil }
        wantsReply.withLock { $0 = head.integer(4, as: UInt32.self) & 8 != 0 }
        #expect(head.integer(4, as: UInt32.self) & 3 == 1)
        return (Message(request: head.integer(0), payload: payload, descriptors: descriptors.count), descriptors)
    }

    private let wantsReply = Mutex(false)

    private func receive(_ count: Int) -> ([UInt8], [CInt])? {
        var bytes = [UInt8](repeating: 0, count: count)
        var control = [UInt8](repeating: 0, count: 256)
        var length = 0
        let got = bytes.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    let got = recvmsg(socket, &message, CInt(MSG_CMSG_CLOEXEC) | CInt(MSG_WAITALL))
                    length = Int(message.msg_controllen)
                    return got
                }
            }
        }
        guard got == count else { return nil }
        // A header of 16 bytes, whose first word is the length with it, and then the numbers.
        let numbers = length >= 16 ? (Int(control.integer(0, as: UInt64.self)) - 16) / 4 : 0
        return (bytes, (0..<numbers).map { control.integer(16 + 4 * $0) })
    }

    private func answer(_ message: Message, _ options: Options) -> Bool {
        let own: [UInt8]? =
            switch message.request {
            case 1: bytes(options.features)
            case 11: message.payload.prefix(4) + bytes(UInt32(7))
            case 15: bytes(options.protocolFeatures)
            case 17: bytes(options.queueCount)
            case 24: Array(message.payload.prefix(12)) + bytes(options.sectors) + [UInt8](repeating: 0xab, count: 52)
            default: wantsReply.withLock { $0 } ? bytes(UInt64(0)) : nil
            }
        guard let fault = options.fault, fault.request == message.request else {
            return own.map { send(message.request, $0) } ?? true
        }
        switch fault.how {
        case .closes: return false
        case .hangs:
            // Until the frontend gives up, which ends the connection.
            return receive(1) != nil
        default: break
        }
        guard let own else { return true }
        return switch fault.how {
        case .answersAnother: send(message.request + 1, own)
        case .answersUnmarked: send(message.request, own, flags: 1)
        case .answersOtherVersion: send(message.request, own, flags: 6)
        case .answersLong: send(message.request, own + [0])
        case .answersShort: send(message.request, own.dropLast())
        case .endsShort: send(message.request, own, missing: 3) && false
        case .sendsDescriptors: sendWithDescriptor(message.request, own)
        case .refuses: send(message.request, message.request == 24 ? [] : bytes(UInt64(5)))
        case .closes, .hangs: false
        }
    }

    private func send(_ request: UInt32, _ payload: [UInt8], flags: UInt32 = 5, missing: Int = 0) -> Bool {
        let message = Array((bytes(request, flags, UInt32(payload.count)) + payload).dropLast(missing))
        return Glibc.send(socket, message, message.count, CInt(MSG_NOSIGNAL)) == message.count
    }

    private func sendWithDescriptor(_ request: UInt32, _ payload: [UInt8]) -> Bool {
        let message = bytes(request, UInt32(5), UInt32(payload.count)) + payload
        let write = pipe.withLock { $0.write }
        return message.withUnsafeBytes { bh_send_descriptors(socket, $0.baseAddress, $0.count, [write], 1) }
            == message.count
    }
}
