import Glibc
import Linux
import TestSupport
import Testing

/// The checklist in Docs/Virtio.md is only worth something while the tests that it names are there.
@Suite struct ChecklistTests {
    private static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    private static let hasSources = access("\(root)/Docs/Virtio.md", R_OK) == 0

    @Test("each test that the checklist names exists", .enabled(if: hasSources, "needs the package's sources"))
    func names() throws {
        let code = /`(?:(\w+)Tests)?\.(\w+)`/
        var sources: [Substring: String] = [:]
        var count = 0
        for line in try readText("\(Self.root)/Docs/Virtio.md").split(separator: "\n") where line.hasPrefix("|") {
            // A name without its suite belongs to the one named before it in the line.
            var suite: Substring?
            for match in String(line).matches(of: code) {
                suite = match.1 ?? suite
                guard let suite else {
                    Issue.record("no suite for .\(match.2): \(line)")
                    continue
                }
                if sources[suite] == nil { sources[suite] = try Self.source(of: "\(suite)Tests") }
                #expect(sources[suite]?.contains("func \(match.2)(") == true, "\(suite)Tests.\(match.2)")
                count += 1
            }
        }
        #expect(count > 80, "the checklist has become another kind of document")
    }

    /// A suite's own file, and those that extend it.
    private static func source(of suite: String) throws -> String {
        let folder = "\(root)/Tests/VirtioTests"
        var source = try readText("\(folder)/\(suite).swift")
        var found = glob_t()
        defer { globfree(&found) }
        try #require(glob("\(folder)/*Tests.swift", 0, nil, &found) == 0)
        for index in 0..<Int(found.gl_pathc) {
            let text = try readText(String(cString: found.gl_pathv[index]!))
            if text.contains("extension \(suite) {") { source += text }
        }
        return source
    }
}
