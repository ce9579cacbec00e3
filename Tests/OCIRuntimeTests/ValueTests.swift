import Testing

@testable import bulkhead_oci

@Suite struct ValueTests {
    private static let sizes: [(String, Int64)] = [
        ("0", 0), ("1024", 1024), ("1k", 1024), ("1K", 1024), ("2kb", 2048), ("3KiB", 3072), ("512m", 536_870_912),
        ("1.5g", 1_610_612_736), ("1g", 1_073_741_824), ("1t", 1_099_511_627_776), ("7b", 7), ("1 m", 1_048_576),
        ("-1", -1), ("0.5", 0), ("9223372036854775807", .max),
    ]

    @Test(arguments: sizes)
    func memorySizes(text: String, bytes: Int64) { #expect(memorySize(text) == bytes) }

    @Test(arguments: ["", "-2", "g", "1x", "1.", ".5m", "1.2.3", "1gg", "9223372036854775808", "9000000p", "1k k", "٣"])
    func memorySizesThatAreNone(text: String) { #expect(memorySize(text) == nil) }

    @Test(arguments: [("5s", 5000), ("100ms", 100), ("1m30s", 90000), ("1.5h", 5_400_000), ("2", 2000), ("1ns", 1)])
    func times(text: String, expected: Int64) { #expect(milliseconds(text) == expected) }

    @Test(arguments: ["", "s", "1d", "5 s", "-1s", "1s2", "1e30h"])
    func timesThatAreNone(text: String) { #expect(milliseconds(text) == nil) }

    @Test(arguments: [("0", 0, nil), ("1000", 1000, nil), ("1000:0", 1000, 0), ("4294967294:7", 4_294_967_294, 7)])
    func users(text: String, uid: UInt32, gid: UInt32?) throws {
        let user = try #require(userAndGroup(text))
        #expect(user.uid == uid && user.gid == gid)
    }

    /// CVE-2026-30892: nothing that is not exactly a number may become user 0, or any other.
    @Test(arguments: [
        "", ":", "1:", ":1", "root", "1x", "x1", " 1", "1 ", "+1", "-1", "0x10", "1:2:3", "1,2", "4294967295",
        "4294967296", "99999999999999999999", "1:4294967295", "1:-1", "1:staff", "١",
    ])
    func usersThatAreNone(text: String) { #expect(userAndGroup(text) == nil) }
}
