import CLinux
import Capabilities
import Linux
import TestSupport
import Testing

/// What changes a thread's privileges runs in an exit test's own process.
@Suite struct ThreadTests {
    @Test func theCallingThreadAndItsPidAgree() throws {
        #expect(try CapabilityState.of(process: getpid()) == .ofCallingThread())
        #expect(throws: CapabilityError.self) { try CapabilityState.of(process: Int32.max) }
    }

    @Test(.needs(.root)) func applyingShowsInTheKernelsOwnView() async {
        await #expect(processExitsWith: .success) {
            let before = try CapabilityState.ofCallingThread()
            let kept = CapabilitySet([.chown, .kill, .netBindService, .setProcessCapabilities])
                .intersection(before.permitted)
            let wanted = CapabilityState(
                effective: kept.removing(.setProcessCapabilities), permitted: kept,
                inheritable: kept.removing(.chown), bounding: kept, ambient: CapabilitySet([.kill]).intersection(kept))
            try wanted.applyToCallingThread()
            #expect(try CapabilityState.ofCallingThread() == wanted)
        }
    }

    @Test(.needs(.root)) func nothingComesBack() async {
        await #expect(processExitsWith: .success) {
            var state = try CapabilityState.ofCallingThread()
            state.restrict(to: [.kill])
            try state.applyToCallingThread()
            var wider = state
            wider.permitted = wider.permitted.adding(.chown)
            #expect(throws: CapabilityError.notAttainable(CapabilitySet([.chown]), .permitted)) {
                try wider.applyToCallingThread()
            }
            #expect(throws: CapabilityError.self) {
                try ThreadCapabilities.set(
                    effective: state.effective, permitted: wider.permitted, inheritable: state.inheritable)
            }
            // Without CAP_SETPCAP the bounding set can't shrink, and the error says what is missing.
            do {
                try ThreadCapabilities.limitBounding(to: [])
                Issue.record("the bounding set shrank without CAP_SETPCAP")
            } catch {
                #expect("\(error)".contains("needs CAP_SETPCAP"), "\(error)")
            }
            #expect(try CapabilityState.ofCallingThread() == state)
        }
    }

    /// Root regains everything by execve, but not what is gone from the bounding set.
    @Test(.needs(.root)) func execDoesNotRegainWhatTheBoundingSetLost() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let bounding = try CapabilityState.ofCallingThread().bounding
            try ThreadCapabilities.limitBounding(to: bounding.removing(.sysAdmin))
            execute(
                """
                read_mask() { sed -n "s/^$1:[[:space:]]*//p" /proc/self/status; }
                [ $(( 0x$(read_mask CapEff) >> 21 & 1 )) = 0 ] || exit 1
                [ $(( 0x$(read_mask CapPrm) >> 5 & 1 )) = 1 ] || exit 2
                exit 7
                """)
        }
    }

    /// An unprivileged user's program starts with the ambient set and nothing else.
    @Test(.needs(.root)) func ambientCapabilitiesSurviveExecAsAUser() async {
        await #expect(processExitsWith: .exitCode(7)) {
            try ThreadCapabilities.setKeepsCapabilities(true)
            #expect(try ThreadCapabilities.keepsCapabilities())
            #expect(setresgid(65534, 65534, 65534) == 0)
            #expect(setresuid(65534, 65534, 65534) == 0)
            let bounding = try CapabilityState.ofCallingThread().bounding
            let port = CapabilitySet([.netBindService])
            try CapabilityState(
                effective: port, permitted: port, inheritable: port, bounding: bounding, ambient: port
            ).applyToCallingThread()
            execute("grep -q '^CapEff:[[:space:]]*0000000000000400' /proc/self/status && exit 7; exit 1")
        }
    }

    @Test(.needs(.root)) func securebitsAreSetAndLocked() async {
        await #expect(processExitsWith: .success) {
            let bits: SecureBits = [.noRoot, .noRootLocked, .noAmbientRaise]
            try bits.applyToCallingThread()
            #expect(try SecureBits.ofCallingThread() == bits)
            #expect(throws: CapabilityError.self) { try SecureBits([]).applyToCallingThread() }
            #expect(throws: CapabilityError.self) {
                try ThreadCapabilities.set(
                    effective: CapabilitySet([.kill]), permitted: CapabilitySet([.kill]),
                    inheritable: CapabilitySet([.kill]))
                try ThreadCapabilities.setAmbient(CapabilitySet([.kill]))
            }
        }
    }

    @Test func noNewPrivilegesIsForGood() async {
        await #expect(processExitsWith: .success) {
            #expect(try !ThreadCapabilities.noNewPrivileges())
            try ThreadCapabilities.setNoNewPrivileges()
            #expect(try ThreadCapabilities.noNewPrivileges())
        }
    }
}

/// Becomes a shell that runs the script.
private func execute(_ script: String) -> Never {
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup(script), nil]
    execv("/bin/sh", &arguments)
    _exit(126)
}
