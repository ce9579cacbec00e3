import Foundation
import Testing

@testable import OCI

@Suite struct TemplateTests {
    static let runc = ["/usr/sbin/runc", "/usr/bin/runc"].first { FileManager.default.isExecutableFile(atPath: $0) }

    @Test func isValid() throws {
        for configuration in [Configuration.template(), .rootlessTemplate(uid: 1000, gid: 100)] {
            try configuration.validate()
            #expect(try Configuration(json: configuration.json.encoded(indentation: "\t")) == configuration)
        }
    }

    @Test(.enabled(if: runc != nil, "runc is not installed"))
    func isWhatRuncWrites() throws {
        var ours = Configuration.template()
        let theirs = try Self.runcSpec([])
        Self.adopt(theirs, into: &ours)
        #expect(ours == theirs)
    }

    @Test(.enabled(if: runc != nil, "runc is not installed"))
    func rootlessIsWhatRuncWrites() throws {
        var ours = Configuration.rootlessTemplate(uid: geteuid(), gid: getegid())
        let theirs = try Self.runcSpec(["--rootless"])
        Self.adopt(theirs, into: &ours)
        #expect(ours == theirs)
    }

    /// Takes over what differs between versions of runc or between us and runc on purpose, after checking it.
    static func adopt(_ theirs: Configuration, into ours: inout Configuration) {
        #expect(ours.ociVersion >= theirs.ociVersion)
        ours.ociVersion = theirs.ociVersion
        ours.hostname = theirs.hostname
        // runc 1.1 lists ambient capabilities, which without inheritable ones nothing can have.
        ours.process?.capabilities?.ambient = theirs.process?.capabilities?.ambient ?? []
        // We mask all that runc masks, and what has been found to leak since.
        #expect(Set(ours.linux.maskedPaths).isSuperset(of: theirs.linux.maskedPaths))
        ours.linux.maskedPaths = theirs.linux.maskedPaths
        // runc makes a cgroup namespace where the host's hierarchy is unified.
        if theirs.linux.namespace(.cgroup) == nil { ours.linux.namespaces.removeAll { $0.type == .cgroup } }
        func order(_ left: Configuration.Namespace, _ right: Configuration.Namespace) -> Bool {
            left.type.rawValue < right.type.rawValue
        }
        #expect(ours.linux.namespaces.sorted(by: order) == theirs.linux.namespaces.sorted(by: order))
        ours.linux.namespaces = theirs.linux.namespaces
    }

    static func runcSpec(_ arguments: [String]) throws -> Configuration {
        let bundle = FileManager.default.temporaryDirectory.appendingPathComponent("oci-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: bundle, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: bundle) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(runc))
        process.arguments = ["spec", "--bundle", bundle.path] + arguments
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return try Configuration(json: Array(try Data(contentsOf: bundle.appendingPathComponent("config.json"))))
    }

    @Test(.enabled(if: runc != nil, "runc is not installed"))
    func runcFeaturesDecode() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Self.runc))
        process.arguments = ["features"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = Array(output.fileHandleForReading.readDataToEndOfFile())
        process.waitUntilExit()
        let features = try Features(json: bytes)
        #expect(features.hooks?.contains("createRuntime") == true)
        #expect(features.linux?.capabilities?.contains("CAP_CHOWN") == true)
        #expect(try Features(json: features.json.encodedBytes()) == features)
    }
}
