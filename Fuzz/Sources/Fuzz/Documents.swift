import Cgroups
import OCI

@testable import Containers

extension Target {
    /// What bundles, clients and other runtimes write.
    static let documents = [
        Target("json") { bytes in
            roundTrip(bytes, read: { try JSON(parsing: $0) }, write: { $0.encodedBytes() })
        },
        Target("config") { bytes in
            roundTrip(bytes, read: { try Configuration(json: $0) }, write: { $0.json.encodedBytes() })
            do { _ = try Configuration(json: bytes) } catch {
                require(!"\(error)".contains("\n"), "an error of more than one line: \(error)")
            }
        },
        Target("process") { bytes in
            roundTrip(bytes, read: { try Configuration.Process(json: $0) }, write: { $0.json.encodedBytes() })
        },
        Target("resources") { bytes in
            roundTrip(bytes, read: { try Configuration.Resources(json: $0) }, write: { $0.json.encodedBytes() })
            guard let resources = try? Configuration.Resources(json: bytes),
                let limits = try? ResourceLimits(resources)
            else { return }
            for setting in limits.settings {
                require(!setting.file.contains("/"), "a limit leaves the cgroup's directory: \(setting)")
            }
        },
        Target("state") { bytes in
            roundTrip(bytes, read: { try State(json: $0) }, write: { $0.json.encodedBytes() })
        },
        Target("features") { bytes in
            roundTrip(bytes, read: { try Features(json: $0) }, write: { $0.json.encodedBytes() })
        },
        // The runtime's own record, which a broken disk or a stranger may have written.
        Target("record") { bytes in
            roundTrip(bytes, read: { try Record(decoding: $0) }, write: { $0.encoded() })
        },
        Target("version") { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let version = SemanticVersion(text) else { return }
            require(version.description == text, "\(text) is written as \(version)")
            require(!(version < version), "\(version) is before itself")
        },
    ]
}
