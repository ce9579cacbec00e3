import Testing

@testable import OCI

/// Documents in the style of the programs that call a runtime: compact or not, with nulls, empty strings, limits
/// above `Int64.max`.
@Suite struct ClientTests {
    @Test func minimal() throws {
        let configuration = try Configuration(json: try document("minimal"))
        #expect(configuration.ociVersion == SemanticVersion(1, 0, 0))
        #expect(configuration.process == nil)
        #expect(configuration.root == .init(path: "rootfs"))
        #expect(configuration.linux == .init())
        #expect(configuration.json.encoded() == #"{"ociVersion":"1.0.0","root":{"path":"rootfs"}}"#)
    }

    @Test func sectionsForOtherSystemsAreIgnored() throws {
        let configuration = try Configuration(json: try document("foreign"))
        var expected = Configuration(root: .init(path: "rootfs"), process: .init(args: ["sh"]))
        expected.linux.resources = .init()
        expected.linux.resources?.memory = .init()
        #expect(configuration == expected)
    }

    @Test func docker() throws {
        let configuration = try Configuration(json: try document("docker"))
        #expect(configuration.process?.args.last == "daemon off;")
        #expect(
            configuration.linux.resources?.devices[2] == .init(allow: true, type: .character, major: 10, access: "rwm"))
        #expect(configuration.linux.resources?.cpu?.shares == 0)
        #expect(configuration.linux.resources?.pids?.limit == -1)
        #expect(configuration.linux.rootfsPropagation == .recursiveSlave)
        #expect(configuration.linux.namespace(.time) != nil)
        #expect(configuration.linux.namespace(.user) == nil)
        #expect(configuration.linux.seccomp?.syscalls.last?.errnoRet == 38)
        #expect(try Configuration(json: configuration.json.encodedBytes()) == configuration)
    }

    @Test func podman() throws {
        let configuration = try Configuration(json: try document("podman"))
        #expect(configuration.ociVersion.description == "1.0.2-dev")
        #expect(configuration.process?.rlimits[1] == .init(type: .processes, soft: .max, hard: .max))
        #expect(configuration.process?.capabilities == nil)
        #expect(configuration.process?.user.umask == 0o22)
        #expect(configuration.hooks == .init())
        #expect(configuration.linux.rootfsPropagation == nil)
        #expect(configuration.linux.mountLabel == nil)
        #expect(configuration.linux.namespace(.user) == .init(.user))
        #expect(configuration.annotations["run.oci.keep_original_groups"] == "1")
        #expect(
            configuration.json["process"]?["rlimits"]?.arrayValue?[1]["hard"] == .integer(18_446_744_073_709_551_615))
        #expect(try Configuration(json: configuration.json.encodedBytes()) == configuration)
    }

    @Test func containerd() throws {
        let configuration = try Configuration(json: try document("containerd"))
        #expect(configuration.process?.oomScoreAdj == -998)
        #expect(configuration.linux.resources?.cpu?.cpus == nil)
        #expect(configuration.linux.namespace(.network)?.path == "/var/run/netns/cni-1")
        #expect(configuration.linux.seccomp?.architectures == [])
        #expect(try Configuration(json: configuration.json.encodedBytes()) == configuration)
    }

    @Test func execProcess() throws {
        let process = try Configuration.Process(
            json: #"{"user":{"uid":0,"gid":0},"args":["ls"],"cwd":"/","rlimits":null,"apparmorProfile":""}"#)
        var expected = Configuration.Process(args: ["ls"])
        #expect(process == expected)
        expected.terminal = true
        #expect(try Configuration.Process(json: expected.json.encoded()) == expected)
    }

    @Test func updateResources() throws {
        let resources = try Configuration.Resources(
            json: #"{"memory":{"limit":67108864,"swap":-1},"cpu":{"shares":512,"cpus":"0"},"unified":{"pids.max":"7"}}"#
        )
        #expect(resources.memory?.limit == 64 << 20)
        #expect(resources.cpu?.cpus == "0")
        #expect(resources.unified == ["pids.max": "7"])
        #expect(try Configuration.Resources(json: "{}") == .init())
    }
}
