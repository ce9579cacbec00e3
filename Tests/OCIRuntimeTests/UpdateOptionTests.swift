import OCI
import Testing

@testable import bulkhead_oci

@Suite struct UpdateOptionTests {
    private func resources(_ words: [String]) throws -> Configuration.Resources {
        try UpdateOptions.read(try Command.update.parse(words + ["id"]))
    }

    @Test func nothingGivenChangesNothing() throws { #expect(try resources([]) == .init()) }

    @Test func eachOptionIsAField() throws {
        let read = try resources([
            "--memory", "64m", "--memory-reservation", "32m", "--memory-swap", "128m", "--cpu-period", "100000",
            "--cpu-quota", "-1", "--cpu-burst", "7", "--cpu-share", "512", "--cpu-idle", "1", "--cpuset-cpus", "0-1",
            "--cpuset-mems", "0", "--pids-limit", "-1", "--blkio-weight", "10",
        ])
        #expect(read.memory?.limit == 64 << 20 && read.memory?.reservation == 32 << 20)
        #expect(read.memory?.swap == 128 << 20)
        #expect(read.cpu?.period == 100_000 && read.cpu?.quota == -1 && read.cpu?.burst == 7 && read.cpu?.shares == 512)
        #expect(read.cpu?.idle == 1 && read.cpu?.cpus == "0-1" && read.cpu?.mems == "0")
        #expect(read.pids?.limit == -1 && read.blockIO?.weight == 10)
    }

    @Test func unlimitedMemoryFreesSwapToo() throws {
        #expect(try resources(["--memory", "-1"]).memory?.swap == -1)
        #expect(try resources(["--memory", "-1", "--memory-swap", "1g"]).memory?.swap == 1 << 30)
    }

    @Test(arguments: [
        ["--memory", "1x"], ["--cpu-quota", "x"], ["--cpu-period", "-1"], ["--pids-limit", "1.5"],
        ["--blkio-weight", "9"], ["--blkio-weight", "1001"], ["--l3-cache-schema", "L3:0=f"],
    ])
    func mistakesAreRefused(words: [String]) { #expect(throws: Failure.self) { try resources(words) } }
}
