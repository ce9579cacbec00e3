import OCI
import Testing

@testable import bulkhead_vm

/// What the guest's programs are answered.
@Suite struct MetadataServiceTests {
    private static let contents: JSON = [
        "latest": [
            "meta-data": ["ami-id": "ami-1", "tags": ["x", ["y": "z"]], "a/b~c": "d", "count": 3], "user-data": "1",
        ],
        "empty": [:],
    ]

    private func service(needsToken: Bool = false, isPlain: Bool = false) throws -> MetadataService {
        let store = MetadataStore(limit: 1000)
        try store.replace(Self.contents)
        store.configure(needsToken: needsToken, isPlain: isPlain)
        return MetadataService(store: store, counters: MetadataCounters())
    }

    private func request(
        _ method: HTTPRequest.Method, _ target: String, _ fields: [String: String] = [:]
    ) -> HTTPRequest {
        var request = HTTPRequest(method, target)
        request.fields = fields
        return request
    }

    private func text(_ response: HTTPResponse) -> String { String(decoding: response.body ?? [], as: UTF8.self) }

    @Test(
        "plain text, or JSON for who accepts it",
        arguments: [
            ("/", "empty/\nlatest/", #"{"empty":{},"latest":{"#),
            (
                "//latest///meta-data/", "a/b~c\nami-id\ncount\ntags",
                #"{"a/b~c":"d","ami-id":"ami-1","count":3,"tags":["x""#
            ),
            ("/latest/meta-data/ami-id", "ami-1", #""ami-1""#),
            ("/latest/meta-data/tags/1/y", "z", #""z""#),
            ("/latest/meta-data/a~1b~0c", "d", #""d""#),
            ("/empty", "", "{}"),
            ("/latest/meta-data/count", nil, "3"),
            ("/latest/meta-data/tags", nil, #"["x",{"y":"z"}]"#),
        ] as [(String, String?, String)])
    func formats(_ target: String, _ plain: String?, _ json: String) throws {
        let service = try service()
        let response = service.answer(request(.get, target), now: 0)
        if let plain {
            #expect(response.status == .ok && text(response) == plain && response.contentType == "text/plain")
        } else {
            #expect(response.status == .notImplemented)
            #expect(text(response) == "Cannot retrieve value. The value has an unsupported type.")
        }
        for accept in ["application/json", "text/html, Application/JSON;q=0.5"] {
            let response = service.answer(request(.get, target, ["accept": accept]), now: 0)
            #expect(response.status == .ok && text(response).hasPrefix(json))
            #expect(response.contentType == "application/json")
        }
        // As in EC2, where nobody gets JSON.
        let compatible = try self.service(isPlain: true)
        #expect(compatible.answer(request(.get, target, ["accept": "application/json"]), now: 0) == response)
    }

    @Test(arguments: ["/latest/none", "/latest/meta-data/tags/2", "/latest/meta-data/tags/01", "/latest/user-data/1"])
    func whatIsNotThere(_ target: String) throws {
        let response = try service().answer(request(.get, target), now: 0)
        #expect(response.status == .notFound && text(response) == "Resource not found: \(target).")
    }

    @Test func refusals() throws {
        let service = try service()
        let other = service.answer(request(.delete, "/latest"), now: 0)
        #expect(other.status == .methodNotAllowed && text(other) == "Not allowed HTTP method.")
        #expect(String(decoding: other.encoded(), as: UTF8.self).contains("\r\nAllow: GET, PUT\r\n"))
        #expect(service.answer(request(.get, "*"), now: 0).status == .badRequest)
        let lifetime = ["x-metadata-token-ttl-seconds": "60"]
        #expect(service.answer(request(.put, "/latest", lifetime), now: 0).status == .notFound)
        let token = "/latest/api/token"
        func fault(_ fields: [String: String]) -> String? {
            let response = service.answer(request(.put, token, fields), now: 0)
            return response.status == .badRequest ? text(response) : nil
        }
        #expect(fault([:])?.hasPrefix("Token time to live value not found.") == true)
        for wrong in ["0", "21601"] {
            #expect(
                fault(["x-metadata-token-ttl-seconds": wrong]) == "Invalid time to live value provided for token: "
                    + "\(wrong). Please provide a value between 1 and 21600.")
        }
        for wrong in ["-1", "x", "4294967296", ""] {
            #expect(
                fault(["x-aws-ec2-metadata-token-ttl-seconds": wrong])
                    == "Invalid header. Reason: Invalid value. Key:X-aws-ec2-metadata-token-ttl-seconds; Value:\(wrong)"
            )
        }
        #expect(
            fault(lifetime.merging(["x-forwarded-for": "me"]) { $1 })
                == "Invalid header. Reason: Unsupported header name. Key: X-Forwarded-For")
    }

    @Test(
        "version 2 asks for a token, which is valid for its time and no longer",
        arguments: [
            "x-metadata-token", "x-aws-ec2-metadata-token",
        ])
    func tokens(_ name: String) throws {
        let service = try service(needsToken: true)
        let response = service.answer(request(.put, "//latest/api/token/", ["\(name)-ttl-seconds": "10"]), now: 5)
        #expect(response.status == .ok)
        #expect(response.fields.map(\.value) == ["10"] && response.fields[0].name.lowercased() == "\(name)-ttl-seconds")
        let token = text(response)
        #expect(token.utf8.count == 40)
        let second = 1_000_000_000 as UInt64
        func status(_ token: String?, _ now: UInt64) -> HTTPResponse.Status {
            service.answer(request(.get, "/latest/user-data", token.map { [name: $0] } ?? [:]), now: now).status
        }
        #expect(status(token, 5) == .ok && status(token, 10 * second) == .ok)
        #expect(status(token, 10 * second + 5) == .unauthorized)
        #expect(status(nil, 5) == .unauthorized && status("A" + token.dropFirst(), 5) == .unauthorized)
        #expect(service.counters[.noToken] == 1 && service.counters[.invalidToken] == 2)
    }

    @Test("a guest that asks for more tokens than are kept loses the oldest")
    func manyTokens() {
        var tokens = SessionTokens()
        let first = tokens.make(lifetime: 10, now: 0)
        let made = (0..<SessionTokens.most).map { _ in tokens.make(lifetime: 20, now: 0) }
        #expect(Set(made).count == SessionTokens.most)
        #expect(!tokens.isValid(first, now: 0) && made.allSatisfy { tokens.isValid($0, now: 0) })
        let last = tokens.make(lifetime: 10, now: 20_000_000_000)
        #expect(tokens.isValid(last, now: 20_000_000_000))
    }

    @Test("version 1 takes tokens and does without")
    func versionOne() throws {
        let service = try service()
        #expect(service.answer(request(.get, "/latest/user-data", ["x-metadata-token": "none"]), now: 0).status == .ok)
        #expect(service.counters[.invalidToken] == 1 && service.counters[.noToken] == 0)
    }
}

/// The document, as the API's clients change it.
@Suite struct MetadataStoreTests {
    /// RFC 7396, appendix A; members in their names' order.
    @Test(arguments: [
        (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
        (#"{"a":"b"}"#, #"{"a":null}"#, "{}"),
        (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
        (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
        (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
        (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
        (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
        (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
        (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#),
        (#"{"a":"foo"}"#, "null", "null"),
        (#"{"a":"foo"}"#, #""bar""#, #""bar""#),
        (#"{"e":null}"#, #"{"a":1}"#, #"{"a":1,"e":null}"#),
        ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
        ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
    ])
    func merges(_ old: String, _ patch: String, _ new: String) throws {
        let store = MetadataStore(limit: 100)
        #expect(throws: MetadataStore.Refusal.notInitialized) { try store.merge(JSON(parsing: patch)) }
        try store.replace(try JSON(parsing: old))
        try store.merge(try JSON(parsing: patch))
        #expect(store.contents.encoded() == new)
    }

    @Test func limits() throws {
        let store = MetadataStore(limit: 20)
        #expect(throws: MetadataStore.Refusal.tooLarge) { try store.replace(["a": "0123456789012"]) }
        #expect(store.contents == .null)
        try store.replace(["a": "012345678901"])
        #expect(throws: MetadataStore.Refusal.tooLarge) { try store.merge(["b": 1]) }
        #expect(store.contents == ["a": "012345678901"])
        try store.merge(["a": nil, "b": "0123456789"])
        #expect(store.contents == ["b": "0123456789"])
    }

    @Test func membersAreSortedAndThereOnce() throws {
        let store = MetadataStore(limit: 100)
        try store.replace(try JSON(parsing: #"{"b":1,"ä":2,"a":[{"d":1,"c":2}],"b":3}"#))
        #expect(store.contents.encoded() == #"{"a":[{"c":2,"d":1}],"b":3,"ä":2}"#)
    }
}
