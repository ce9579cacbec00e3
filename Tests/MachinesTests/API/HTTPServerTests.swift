import CConfinement
import Glibc
import Linux
import Testing

@testable import bulkhead_vm

/// A server in this process, whose clock is the test's.
private final class TestServer {
    let loop: EventLoop
    private let server: HTTPServer
    let path: String
    private let folder = Scratch()
    var now: UInt64 = 1
    /// How many requests were answered.
    var count = 0
    var body: [UInt8] = []
    /// What happens meanwhile.
    var whileAnswering: () -> Void = {}

    init(bodyLimit: Int = 1000) throws {
        loop = try EventLoop()
        path = "\(folder.path)/socket"
        server = try HTTPServer(at: path, bodyLimit: bodyLimit, loop, firstToken: 7)
    }

    /// Handles all that is there.
    func turn() throws {
        while true {
            var events: [(UInt64, Readiness)] = []
            try loop.wait(timeoutMilliseconds: 0) { events.append(($0, $1)) }
            if events.isEmpty { return }
            for (token, readiness) in events {
                server.handle(token, readiness, loop, now) { _ in
                    count += 1
                    whileAnswering()
                    return HTTPResponse(.ok, body)
                }
            }
        }
    }

    func client() throws -> Descriptor {
        let client = try UnixSocket.connect(to: path)
        try client.setNonBlocking(true)
        return client
    }
}

/// Descriptors can't be in an array.
private final class Client {
    let socket: Descriptor
    init(_ socket: consuming Descriptor) { self.socket = socket }

    // A child that another suite forks has a copy until its exec, and would keep it open.
    deinit { shutdown(socket.rawValue, CInt(SHUT_RDWR)) }
}

extension Descriptor {
    /// All that is there; nil after the end.
    fileprivate func received() throws -> String? {
        var all: [UInt8] = []
        while true {
            do throws(SystemError) {
                let bytes = try read(upTo: 65536)
                if bytes.isEmpty { return all.isEmpty ? nil : String(decoding: all, as: UTF8.self) }
                all += bytes
            } catch {
                guard error.errno == .wouldBlock else { throw error }
                return String(decoding: all, as: UTF8.self)
            }
        }
    }
}

@Suite struct HTTPServerTests {
    private let get = "GET / HTTP/1.1\r\n\r\n"

    private func send(_ bytes: [UInt8], _ client: borrowing Descriptor) -> Int {
        bytes.withUnsafeBytes { Glibc.send(client.rawValue, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
    }

    /// So that the server, which reads a part at a time, never finds nothing to read.
    @Test func aClientThatIsQuickerThanTheServerIsAnsweredToTheEnd() throws {
        let server = try TestServer()
        let client = Client(try server.client())
        let request = Array("GET /machine-config HTTP/1.1\r\n\r\n".utf8)
        var asked = 1
        try client.socket.write(request)
        server.whileAnswering = {
            _ = try? client.socket.received()
            guard asked < 5000, (try? client.socket.write(request)) != nil else { return }
            asked += 1
        }
        try server.turn()
        #expect(server.count == 5000 && asked == 5000)
    }

    /// Requests are looked at first, which wakes nobody, and taken by and by.
    @Test func eachRequestIsAnsweredOnceHoweverItComes() throws {
        let server = try TestServer(bodyLimit: 10_000)
        let client = try server.client()
        try client.write(get)
        try server.turn()
        #expect(try client.received()?.hasPrefix("HTTP/1.1 200") == true && server.count == 1)
        #expect(bh_unread(client.rawValue) > 0, "the first was taken")
        var (expected, wasTaken) = (1, false)
        for size in [0, 1, 20, 700, 5000, 9000, 0, 3, 4096] + Array(repeating: 0, count: 100) {
            let body = String(repeating: "b", count: size)
            let request = Array("PUT /a HTTP/1.1\r\nContent-Length: \(size)\r\n\r\n\(body)".utf8)
            for piece in [request[..<7], request[7..<20], request[20...]] {
                #expect(try client.received()?.isEmpty == true)
                try client.write(Array(piece))
                try server.turn()
            }
            expected += 1
            #expect(server.count == expected, "a body of \(size)")
            #expect(try client.received()?.split(separator: "HTTP/1.1 200").count == 1)
            if bh_unread(client.rawValue) == 0 { wasTaken = true }
        }
        #expect(wasTaken)
    }

    @Test func answersComeInOrderOverOneConnection() throws {
        let server = try TestServer()
        server.body = Array("{}".utf8)
        let client = try server.client()
        try client.write(get + get + get)
        try server.turn()
        let answer =
            "HTTP/1.1 200 OK\r\nServer: Firecracker API\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n"
            + "Content-Length: 2\r\n\r\n{}"
        #expect(try client.received() == answer + answer + answer)
        try client.write(get)
        try server.turn()
        #expect(try client.received() == answer)
        #expect(server.count == 4)
    }

    @Test func anAnswerIsWhatItIsNowAndNotWhatItWas() throws {
        let server = try TestServer()
        let client = try server.client()
        for body in ["1", "1", "2", "", "2", "22", "2"] {
            server.body = Array(body.utf8)
            try client.write(get)
            try server.turn()
            let answer = try client.received()
            #expect(
                answer?.hasSuffix("Connection: keep-alive\r\n\(Self.type)\(body.utf8.count)\r\n\r\n\(body)") == true)
        }
        try client.write("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        try server.turn()
        #expect(try client.received()?.hasSuffix("Connection: close\r\n\(Self.type)1\r\n\r\n2") == true)
        #expect(try client.received() == nil)
    }

    private static let type = "Content-Type: application/json\r\nContent-Length: "

    @Test func whoSaysGoodbyeIsAnsweredAndLeft() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.write("GET / HTTP/1.1\r\nConnection: close\r\n\r\n" + get)
        try server.turn()
        #expect(try #require(try client.received()).contains("Connection: close\r\n"))
        #expect(server.count == 1)
        #expect(try client.received() == nil)
        // A client that only closes its own direction is answered as well.
        let half = try server.client()
        try half.write(get)
        shutdown(half.rawValue, CInt(SHUT_WR))
        try server.turn()
        #expect(try #require(try half.received()).hasPrefix("HTTP/1.1 200"))
        #expect(try half.received() == nil)
    }

    @Test func bytesThatAreNoRequestEndTheConnection() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.write(get + "nonsense\r\n" + get)
        try server.turn()
        let text = try #require(try client.received())
        #expect(server.count == 1)
        #expect(text.contains("HTTP/1.1 400 Bad Request\r\n"))
        #expect(text.hasSuffix(#"{"error":"Invalid request.\nAll previous unanswered requests will be dropped."}"#))
        #expect(try client.received() == nil)
    }

    @Test func theEleventhIsToldSo() throws {
        let server = try TestServer()
        var clients: [Client] = []
        for _ in 0..<HTTPServer.mostConnections { clients.append(Client(try server.client())) }
        try server.turn()
        let late = try server.client()
        // What it asks before it is let in is no reason for a reset.
        try late.write(get)
        try server.turn()
        let text = try #require(try late.received())
        #expect(text.hasPrefix("HTTP/1.1 503 Service Unavailable\r\n"))
        #expect(text.hasSuffix(#"{"error":"Too many open connections"}"#))
        #expect(try late.received() == nil)
        // One that leaves makes room.
        clients.removeLast()
        try server.turn()
        let next = try server.client()
        try next.write(get)
        try server.turn()
        #expect(try #require(try next.received()).hasPrefix("HTTP/1.1 200"))
        withExtendedLifetime(clients) {}
    }

    @Test func tenThatHangKeepNobodyOutForLong() throws {
        let server = try TestServer()
        var clients: [Client] = []
        for _ in 0..<HTTPServer.mostConnections {
            let client = try server.client()
            try client.write("PUT /a HTTP/1.1\r\nContent-Le")
            clients.append(Client(client))
        }
        try server.turn()
        server.now += 9_000_000_000
        let early = try server.client()
        try server.turn()
        #expect(try #require(try early.received()).hasPrefix("HTTP/1.1 503"))
        server.now += 2_000_000_000
        let late = try server.client()
        try late.write(get)
        try server.turn()
        #expect(try #require(try late.received()).hasPrefix("HTTP/1.1 200"))
        withExtendedLifetime(clients) {}
    }

    @Test func whoDoesNotReadIsNotReadEither() throws {
        let server = try TestServer()
        server.body = [UInt8](repeating: 0x20, count: 4000)
        // Long ones, so that a socket's buffer has room for few.
        let get = "GET / HTTP/1.1\r\nPadding: \(String(repeating: "a", count: 900))\r\n\r\n"
        let client = try server.client()
        let many = Array(String(repeating: get, count: 100).utf8)
        // As much as the socket takes, again and again: what is not taken any more is the client's trouble.
        var sent = 0
        for _ in 0..<50 {
            // A stream goes on where it was cut.
            let count = send(Array(many[(sent % get.utf8.count)...]), client)
            if count > 0 { sent += count }
            try server.turn()
        }
        #expect(sent < 50 * many.count)
        // Others are served meanwhile.
        let other = try server.client()
        try other.write(get)
        try server.turn()
        #expect(try #require(try other.received()).hasPrefix("HTTP/1.1 200"))
        // It gets its answers when it takes them: those of all requests that were taken whole.
        var answers = ""
        while case let text? = try client.received(), !text.isEmpty {
            answers += text
            try server.turn()
        }
        #expect(answers.split(separator: "HTTP/1.1 200").count == sent / get.utf8.count)
    }

    @Test func aBodyThatIsTooLargeIsNotTaken() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.write("PUT /a HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n")
        try server.turn()
        #expect(try #require(try client.received()).contains("100000000 is larger than the limit of 1000 allowed"))
        // A client that sends it all the same is cut off.
        let piece = [UInt8](repeating: 0, count: 65536)
        var sent = 0
        while sent < 100_000_000 {
            let count = send(piece, client)
            if count < 0, errno != EAGAIN { break }
            sent += max(0, count)
            try server.turn()
        }
        #expect(sent < 3 << 20)
    }

    @Test func nothingIsLeftOfClientsThatCameAndWent() async {
        // In a process of its own, where no other test opens anything.
        await #expect(processExitsWith: .success) {
            let server = try TestServer()
            func visit() throws {
                let client = try server.client()
                try client.write("GET / HTTP/1.1\r\n\r\nPUT /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")
                try server.turn()
                try client.close()
                try server.turn()
            }
            func open() -> Int { (0..<1024).count { fcntl($0, F_GETFD) != -1 } }
            // What is opened once is opened now.
            for _ in 0..<2 { try visit() }
            let before = open()
            for _ in 0..<200 { try visit() }
            // The test library opens a few of its own meanwhile; a leak would be two hundred.
            #expect(open() < before + 25)
            #expect(server.count == 202)
        }
    }

    @Test func theSocketGoesWithTheServer() throws {
        let path = try { () throws in
            let server = try TestServer()
            #expect(access(server.path, F_OK) == 0)
            #expect(throws: SystemError.self) {
                _ = try HTTPServer(at: server.path, bodyLimit: 1, server.loop, firstToken: 100)
            }
            // Refused, the other did not take the socket with it.
            #expect(access(server.path, F_OK) == 0)
            return server.path
        }()
        #expect(access(path, F_OK) != 0)
    }
}
