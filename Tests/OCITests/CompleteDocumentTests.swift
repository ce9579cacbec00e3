import Testing

@testable import OCI

/// A document that uses every field, taken apart field by field: whatever the mapping forgets, one of these finds.
@Suite struct CompleteDocumentTests {
    let bytes: [UInt8]
    let json: JSON
    let configuration: Configuration

    /// Objects whose names are the author's, not the specification's.
    static let maps = [
        "annotations", "linux.sysctl", "linux.netDevices", "linux.resources.rdma", "linux.resources.unified",
    ]

    init() throws {
        bytes = try document("complete")
        json = try JSON(parsing: bytes)
        configuration = try Configuration(json: bytes)
    }

    @Test func everyPropertyOfTheTypesIsInTheDocument() {
        /// Paths of properties that no part of the document sets.
        func unset(_ value: Any, _ path: String) -> [String] {
            let mirror = Mirror(reflecting: value)
            switch mirror.displayStyle {
            case .optional:
                guard let child = mirror.children.first else { return [path] }
                return unset(child.value, path)
            case .collection, .dictionary:
                if mirror.children.isEmpty { return [path] }
                // Of several elements, one that has it all is enough.
                return mirror.children.map { unset($0.value, path + "[]") }.min { $0.count < $1.count } ?? []
            case .struct:
                return mirror.children.flatMap { unset($0.value, path + "." + ($0.label ?? "?")) }
            default:
                return (value as? Bool) == false ? [path] : []
            }
        }
        let known: Set<String> = [
            // 1.3.0 is no prerelease, and no flags are defined for a personality.
            ".ociVersion.prerelease", ".ociVersion.build", ".linux.personality.flags",
            // Their presence is tested in hooks of other kinds.
            ".hooks.createRuntime[].env", ".hooks.createRuntime[].timeout", ".hooks.createContainer[].args",
            ".hooks.createContainer[].timeout", ".hooks.startContainer[].args", ".hooks.startContainer[].env",
            ".hooks.poststart[].args", ".hooks.poststart[].env", ".hooks.poststart[].timeout",
            ".hooks.poststop[].args", ".hooks.poststop[].env", ".hooks.poststop[].timeout",
        ]
        #expect(Set(unset(configuration, "")).subtracting(known) == [])
    }

    @Test func encodesToWhatItWasReadFrom() throws {
        #expect(configuration.json.sorted == json.sorted)
        for indentation in [nil, "\t", "    "] {
            let again = try Configuration(json: configuration.json.encoded(indentation: indentation))
            #expect(again == configuration)
        }
    }

    @Test func aWrongTypeAnywhereIsAnErrorWithItsPath() throws {
        var checked = 0
        for (path, value) in json.descendants {
            let wrong: JSON
            let expected: String
            switch value {
            case .string: (wrong, expected) = (12, "found 12")
            case .object, .array: (wrong, expected) = ("text", "found \"text\"")
            default: (wrong, expected) = ([], "found an array")
            }
            let changed = json.changing(path[...]) { _ in wrong }
            let error = error { () throws(DocumentError) in _ = try Configuration(json: changed.encodedBytes()) }
            #expect(error?.path == path.description)
            #expect(error?.problem.hasSuffix(expected) == true, "\(path.description): \(error?.problem ?? "no error")")
            checked += 1
        }
        #expect(checked > 300)
    }

    @Test func nullIsTheSameAsAbsent() {
        for (path, _) in json.descendants {
            guard case .member = path.last, !Self.maps.contains(path.dropLast().description) else { continue }
            func read(_ json: JSON) -> Result<Configuration, DocumentError> {
                Result { () throws(DocumentError) in try Configuration(json: json.encodedBytes()) }
            }
            let null = read(json.changing(path[...]) { _ in .null })
            let absent = read(json.changing(path[...]) { _ in nil })
            #expect(null == absent, "\(path.description)")
        }
    }

    @Test func aKnownNameTwiceIsAnError() {
        for (path, value) in json.descendants {
            guard case .member(let name)? = path.last else { continue }
            let changed = json.changing(path.dropLast()) { object in
                guard case .object(let members) = object else { return object }
                return .object(members + [.init(name, value)])
            }
            let error = error { () throws(DocumentError) in _ = try Configuration(json: changed.encodedBytes()) }
            #expect(error?.problem == "given 2 times", "\(path.description)")
            #expect(error?.path == path.description)
        }
    }

    @Test func unknownNamesAreIgnoredEverywhere() throws {
        let strange = try JSON(parsing: #"{"a": [1, -2.5e10, null], "a": {"": "\u0000\ud83d\udea2"}}"#)
        var all = json
        for (path, value) in [([], json)] + json.descendants {
            guard case .object = value, !Self.maps.contains(path.description), path.description != "linux.timeOffsets"
            else { continue }
            all = all.changing(path[...]) { object in
                guard case .object(let members) = object else { return object }
                return .object([.init("x-unknown", strange)] + members + [.init("", 1), .init("lımit", "1")])
            }
        }
        #expect(try Configuration(json: all.encodedBytes()) == configuration)
    }

    @Test func requiredFields() {
        let required: Set = [
            "ociVersion", "root", "root.path", "process.cwd", "process.user.uid", "process.user.gid",
            "process.consoleSize.height", "process.consoleSize.width", "process.scheduler.policy",
            "process.ioPriority.class", "process.ioPriority.priority", "linux.personality.domain",
            "linux.memoryPolicy.mode", "linux.seccomp.defaultAction",
        ]
        let requiredInEntries = [
            "process.rlimits": ["type", "hard", "soft"],
            "mounts": ["destination"],
            "mounts[1].uidMappings": ["containerID", "hostID", "size"],
            "hooks.prestart": ["path"], "hooks.createRuntime": ["path"], "hooks.createContainer": ["path"],
            "hooks.startContainer": ["path"], "hooks.poststart": ["path"], "hooks.poststop": ["path"],
            "linux.uidMappings": ["containerID", "hostID", "size"],
            "linux.gidMappings": ["containerID", "hostID", "size"],
            "mounts[1].gidMappings": ["containerID", "hostID", "size"],
            "linux.resources.devices": ["allow"],
            "linux.resources.hugepageLimits": ["pageSize", "limit"],
            "linux.resources.network.priorities": ["name", "priority"],
            "linux.resources.blockIO.weightDevice": ["major", "minor"],
            "linux.resources.blockIO.throttleReadBpsDevice": ["major", "minor", "rate"],
            "linux.resources.blockIO.throttleWriteBpsDevice": ["major", "minor", "rate"],
            "linux.resources.blockIO.throttleReadIOPSDevice": ["major", "minor", "rate"],
            "linux.resources.blockIO.throttleWriteIOPSDevice": ["major", "minor", "rate"],
            "linux.namespaces": ["type"],
            "linux.devices": ["type", "path", "major", "minor"],
            "linux.seccomp.syscalls": ["names", "action"],
            "linux.seccomp.syscalls[1].args": ["index", "value", "op"],
        ]
        for (path, _) in json.descendants {
            guard case .member(let name)? = path.last else { continue }
            let changed = json.changing(path[...]) { _ in nil }
            let error = error { () throws(DocumentError) in _ = try Configuration(json: changed.encodedBytes()) }
            var isRequired = required.contains(path.description)
            if case .element? = path.dropLast().last {
                isRequired = requiredInEntries[path.dropLast(2).description]?.contains(name) ?? false
            }
            if isRequired {
                #expect(error?.description == "\(path.description): required, but missing")
            } else {
                #expect(error?.problem != "required, but missing", "\(path.description)")
            }
        }
    }

    @Test func someValues() throws {
        let process = try #require(configuration.process)
        #expect(process.rlimits[0] == .init(type: .openFiles, soft: 1_048_576, hard: .max))
        #expect(process.env[2] == "GREETING=Grüße, 世界 🚢")
        #expect(process.user.additionalGids == [4, .max])
        #expect(process.scheduler?.period == 1 << 63)
        #expect(configuration.linux.resources?.memory?.swap == -1)
        #expect(configuration.linux.resources?.unified["io.max"] == "8:0 rbps=1048576\n8:16 wiops=120")
        #expect(configuration.linux.seccomp?.syscalls[1].args[1].value == .max)
        #expect(configuration.linux.timeOffsets.boottime == .init(secs: -604_800, nanosecs: 999_999_999))
        #expect(configuration.linux.namespace(.network)?.path == "/run/netns/hold")
        #expect(configuration.linux.devices[1] == .init(.fifo, path: "/dev/pipe"))
        #expect(configuration.mounts[1].gidMappings == [.init(containerID: 5, hostID: 2000, size: 65536)])
        #expect(configuration.hooks.poststop.map(\.path) == ["/usr/bin/hook-f", "/usr/bin/hook-g"])
    }
}

extension ArraySlice<Step> {
    var description: String { Array(self).description }
}
