import Containers
import Linux
import TestSupport
import Testing

/// All tests of this target: one after another, as each has the machine's view of its container to itself.
@Suite(.serialized) struct ContainersTests {}

extension ContainersTests {
    @Suite struct RunTests {
        @Test(.needs(.root)) func runsAProgramInAContainerOfItsOwn() throws {
            let bundle = try TestBundle(script: "echo $$; hostname; id -u; ls /; exit 7")
            let (status, _) = try bundle.run()
            #expect(status == .exited(7))
            #expect(bundle.lines == ["1", "compartment", "0", "bin", "dev", "etc", "out", "proc", "sys", "tmp"])
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root), arguments: [false, true]) func theLoopbackInterfaceIsUp(isMapped: Bool) throws {
            let bundle = try TestBundle(script: "ip link show lo | head -n 1; ip addr show lo | grep -c 127.0.0.1")
            if isMapped { bundle.mapUsers() }
            let lines = try bundle.linesOfRun()
            #expect(lines.first?.contains("UP") == true && lines.last == "1", "\(lines)")
            #expect(bundle.leftovers == [])
        }
    }
}
