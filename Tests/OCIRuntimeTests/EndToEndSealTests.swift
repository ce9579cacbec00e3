import Glibc
import TestSupport
import Testing

/// CVE-2019-5736: a container that makes the kernel run the runtime's own binary, and then reaches for its file.
@Suite struct EndToEndSealTests {
    @Test(
        .needs(.root),
        .enabled(if: getenv("BULKHEAD_BIN") != nil, "only the runtime that ships, a static one, runs in any root"))
    func aContainerCannotWriteTheRuntimesBinary() throws {
        // It stands still where it opens the pipe.
        let client = try Client(["/proc/self/exe", "update", "--resources", "/tmp/pipe", "nobody"])
        mkfifo("\(client.bundle)/rootfs/tmp/pipe", 0o600)
        try client.start()
        #expect(try client.run("exec", client.id, "cat", "/proc/1/comm").out == "exe\n")
        let attempt = try client.run("exec", client.id, "sh", "-c", "echo > /proc/1/exe")
        #expect(attempt.status != 0)
        // Not "Text file busy", which holds only as long as it runs; the kernel looks at the mount first when it is to
        // truncate.
        #expect(attempt.err.contains("Read-only file system"), "\(attempt.err)")
        try client.succeed("delete", "--force", client.id)
        try client.expectNothingLeft()
    }
}
