import Testing

@testable import bulkhead_vm

@Suite struct RequestParserTests {
    private func events(_ text: String, limit: Int = 51_200) throws -> [RequestParser.Event] {
        var parser = RequestParser(bodyLimit: limit)
        parser.take(Array(text.utf8))
        var events: [RequestParser.Event] = []
        while let event = try parser.next() { events.append(event) }
        return events
    }

    private func fault(_ text: String, limit: Int = 51_200) -> HTTPFault? {
        do {
            _ = try events(text, limit: limit)
            return nil
        } catch { return error as? HTTPFault }
    }

    private let put = "PUT /drives/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"

    @Test func aRequestIsReadAsItWasWritten() throws {
        #expect(try events("GET / HTTP/1.1\r\n\r\n") == [.request(HTTPRequest(.get, "/"))])
        #expect(try events(put) == [.request(HTTPRequest(.put, "/drives/a", body: Array("body".utf8)))])
        // A body of no bytes is none.
        #expect(try events("PUT /a HTTP/1.1\r\ncontent-length: 0\r\n\r\n") == [.request(HTTPRequest(.put, "/a"))])
    }

    @Test func itDoesNotMatterHowTheBytesAreCut() throws {
        let stream = Array((put + "GET /version HTTP/1.1\r\n\r\n" + put).utf8)
        let whole = try events(String(decoding: stream, as: UTF8.self))
        #expect(whole.count == 3)
        for size in [1, 2, 3, 7, 50] {
            var parser = RequestParser(bodyLimit: 100)
            var found: [RequestParser.Event] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                parser.take(stream[start..<min(start + size, stream.count)])
                while let event = try parser.next() { found.append(event) }
            }
            #expect(found == whole)
            #expect(!parser.isInside && parser.held == 0)
        }
    }

    @Test("a request means the same whether the one before was the same or another", arguments: [1, 3, 1000])
    func whatIsAskedAgain(size: Int) throws {
        let few = [
            "GET /a HTTP/1.1\r\n\r\n", "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n", "GET /ab HTTP/1.1\r\n\r\n",
            "GET /a HTTP/1.1\r\nAccept: x\r\n\r\n", "PUT /a HTTP/1.1\r\n\r\n", put,
            "GET /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nb",
            "GET /a HTTP/1.1\r\nA: \(String(repeating: "a", count: 900))\r\n\r\n",
        ]
        var (parser, turn) = (RequestParser(bodyLimit: 100), 0)
        // Each behind each, and behind itself.
        for first in few {
            for text in few.flatMap({ [first, $0, $0] }) {
                let alone = try events(text)
                #expect(alone.count == 1)
                var found: [RequestParser.Event] = []
                let bytes = Array(text.utf8)
                for start in stride(from: 0, to: bytes.count, by: size) {
                    parser.take(bytes[start..<min(start + size, bytes.count)])
                    while let event = try parser.next() { found.append(event) }
                }
                #expect(found == alone && !parser.isInside)
                turn += 1
            }
        }
        #expect(turn == 3 * few.count * few.count)
    }

    @Test func halfARequestIsNone() throws {
        for count in 0..<put.utf8.count {
            var parser = RequestParser(bodyLimit: 100)
            parser.take(put.utf8.prefix(count))
            #expect(try parser.next() == nil)
            #expect(parser.isInside == (count > 0))
        }
    }

    @Test func aClientMayAskBeforeItSendsABody() throws {
        let head = "PUT /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        #expect(try events(head) == [.wantsContinue])
        // Who sent the body all the same does not wait.
        #expect(try events(head + "ab") == [.request(HTTPRequest(.put, "/a", body: [0x61, 0x62]))])
        // What would be refused is refused before it is sent.
        #expect(fault(head, limit: 1) == .tooLarge(size: 2, limit: 1))
    }

    @Test func aConnectionEndsWhereTheClientSaysSo() throws {
        func keepsAlive(_ text: String) throws -> Bool? {
            guard case .request(let request) = try events(text).first else { return nil }
            return request.keepsAlive
        }
        #expect(try keepsAlive("GET / HTTP/1.1\r\n\r\n") == true)
        #expect(try keepsAlive("GET / HTTP/1.1\r\nConnection: foo, Close\r\n\r\n") == false)
        #expect(try keepsAlive("GET / HTTP/1.0\r\n\r\n") == false)
        #expect(try keepsAlive("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n") == true)
    }

    @Test func whatIsNoRequestIsRefused() {
        #expect(fault("\r\n") == .request)
        #expect(fault("GET /\r\n") == .request)
        #expect(fault("GET  / HTTP/1.1\r\n") == .request)
        #expect(fault("POST / HTTP/1.1\r\n") == .method)
        #expect(fault("get / HTTP/1.1\r\n") == .method)
        #expect(fault("GET / HTTP/2.0\r\n") == .version)
        #expect(fault("GET /\u{1} HTTP/1.1\r\n") == .target("Cannot parse URI as UTF-8."))
        #expect(fault("GET / HTTP/1.1\r\nno colon\r\n") == .header(name: "no colon"))
        #expect(fault("GET / HTTP/1.1\r\nName : x\r\n") == .header(name: "Name "))
        #expect(fault("GET / HTTP/1.1\r\n folded: x\r\n") == .header(name: " folded"))
        // A line feed alone ends no line, so two readers see the same lines.
        #expect(fault("GET / HTTP/1.1\nA: b\r\n\r\n") == .request)
        #expect(fault("GET / HTTP/1.1\r\nA: b\nContent-Length: 1\r\n\r\n") == .value(name: "A", "b\nContent-Length: 1"))
    }

    @Test(arguments: ["-1", "+1", "0x1", "1 1", "", "1,1", "1a"]) func lengthsAreDigits(_ text: String) {
        #expect(
            fault("PUT / HTTP/1.1\r\nContent-Length: \(text)\r\n") == .value(name: "Content-Length", text))
    }

    @Test func aBodyHasOneLength() {
        let two = "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: "
        #expect(fault(two + "2\r\n\r\na") == .value(name: "Content-Length", "2"))
        #expect(fault(two + "1\r\n\r\na") == nil)
        #expect(
            fault("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n")
                == .unsupported(name: "Transfer-Encoding", "chunked"))
    }

    @Test func nothingGrowsBeyondItsLimit() {
        #expect(fault("PUT / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", limit: 10) == .tooLarge(size: 11, limit: 10))
        #expect(fault("PUT / HTTP/1.1\r\nContent-Length: 10\r\n\r\n", limit: 10) == nil)
        let huge = "PUT / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"
        #expect(fault(huge) == .tooLarge(size: UInt64(Int.max), limit: 51_200))
        let long = String(repeating: "a", count: 2000)
        #expect(fault("GET /\(long)") == .request)
        #expect(fault("GET /\(long) HTTP/1.1\r\n") == .request)
        #expect(fault("GET / HTTP/1.1\r\n\(long)") == .headerTooLong)
        let many = String(repeating: "a: b\r\n", count: 65)
        #expect(fault("GET / HTTP/1.1\r\n\(many)\r\n") == .tooManyHeaders)
        #expect(fault("GET / HTTP/1.1\r\n\(many.dropFirst(5))\r\n") == nil)
    }

    @Test func pathsAreFoundInTargets() {
        #expect(HTTPRequest(.get, "/a/b").path == "/a/b")
        #expect(HTTPRequest(.get, "http://localhost/a").path == "/a")
        #expect(HTTPRequest(.get, "http://localhost").path == "")
        #expect(HTTPRequest(.get, "a").path == "")
    }
}
