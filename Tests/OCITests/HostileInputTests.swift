import Testing

@testable import OCI

/// Input that nobody means well with: it may be refused, it may not crash, hang or be taken for something else.
@Suite struct HostileInputTests {
    /// Enough to break a careless parser, few enough for a machine under emulation.
    static let rounds = 300

    @Test(arguments: ["podman", "features"])
    func everyPrefixIsRefused(_ name: String) throws {
        let bytes = try document(name)
        let end = try #require(bytes.lastIndex(of: UInt8(ascii: "}")))
        for length in 0...end {
            let error = error { () throws(DocumentError) in _ = try Configuration(json: bytes[..<length]) }
            #expect(error?.position != nil, "the first \(length) bytes of \(name)")
        }
    }

    @Test func everyPrefixOfEverySyntaxIsRefused() throws {
        let text = #"{"é\u00e9\ud83d\udea2🚢\n\"": [true, false, null, -0.5e+10, 1E-2, "", {}, [ ], {"a" : [1, 2]}]}"#
        _ = try JSON(parsing: text)
        for length in 0..<text.utf8.count {
            let error = error { () throws(DocumentError) in _ = try JSON(parsing: text.utf8.prefix(length)) }
            #expect(error?.position != nil, "the first \(length) bytes")
        }
    }

    @Test(arguments: ["complete", "docker", "podman"])
    func mutations(_ name: String) throws {
        let original = try document(name)
        var random = SplitMix(state: 0x6275_6c6b_6865_6164)
        let tokens = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "null", "-", "1e9", "\u{0}", "\\u0000", "99999999999999999999",
        ]
        var accepted = 0
        for _ in 0..<Self.rounds {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: position)
                case 2:
                    let end = min(bytes.count, position + Int.random(in: 1...40, using: &random))
                    bytes.removeSubrange(position..<end)
                default: bytes.insert(contentsOf: tokens.randomElement(using: &random)!.utf8, at: position)
                }
            }
            if let configuration = try? Configuration(json: bytes) {
                accepted += 1
                // What is accepted means the same when it is written and read again.
                #expect(try Configuration(json: configuration.json.encodedBytes()) == configuration)
            } else {
                let error = error { () throws(DocumentError) in _ = try Configuration(json: bytes) }
                #expect(error?.description.contains("\n") == false)
            }
        }
        #expect(accepted > 0 && accepted < Self.rounds)
    }

    @Test func manyUnknownNames() throws {
        // Looking names up is linear in the object for each known field, and must not become quadratic.
        var text = #"{"ociVersion":"1.0.0","root":{"path":"/"}"#
        for index in 0..<100_000 { text += ",\"x\(index)\":0" }
        text += "}"
        #expect(try Configuration(json: text).root.path == "/")
    }

    @Test func longValuesAreCutInErrors() throws {
        let long = String(repeating: "é", count: 100_000)
        let message = try #require(complaint("{\"ociVersion\":\"\(long)\",\"root\":{\"path\":\"/\"}}"))
        #expect(message.utf8.count < 150)
    }
}

/// A generator with a seed, so that a failure can be had again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
