import Testing

@testable import OCI

/// What the specification says of values beyond their types.
@Suite struct ValidationTests {
    static let cases: [(change: @Sendable (inout Configuration) -> Void, problem: String?)] = [
        ({ _ in }, nil),
        ({ $0.process = nil }, nil),
        ({ $0.ociVersion = .init("1.0.0-rc5")! }, nil),
        ({ $0.ociVersion = .init(1, 99, 0) }, nil),
        ({ $0.ociVersion = .init("0.5.0-dev")! }, nil),
        ({ $0.ociVersion = .init(2, 0, 0) }, "ociVersion: expected a version before 2.0.0, found 2.0.0"),
        ({ $0.root.path = "" }, "root.path: must not be empty"),
        ({ $0.process?.cwd = "tmp" }, #"process.cwd: expected an absolute path, found "tmp""#),
        ({ $0.process?.cwd = "" }, #"process.cwd: expected an absolute path, found """#),
        ({ $0.process?.args = [] }, "process.args: at least one entry is required"),
        (
            { $0.process?.rlimits = [.init(type: .cpu, soft: 1, hard: 1), .init(type: .cpu, soft: 2, hard: 2)] },
            #"process.rlimits[1].type: "RLIMIT_CPU" is already limited"#
        ),
        (
            { $0.process?.ioPriority = .init(class: .idle, priority: 8) },
            "process.ioPriority.priority: expected an integer from 0 to 7, found 8"
        ),
        (
            { $0.process?.execCPUAffinity?.final = "all" },
            #"process.execCPUAffinity.final: expected a list such as 0-3,7, found "all""#
        ),
        (
            { $0.process?.execCPUAffinity?.initial = "0x3" },
            #"process.execCPUAffinity.initial: expected a list such as 0-3,7, found "0x3""#
        ),
        ({ $0.mounts[0].destination = "" }, "mounts[0].destination: must not be empty"),
        // Deprecated, but to be taken as relative to the root.
        ({ $0.mounts[0].destination = "proc" }, nil),
        ({ $0.mounts[1].gidMappings = [] }, "mounts[1].gidMappings: required, because uidMappings is given"),
        ({ $0.mounts[1].uidMappings = [] }, "mounts[1].uidMappings: required, because gidMappings is given"),
        ({ $0.mounts[0].options = ["ro", "idmap"] }, nil),
        (
            {
                $0.mounts[0].options = ["ro", "idmap"]
                $0.linux.namespaces.removeAll { $0.type == .user }
            },
            #"mounts[0].options[1]: "idmap" needs uidMappings and gidMappings, or a user namespace"#
        ),
        (
            { $0.hooks.startContainer[0].path = "hook" },
            #"hooks.startContainer[0].path: expected an absolute path, found "hook""#
        ),
        ({ $0.hooks.poststop[1].timeout = 0 }, "hooks.poststop[1].timeout: must be greater than zero, found 0"),
        ({ $0.hooks.prestart[0].timeout = -1 }, "hooks.prestart[0].timeout: must be greater than zero, found -1"),
        ({ $0.annotations[""] = "x" }, "annotations: a name must not be empty"),
        ({ $0.linux.namespaces.append(.init(.pid)) }, #"linux.namespaces[8].type: "pid" is already listed"#),
        (
            { $0.linux.namespaces[1].path = "netns" },
            #"linux.namespaces[1].path: expected an absolute path, found "netns""#
        ),
        (
            { $0.linux.maskedPaths[1] = "sys" }, #"linux.maskedPaths[1]: expected an absolute path, found "sys""#
        ),
        (
            { $0.linux.readonlyPaths[0] = "" }, #"linux.readonlyPaths[0]: expected an absolute path, found """#
        ),
        (
            { $0.linux.resources?.devices[1].access = "rx" },
            #"linux.resources.devices[1].access: expected some of r, w and m, found "rx""#
        ),
        (
            { $0.linux.resources?.cpu?.burst = 50001 },
            "linux.resources.cpu.burst: must not be larger than cpu.quota (50000), found 50001"
        ),
        ({ $0.linux.resources?.cpu?.quota = -1 }, nil),
        (
            { $0.linux.resources?.hugepageLimits[0].pageSize = "64kB" },
            #"linux.resources.hugepageLimits[0].pageSize: expected a size such as 64KB, 2MB or 1GB, found "64kB""#
        ),
        (
            { $0.linux.resources?.hugepageLimits[0].pageSize = "02MB" },
            #"linux.resources.hugepageLimits[0].pageSize: expected a size such as 64KB, 2MB or 1GB, found "02MB""#
        ),
        (
            { $0.linux.resources?.hugepageLimits[0].pageSize = "../../2MB" },
            #"linux.resources.hugepageLimits[0].pageSize: expected a size such as 64KB, 2MB or 1GB, found "../../2MB""#
        ),
        ({ $0.linux.resources?.hugepageLimits[0].pageSize = "1GB" }, nil),
        (
            { $0.linux.resources?.blockIO?.weightDevice[0] = .init(major: 1, minor: 2) },
            "linux.resources.blockIO.weightDevice[0]: weight or leafWeight is required"
        ),
        (
            { $0.linux.resources?.rdma.append(.init(device: "mlx.0")) },
            #"linux.resources.rdma["mlx.0"]: hcaHandles or hcaObjects is required"#
        ),
        (
            { $0.linux.seccomp?.defaultAction = .kill },
            "linux.seccomp.defaultErrnoRet: SCMP_ACT_KILL takes no error number"
        ),
        (
            { $0.linux.seccomp?.syscalls[0].errnoRet = 1 },
            "linux.seccomp.syscalls[0].errnoRet: SCMP_ACT_ALLOW takes no error number"
        ),
        ({ $0.linux.seccomp?.syscalls[1].action = .trace }, nil),
        (
            { $0.linux.seccomp?.syscalls[0].names = [] },
            "linux.seccomp.syscalls[0].names: at least one entry is required"
        ),
        (
            { $0.linux.seccomp?.listenerPath = nil },
            "linux.seccomp.listenerMetadata: must not be given without listenerPath"
        ),
        (
            { $0.linux.intelRdt?.memBwSchema = "L3:0=1" },
            #"linux.intelRdt.memBwSchema: expected one line that starts with MB:, found "L3:0=1""#
        ),
        (
            { $0.linux.intelRdt?.memBwSchema = "MB:0=1\nMB:1=1" },
            #"linux.intelRdt.memBwSchema: expected one line that starts with MB:, found "MB:0=1\nMB:1=1""#
        ),
        ({ $0.linux.intelRdt?.schemata[1] = "a\nb" }, "linux.intelRdt.schemata[1]: must be one line"),
        (
            { $0.linux.personality?.flags = ["READ_IMPLIES_EXEC"] },
            #"linux.personality.flags[0]: no flags are defined, found "READ_IMPLIES_EXEC""#
        ),
    ]

    @Test(arguments: cases.indices)
    func rule(_ index: Int) throws {
        let (change, problem) = Self.cases[index]
        var configuration = try Configuration(json: try document("complete"))
        change(&configuration)
        #expect(error { () throws(DocumentError) in try configuration.validate() }?.description == problem)
        // What is read from a file is checked in the same way.
        let bytes = configuration.json.encodedBytes()
        #expect(error { () throws(DocumentError) in _ = try Configuration(json: bytes) } == nil || problem != nil)
    }

    @Test func readingValidates() {
        #expect(
            complaint(
                #"{"ociVersion": "1.0.0", "root": {"path": "/"}, "linux": {"namespaces": [{"type": "pid"}, {"type": "pid"}]}}"#
            ) == #"linux.namespaces[1].type: "pid" is already listed"#)
    }
}
