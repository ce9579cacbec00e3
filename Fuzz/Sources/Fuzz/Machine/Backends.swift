import Glibc
import GuestMemory
import Linux

@testable import Virtio

extension Target {
    /// What a process that serves a disk may answer: from the first word on, then at a start, at its end, and when its
    /// configuration is read again. All of it is there before it is asked for, and nothing behind it.
    static let backends = [
        Target("vhost-user") { bytes in
            let pair = try! SocketPair(.stream)
            let sent = Array(bytes.prefix(16 << 10))
            _ = send(pair.second.rawValue, sent, sent.count, CInt(MSG_NOSIGNAL))
            // Its reading end stays open: requests are taken, and answers end.
            shutdown(pair.second.rawValue, CInt(SHUT_WR))
            guard let frontend = try? VhostUserFrontend(try! pair.first.duplicate()) else { return }
            require(frontend.configuration.count == 60, "a configuration of \(frontend.configuration.count) bytes")
            let memory = try! GuestMemory([
                GuestRegion.Plan(start: GuestAddress(0), size: 1 << 20, backing: .shared)
            ])
            let event = try! EventCounter()
            let number = event.descriptor.rawValue
            let queue = VhostUserFrontend.Queue(index: 0, setup: Virtqueue.Setup(), base: 0, kick: number)
            try? frontend.begin(frontend.features, memory, [queue], call: number)
            if let bases = try? frontend.end([0]) { require(bases.count == 1, "\(bases.count) bases of one queue") }
            try? frontend.refreshConfiguration()
            require(frontend.configuration.count == 60, "a configuration of \(frontend.configuration.count) bytes")
        }
    ]
}
