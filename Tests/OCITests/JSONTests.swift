import Testing

@testable import OCI

@Suite struct JSONTests {
    static let texts: [(String, JSON)] = [
        ("null", nil), ("true", true), (" false\n", false), ("0", 0), ("-0", 0), ("-1", -1),
        ("123456789012345678", 123_456_789_012_345_678), ("-123456789012345678", -123_456_789_012_345_678),
        ("9223372036854775807", .integer(Int128(Int64.max))), ("-9223372036854775808", .integer(Int128(Int64.min))),
        ("18446744073709551615", .integer(Int128(UInt64.max))),
        ("170141183460469231731687303715884105727", .integer(Int128.max)),
        ("170141183460469231731687303715884105728", .real(170_141_183_460_469_231_731_687_303_715_884_105_728)),
        ("0.5", .real(0.5)), ("-1.25e-2", .real(-0.0125)), ("1E3", .real(1000)), ("1e+2", .real(100)),
        ("1e999", .real(.infinity)), ("-1e999", .real(-.infinity)),
        ("[]", []), ("[ 1 , [2] ]", [1, [2]]), ("{}", [:]), (#"{"a":1,"b":{"c":[]}}"#, ["a": 1, "b": ["c": []]]),
        (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"), (#""\u0041\u00e9\u4e16""#, "Aé世"),
        (#""\ud83d\udEA2 \u0000""#, "🚢 \0"), (#""é世🚢\#u{7F}""#, "é世🚢\u{7F}"),
    ]

    @Test(arguments: texts)
    func parses(_ text: String, _ value: JSON) throws {
        #expect(try JSON(parsing: text) == value)
        #expect(try JSON(parsing: value.encoded()) == value)
        #expect(try JSON(parsing: value.encoded(indentation: "\t")) == value)
    }

    static let malformed: [(String, String)] = [
        ("", "line 1, column 1: expected a value, found the end of the text"),
        (" \n ", "line 2, column 2: expected a value, found the end of the text"),
        ("{]", #"line 1, column 2: expected a name in quotes, found "]""#),
        ("{\n  \"a\": 1,\n}", #"line 3, column 1: expected a name in quotes, found "}""#),
        ("{\"a\" 1}", #"line 1, column 6: expected a colon, found "1""#),
        ("{\"a\": 1 \"b\": 2}", #"line 1, column 9: expected a comma or a closing brace, found """"#),
        ("[1 2]", #"line 1, column 4: expected a comma or a closing bracket, found "2""#),
        ("[1,]", #"line 1, column 4: expected a value, found "]""#),
        ("[1", "line 1, column 3: expected a comma or a closing bracket, found the end of the text"),
        ("tru", "line 1, column 4: expected true, found the end of the text"),
        ("nuLL", #"line 1, column 3: expected null, found "L""#),
        ("{} {}", #"line 1, column 4: expected the end of the document, found "{""#),
        ("01", #"line 1, column 2: expected the end of the document, found "1""#),
        ("-", "line 1, column 2: expected a digit, found the end of the text"),
        ("+1", #"line 1, column 1: expected a value, found "+""#),
        ("1.", "line 1, column 3: expected a digit, found the end of the text"),
        (".5", #"line 1, column 1: expected a value, found ".""#),
        ("1e", "line 1, column 3: expected a digit, found the end of the text"),
        ("NaN", #"line 1, column 1: expected a value, found "N""#),
        ("'a'", #"line 1, column 1: expected a value, found "'""#),
        ("// hi\n1", #"line 1, column 1: expected a value, found "/""#),
        ("\"abc", "line 1, column 5: a string without its closing quote"),
        ("\"a\nb\"", "line 1, column 3: a control character in a string"),
        ("\"\\x\"", #"line 1, column 3: expected an escape (one of "\/bfnrtu), found "x""#),
        ("\"\\u12g4\"", #"line 1, column 6: expected a hexadecimal digit, found "g""#),
        ("\"\\ud83d\"", "line 1, column 8: half of a surrogate pair in a string"),
        ("\"\\ud83d\\u0041\"", "line 1, column 14: half of a surrogate pair in a string"),
        ("\"\\udea2\"", "line 1, column 8: half of a surrogate pair in a string"),
        ("\u{FEFF}{}", "line 1, column 1: expected a value, found the byte 0xEF"),
        ("\0", "line 1, column 1: expected a value, found the byte 0x0"),
        ("{}\0", "line 1, column 3: expected the end of the document, found the byte 0x0"),
    ]

    @Test(arguments: malformed)
    func refuses(_ text: String, _ expected: String) {
        let error = error { () throws(DocumentError) in _ = try JSON(parsing: text) }
        #expect(error?.description == expected)
        #expect(error?.position != nil)
        #expect(error?.path == "")
    }

    /// Overlong forms, surrogates, what lies beyond U+10FFFF, and characters cut short.
    @Test(arguments: [
        [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xC3, 0x28], [0xE0, 0x80, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80],
        [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x9F, 0x9A], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF],
        [0xE2, 0x82, 0x28], [0xF0, 0x9F, 0x28, 0x80],
    ])
    func refusesWhatIsNotUTF8(_ bytes: [UInt8]) {
        let error = error { () throws(DocumentError) in _ = try JSON(parsing: [0x22] + bytes + [0x22]) }
        #expect(error?.description == "line 1, column 2: text that is not UTF-8")
    }

    @Test func limits() throws {
        func nested(_ depth: Int) -> [UInt8] {
            [UInt8](repeating: UInt8(ascii: "["), count: depth) + [UInt8](repeating: UInt8(ascii: "]"), count: depth)
        }
        _ = try JSON(parsing: nested(512))
        let deep = error { () throws(DocumentError) in _ = try JSON(parsing: nested(513)) }
        #expect(deep?.description == "line 1, column 513: nested deeper than 512 levels")
        let open = error { () throws(DocumentError) in _ = try JSON(parsing: [UInt8](repeating: 0x5B, count: 1 << 20)) }
        #expect(open?.problem == "nested deeper than 512 levels")

        let largest = [UInt8](repeating: 0x20, count: JSONTree.maximumSize - 1) + [0x31]
        #expect(try JSON(parsing: largest) == 1)
        let large = error { () throws(DocumentError) in _ = try JSON(parsing: largest + [0x20]) }
        #expect(large?.description == "larger than 8388608 bytes")
    }

    @Test func encodes() {
        let value: JSON = ["a": [1, true, nil], "b": [:], "c": [], "d": ["e": "\"\\\u{1}\n\u{7F}é"], "f": .real(1.5)]
        #expect(
            value.encoded()
                == #"{"a":[1,true,null],"b":{},"c":[],"d":{"e":"\"\\\u0001\n\u007fé"},"f":1.5}"#)
        #expect(
            value.encoded(indentation: "  ") == """
                {
                  "a": [
                    1,
                    true,
                    null
                  ],
                  "b": {},
                  "c": [],
                  "d": {
                    "e": "\\"\\\\\\u0001\\n\\u007fé"
                  },
                  "f": 1.5
                }
                """)
        #expect(JSON.real(.nan).encoded() == "null")
        #expect(JSON.real(-.infinity).encoded() == "-1e999")
        #expect(JSON(UInt64.max).encoded() == "18446744073709551615")
        #expect(JSON(Int64.min).encoded() == "-9223372036854775808")
    }

    @Test func access() {
        let value: JSON = ["pid": 7, "id": "c", "live": true, "fds": ["a"], "pid": 8]
        #expect(value["pid"]?.integerValue(as: Int32.self) == 8)
        #expect(value["id"]?.stringValue == "c")
        #expect(value["live"]?.boolValue == true)
        #expect(value["fds"]?.arrayValue == ["a"])
        #expect(value["none"] == nil)
        #expect(JSON(-1).integerValue(as: UInt8.self) == nil)
        #expect(JSON("1").integerValue(as: Int.self) == nil)
    }
}
