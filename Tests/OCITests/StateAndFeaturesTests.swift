import Testing

@testable import OCI

@Suite struct StateTests {
    @Test func hooksReadWhatTheSpecificationSays() throws {
        let state = State(id: "c1", status: .created, pid: 4422, bundle: "/bundle", annotations: ["a": "b"])
        #expect(
            state.json.encoded()
                == #"{"ociVersion":"1.3.0","id":"c1","pid":4422,"status":"created","bundle":"/bundle","annotations":{"a":"b"}}"#
        )
        #expect(try State(json: state.json.encoded(indentation: "  ")) == state)
    }

    @Test func propertiesBeyondTheSpecification() throws {
        let text = """
            {"ociVersion": "1.0.2-dev", "id": "x", "pid": 0, "status": "stopped", "bundle": "/b", "rootfs": "/b/rootfs",
             "created": "2026-01-02T03:04:05.6Z", "owner": "", "more": [1]}
            """
        let state = try State(json: text)
        #expect(state.pid == 0)
        #expect(state.rootfs == "/b/rootfs")
        #expect(state.created == "2026-01-02T03:04:05.6Z")
        #expect(state.owner == "")
        #expect(try State(json: state.json.encoded()) == state)
    }

    @Test func aStatusOfTheRuntimesOwn() throws {
        let state = try State(json: #"{"ociVersion":"1.0.0","id":"x","status":"dreaming","bundle":"/b"}"#)
        #expect(state.status == .init(rawValue: "dreaming"))
        #expect(state.pid == nil)
    }

    @Test(arguments: [
        (#"{"ociVersion":"1.0.0","id":"x","status":"running","bundle":"/b"}"#, "pid: required, but missing"),
        (#"{"ociVersion":"1.0.0","id":"x","status":"created","bundle":"/b","pid":null}"#, "pid: required, but missing"),
        (#"{"ociVersion":"1.0.0","status":"stopped","bundle":"/b"}"#, "id: required, but missing"),
        (#"{"ociVersion":"1.0.0","id":"x","status":1,"bundle":"/b"}"#, "status: expected a string, found 1"),
        (#"{"ociVersion":"1.0.0","id":"x","status":"stopped"}"#, "bundle: required, but missing"),
        (#"{]"#, #"line 1, column 2: expected a name in quotes, found "]""#),
    ])
    func wrong(_ text: String, _ expected: String) {
        #expect(error { () throws(DocumentError) in _ = try State(json: text) }?.description == expected)
    }

    @Test func containerProcessState() throws {
        let state = ContainerProcessState(
            pid: 7, state: State(id: "c", status: .creating, pid: 7, bundle: "/b"), metadata: "MKNOD=/dev/null")
        #expect(
            state.json.encoded()
                == #"{"ociVersion":"1.3.0","fds":["seccompFd"],"pid":7,"metadata":"MKNOD=/dev/null","#
                + #""state":{"ociVersion":"1.3.0","id":"c","pid":7,"status":"creating","bundle":"/b"}}"#)
        #expect(try ContainerProcessState(json: state.json.encodedBytes()) == state)
    }
}

@Suite struct FeaturesTests {
    @Test func everyPropertySurvives() throws {
        let bytes = try document("features")
        let features = try Features(json: bytes)
        #expect(features.json == (try JSON(parsing: bytes)))
        #expect(features.mountOptions == [])
        #expect(features.linux?.seccomp?.supportedFlags == [])
        #expect(features.linux?.intelRdt?.monitoring == true)
    }

    @Test func aWrongTypeAnywhereIsAnErrorWithItsPath() throws {
        let json = try JSON(parsing: try document("features"))
        for (path, value) in json.descendants {
            let wrong: JSON = if case .string = value { 12 } else { "text" }
            let changed = json.changing(path[...]) { _ in wrong }
            let error = error { () throws(DocumentError) in _ = try Features(json: changed.encodedBytes()) }
            #expect(error?.path == path.description)
        }
    }

    @Test func unknownIsNotEmpty() throws {
        let features = try Features(
            json: #"{"ociVersionMin":"1.0.0","ociVersionMax":"1.1.0-rc.2","hooks":null,"linux":{}}"#)
        #expect(features.hooks == nil)
        #expect(features.linux == .init())
        #expect(features.json.encoded() == #"{"ociVersionMin":"1.0.0","ociVersionMax":"1.1.0-rc.2","linux":{}}"#)
    }

    @Test(arguments: [
        (#"{"ociVersionMin": "1.1.0"}"#, "ociVersionMax: required, but missing"),
        (
            #"{"ociVersionMin": "1.1.0", "ociVersionMax": "1.1.0-rc.1"}"#,
            "ociVersionMax: must not be less than ociVersionMin (1.1.0), found 1.1.0-rc.1"
        ),
    ])
    func wrong(_ text: String, _ expected: String) {
        #expect(error { () throws(DocumentError) in _ = try Features(json: text) }?.description == expected)
    }
}

@Suite struct SemanticVersionTests {
    @Test func orderOfTheSpecification() throws {
        let ordered = [
            "0.5.0-dev", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
            "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.2-dev", "1.2.0", "1.2.1", "1.10.0", "2.0.0",
        ]
        let versions = try ordered.map { try #require(SemanticVersion($0)) }
        for (index, version) in versions.enumerated() {
            #expect(version.description == ordered[index])
            for later in versions[(index + 1)...] {
                #expect(version < later)
                #expect(!(later < version))
            }
        }
        #expect(SemanticVersion("1.2.3-rc.1+build.007")?.build == "build.007")
    }

    @Test(arguments: [
        "", "1", "1.0", "1.0.0.0", "v1.0.0", "1.0.x", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0+", "1.0.0 ",
        "-1.0.0", "+1.0.0", "1.0.0-ü", "99999999999999999999.0.0",
    ])
    func isNoVersion(_ text: String) {
        #expect(SemanticVersion(text) == nil)
    }
}
