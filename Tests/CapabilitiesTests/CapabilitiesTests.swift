import Capabilities
import Linux
import Testing

@Suite struct NameTests {
    @Test func everyCapabilityHasItsName() {
        #expect(Capability.allKnown.count == 41)
        #expect(Capability.netAdmin.description == "CAP_NET_ADMIN")
        #expect(Capability.checkpointRestore.description == "CAP_CHECKPOINT_RESTORE")
        #expect(CapabilitySet.allKnown.rawValue == 0x1ff_ffff_ffff)
    }

    @Test(arguments: Capability.allKnown)
    func everyNameReadsBack(capability: Capability) throws {
        let name = capability.description
        #expect(try Capability(name) == capability)
        #expect(try Capability(name.lowercased()) == capability)
        #expect(try Capability(capability.shortName) == capability)
        #expect(try Capability(capability.shortName.uppercased()) == capability)
    }

    /// libcap's table is another hand's work: both must agree.
    @Test(arguments: Capability.allKnown)
    func libcapKnowsTheSameName(capability: Capability) throws {
        let set = CapabilitySet([capability])
        #expect(try CapabilityState(permitted: set).text() == "cap_\(capability.shortName)=p")
        #expect(try CapabilityState(text: "cap_\(capability.shortName)=ep").effective == set)
    }

    @Test func numbersWithoutANameSurvive() throws {
        let future = Capability(rawValue: 63)
        #expect(future.description == "CAP_63")
        #expect(try Capability("CAP_63") == future)
        #expect(try Capability("63") == future)
        #expect(CapabilitySet(rawValue: 1 << 63).capabilities == [future])
    }

    @Test(arguments: ["", "CAP_", "CAP_FOO", "64", "+1", "01", "all of them", "CAP_CAP_KILL", "-1", "🙂"])
    func unknownNamesAreRefused(name: String) {
        #expect(throws: CapabilityError.unknownName(name, suggestion: nil)) { try Capability(name) }
    }

    @Test func aNearNameIsSuggested() {
        #expect(throws: CapabilityError.unknownName("CAP_SYS_ADMN", suggestion: "CAP_SYS_ADMIN")) {
            try CapabilitySet(names: ["kill", "CAP_SYS_ADMN"])
        }
        let error = CapabilityError.unknownName("CAP_SYS_ADMN", suggestion: "CAP_SYS_ADMIN")
        #expect("\(error)" == "unknown capability \"CAP_SYS_ADMN\": did you mean CAP_SYS_ADMIN?")
        #expect(throws: CapabilityError.self) { try Capability(String(repeating: "a", count: 1 << 20)) }
    }
}

@Suite struct SetTests {
    @Test func algebra() throws {
        let set = try CapabilitySet(names: ["CAP_CHOWN", "kill", "CAP_KILL"])
        #expect(set.rawValue == 0b100001)
        #expect(set.contains(.kill) && !set.contains(.netAdmin))
        #expect(set.adding(.netAdmin).removing(.chown).capabilities == [.kill, .netAdmin])
        #expect("\(set)" == "CAP_CHOWN, CAP_KILL")
        #expect("\(CapabilitySet())" == "nothing")
    }

    @Test func theKernelsLastCapabilityBoundsTheSupportedSet() throws {
        let text = try readText("/proc/sys/kernel/cap_last_cap")
        let last = try #require(UInt8(text.filter(\.isNumber)))
        let supported = try CapabilitySet.supported()
        #expect(supported.contains(Capability(rawValue: last)))
        #expect(!supported.contains(Capability(rawValue: last + 1)))
        try CapabilitySet([.chown]).requireSupported()
        #expect(throws: CapabilityError.notSupported(CapabilitySet(rawValue: 1 << 63))) {
            try CapabilitySet(rawValue: 1 << 63 | 1).requireSupported()
        }
    }
}

@Suite struct StateValueTests {
    @Test func aStatusFileIsRead() throws {
        let state = try CapabilityState(
            status: """
                Name:\tx
                CapInh:\t0000000000000001
                CapPrm:\t000001ffffffffff
                CapEff:\t0000000000000004
                CapBnd:\t0000000000000008
                CapAmb:\t8000000000000000
                Seccomp:\t0
                """)
        #expect(state.inheritable.rawValue == 1 && state.permitted == .allKnown && state.effective.rawValue == 4)
        #expect(state.bounding.rawValue == 8 && state.ambient.rawValue == 1 << 63)
    }

    @Test(arguments: [
        ("", "CapEff"), ("CapEff:\t1\n", "CapPrm"), ("CapEff:\tzz\n", "CapEff"),
        ("CapEff: 1\nCapPrm: 1\nCapInh: 1\nCapBnd: 1\nCapAmb: 10000000000000000\n", "CapAmb"),
    ])
    func aBadStatusNamesItsField(text: String, field: String) {
        #expect(throws: CapabilityError.malformedStatus(field: field)) { try CapabilityState(status: text) }
    }

    @Test func whatWasGivenUpIsNotAttainable() {
        let all = CapabilitySet([.chown, .kill, .netAdmin])
        let current = CapabilityState(effective: all, permitted: all, inheritable: [], bounding: all)
        let wanted = CapabilityState(
            effective: all.adding(.sysAdmin), permitted: all, inheritable: CapabilitySet([.kill]),
            bounding: all.adding(.sysBoot), ambient: CapabilitySet([.kill, .chown]))
        let reached = wanted.attainable(from: current)
        #expect(reached.bounding == all && reached.effective == all)
        #expect(reached.ambient == CapabilitySet([.kill]))
        #expect(reached.obstacle(from: current) == nil)
        #expect(wanted.obstacle(from: current) == .notAttainable(CapabilitySet([.sysBoot]), .bounding))
    }

    @Test func textRoundTrips() throws {
        let state = CapabilityState(
            effective: CapabilitySet([.chown]), permitted: CapabilitySet([.chown, .kill]),
            inheritable: CapabilitySet([.netRaw]))
        #expect(try CapabilityState(text: try state.text()) == state)
        #expect(try CapabilityState().text() == "=")
        for text in ["cap_foo=p", "cap_chown", "cap_chown=q", "a\0b"] {
            #expect(throws: CapabilityError.malformedText(text)) { try CapabilityState(text: text) }
        }
    }

    @Test func restrictingKeepsOnlyWhatIsNamed() {
        let all = CapabilitySet.allKnown
        var state = CapabilityState(
            effective: all, permitted: all, inheritable: all, bounding: all, ambient: all)
        state.restrict(to: [.netBindService])
        for kind in CapabilitySetKind.allCases { #expect(state[kind].rawValue == 1 << 10) }
    }
}
