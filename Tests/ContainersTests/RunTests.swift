import Containers
import Linux
import TestSupport
import Testing

@Suite(.serialized) struct RunTests {
    @Test(.needs(.root)) func runsAProgramInAContainerOfItsOwn() throws {
        let bundle = try TestBundle(["sh", "-c", "echo $$; hostname; id -u; ls /; exit 7"])
        let (status, output) = try bundle.run()
        #expect(status == .exited(7))
        #expect(
            output.split(separator: "\n").map(String.init) == [
                "1", "compartment", "0", "bin", "dev", "etc", "proc", "sys", "tmp",
            ])
    }
}
