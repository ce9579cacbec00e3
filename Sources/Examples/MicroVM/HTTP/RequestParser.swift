import Glibc

/// Reads requests from a stream of bytes, however they are cut. It does nothing else: no descriptor, no clock.
///
/// ```swift
/// var parser = RequestParser(bodyLimit: 51_200)
/// parser.take(bytes)
/// while let event = try parser.next() { … }
/// ```
///
/// It is strict where two readers could differ, as the same socket may be reached through a proxy: lines end in CR LF, a
/// body has one length in digits, and no body comes in chunks.
struct RequestParser {
    /// Bytes in the request's line, and in a header.
    static let mostInLine = 1024
    static let mostHeaders = 64

    enum Event: Hashable {
        case request(HTTPRequest)
        /// The client waits for leave to send the body; RFC 9110, section 10.1.1.
        case wantsContinue
    }

    private enum State {
        case line
        case headers
        case body
    }

    let bodyLimit: Int
    private var buffer: [UInt8] = []
    /// What of the buffer was understood already.
    private var start = 0
    /// Up to where no line ends.
    private var searched = 0
    private var state = State.line
    private var request = HTTPRequest(.get, "/")
    private var length: Int?
    private var headers = 0
    private var wantsContinue = false
    /// Where the request begins, while all of it is in the buffer.
    private var begin: Int?
    /// The last request without a body, if its bytes are few: clients ask the same again and again.
    private var last: Read?
    private static let mostRemembered = 512

    private final class Read {
        let bytes: [UInt8]
        let request: HTTPRequest

        init(_ bytes: [UInt8], _ request: HTTPRequest) { (self.bytes, self.request) = (bytes, request) }
    }

    /// - Parameter bodyLimit: the largest body: bytes.
    init(bodyLimit: Int) { self.bodyLimit = bodyLimit }

    /// Whether a request has begun and not ended.
    var isInside: Bool { state != .line || start < buffer.count }

    /// Bytes that are kept.
    var held: Int { buffer.count - start }

    /// Takes what came in. What is not looked at by ``next()`` is kept, so bring little at a time.
    mutating func take(_ bytes: some Collection<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            (searched, start, begin) = (searched - start, 0, nil)
        }
        buffer += bytes
    }

    /// The next thing that is complete; nil where more bytes are needed.
    ///
    /// - Throws: ``HTTPFault``. It is of no use to go on then.
    mutating func next() throws(HTTPFault) -> Event? {
        while true {
            switch state {
            case .line:
                if let request = takeLast() { return .request(request) }
                begin = start
                guard let line = try nextLine(tooLong: .request) else { return nil }
                request = try Self.request(line)
                (state, length, headers, wantsContinue) = (.headers, nil, 0, false)
            case .headers:
                guard let line = try nextLine(tooLong: .headerTooLong) else { return nil }
                if !line.isEmpty {
                    headers += 1
                    guard headers <= Self.mostHeaders else { throw .tooManyHeaders }
                    try takeHeader(line)
                    continue
                }
                state = .body
                let expected = length ?? 0
                guard expected <= bodyLimit else { throw .tooLarge(size: UInt64(expected), limit: bodyLimit) }
                if wantsContinue, expected > held { return .wantsContinue }
            case .body:
                let count = length ?? 0
                guard held >= count else { return nil }
                if count > 0 { request.body = Array(buffer[start..<start + count]) }
                start += count
                state = .line
                if count == 0 { remember() }
                forgetTaken()
                return .request(request)
            }
        }
    }

    /// The last request, if its bytes are what comes next. The same bytes mean the same.
    private mutating func takeLast() -> HTTPRequest? {
        guard let last, held >= last.bytes.count else { return nil }
        let isSame = buffer.withUnsafeBytes { buffer in
            last.bytes.withUnsafeBytes { memcmp(buffer.baseAddress! + start, $0.baseAddress!, $0.count) == 0 }
        }
        guard isSame else { return nil }
        start += last.bytes.count
        forgetTaken()
        return last.request
    }

    private mutating func remember() {
        guard let begin, start - begin <= Self.mostRemembered else { return }
        last = Read(Array(buffer[begin..<start]), request)
    }

    private mutating func forgetTaken() {
        searched = start
        guard start == buffer.count else { return }
        (start, searched, begin) = (0, 0, nil)
        if buffer.capacity > Self.mostInLine { buffer = [] } else { buffer.removeAll(keepingCapacity: true) }
    }

    // MARK: - Lines

    /// A line without its end; nil where it is not there yet.
    private mutating func nextLine(tooLong: HTTPFault) throws(HTTPFault) -> ArraySlice<UInt8>? {
        var index = max(searched, start)
        // A line ends in CR LF; either alone is a byte that no line may have.
        while index + 1 < buffer.count {
            if buffer[index] == 0x0d, buffer[index + 1] == 0x0a {
                guard index - start <= Self.mostInLine else { throw tooLong }
                let line = buffer[start..<index]
                start = index + 2
                searched = start
                return line
            }
            index += 1
        }
        searched = index
        guard buffer.count - start <= Self.mostInLine + 1 else { throw tooLong }
        return nil
    }

    /// `GET /path HTTP/1.1`
    private static func request(_ line: ArraySlice<UInt8>) throws(HTTPFault) -> HTTPRequest {
        guard let first = line.firstIndex(of: 0x20), let last = line.lastIndex(of: 0x20), first < last,
            !line[(first + 1)..<last].contains(0x20)
        else { throw .request }
        guard let method = HTTPRequest.Method(line[..<first]) else { throw .method }
        let (target, version) = (line[(first + 1)..<last], line[(last + 1)...])
        if target.isEmpty { throw .target("Empty URI not allowed.") }
        guard target.allSatisfy({ $0 > 0x20 && $0 != 0x7f }),
            let target = String(validating: target, as: UTF8.self)
        else { throw .target("Cannot parse URI as UTF-8.") }
        var request = HTTPRequest(method, target)
        if version.elementsEqual("HTTP/1.0".utf8) {
            request.keepsAlive = false
        } else if !version.elementsEqual("HTTP/1.1".utf8) {
            throw .version
        }
        return request
    }

    private mutating func takeHeader(_ line: ArraySlice<UInt8>) throws(HTTPFault) {
        guard let colon = line.firstIndex(of: 0x3a), colon > line.startIndex,
            // Neither a folded line nor a space before the colon, which readers take for different things.
            line[..<colon].allSatisfy(Self.isNameByte)
        else { throw .header(name: Self.text(line.prefix { $0 != 0x3a })) }
        let name = Self.text(line[..<colon])
        let value = Self.trim(line[(colon + 1)...])
        guard value.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7f) }) else {
            throw .value(name: name, Self.text(value))
        }
        switch name.lowercased() {
        case "content-length":
            guard !value.isEmpty, value.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw .value(name: name, Self.text(value))
            }
            // More digits than an integer has room for are a size, too: one that is too large.
            let count = Int(Self.text(value)) ?? Int.max
            guard length ?? count == count else { throw .value(name: name, Self.text(value)) }
            length = count
        case "transfer-encoding":
            guard Self.text(value).lowercased() == "identity" else {
                throw .unsupported(name: name, Self.text(value))
            }
        case "expect": wantsContinue = Self.text(value).lowercased() == "100-continue"
        case "connection":
            for option in Self.text(value).lowercased().split(separator: ",") {
                switch option.filter({ $0 != " " && $0 != "\t" }) {
                case "close": request.keepsAlive = false
                case "keep-alive": request.keepsAlive = true
                default: break
                }
            }
        case let other where HTTPRequest.keptFields.contains(other):
            if request.fields[other] == nil { request.fields[other] = Self.text(value) }
        default: break
        }
    }

    /// `tchar` of RFC 9110, section 5.6.2.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
        case 0x21, 0x23...0x27, 0x2a, 0x2b, 0x2d, 0x2e, 0x5e...0x60, 0x7c, 0x7e: true
        default: false
        }
    }

    private static func trim(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while let byte = bytes.first, byte == 0x20 || byte == 0x09 { bytes.removeFirst() }
        while let byte = bytes.last, byte == 0x20 || byte == 0x09 { bytes.removeLast() }
        return bytes
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}
