import Capabilities
import Linux
import TestSupport
import Testing

@Suite(.serialized) struct FileTests {
    @Test(.needs(.root)) func capabilitiesOfAFileRoundTrip() throws {
        let file = try Descriptor.open("/tmp", [.temporaryFile, .readWrite], mode: 0o600)
        #expect(try FileCapabilities.of(file) == nil)

        let wanted = FileCapabilities(
            permitted: CapabilitySet([.netBindService, .netRaw]), inheritable: CapabilitySet([.kill]), effective: true)
        try wanted.apply(to: file)
        #expect(try FileCapabilities.of(file) == wanted)
        #expect(try FileCapabilities.of(path: file.procPath) == wanted)

        // An attribute that counts only where user 1000 is root.
        let delegated = FileCapabilities(permitted: CapabilitySet([.chown]), rootID: 1000)
        try delegated.apply(to: file)
        #expect(try FileCapabilities.of(file) == delegated)

        try FileCapabilities.remove(from: file)
        #expect(try FileCapabilities.of(file) == nil)
        try FileCapabilities.remove(from: file)
    }

    @Test func whatIsNoRegularFileIsRefused() throws {
        let directory = try Descriptor.open("/tmp", [.readOnly, .directory])
        #expect(throws: CapabilityError.self) {
            try FileCapabilities(permitted: CapabilitySet([.kill])).apply(to: directory)
        }
        #expect(throws: CapabilityError.self) { try FileCapabilities.of(path: "/nonexistent/file") }
    }

    @Test func nothingLeaks() async {
        await #expect(processExitsWith: .success) {
            let before = openDescriptors()
            for _ in 0..<50 {
                _ = try CapabilityState.ofCallingThread()
                _ = try? CapabilityState(text: "cap_foo=p")
                _ = try? FileCapabilities.of(path: "/bin/sh")
            }
            // The test library opens a few of its own meanwhile; a leak would be fifty.
            #expect(openDescriptors() < before + 25)
        }
    }
}

private func openDescriptors() -> Int {
    (0..<1024).count { (try? Descriptor.open("/proc/self/fd/\($0)", [.path, .noFollow])) != nil }
}
