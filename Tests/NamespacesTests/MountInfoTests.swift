import Glibc
import Linux
import Namespaces
import TestSupport
import Testing

@Suite struct MountInfoTests {
    static let sample = """
        36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
        40 36 0:31 / /mnt2/with\\040space\\011tab\\134back\\012line\\043hash ro,nosuid shared:7 master:2 propagate_from:3 - tmpfs tmpfs rw,size=4k
        41 36 0:32 / /mnt2-other rw unbindable - fuse.sshfs user@host:/a\\040b rw
        42 36 0:33 /../gone//deleted /d rw - tmpfs  rw
        43 40 0:34 / /mnt2/with\\040space\\011tab\\134back\\012line\\043hash/sub rw future:x shared:9 - proc - rw,a b

        """

    func line(_ text: String) -> MountInfo? { MountInfo(line: Array(text.utf8)) }

    @Test func everyFieldIsRead() throws {
        let mounts = try MountTable(parsing: Array(Self.sample.utf8)).mounts
        try #require(mounts.count == 5)
        let first = mounts[0]
        #expect(first.id == 36 && first.parentID == 35 && first.deviceMajor == 98 && first.deviceMinor == 0)
        #expect(first.rootText == "/mnt1" && first.mountPointText == "/mnt2")
        #expect(first.options == ["rw", "noatime"] && first.masterGroup == 1 && first.sharedGroup == nil)
        #expect(first.fileSystemType == "ext3" && first.sourceText == "/dev/root")
        #expect(first.superblockOptions == "rw,errors=continue")
        #expect(mounts[1].mountPointText == "/mnt2/with space\ttab\\back\nline#hash")
        #expect(mounts[1].sharedGroup == 7 && mounts[1].masterGroup == 2 && mounts[1].propagatesFrom == 3)
        #expect(mounts[2].isUnbindable && mounts[2].sourceText == "user@host:/a b")
        #expect(mounts[3].sourceText == "" && mounts[3].rootText == "/../gone//deleted")
        #expect(mounts[4].optionalFields == ["future:x", "shared:9"] && mounts[4].sourceText == "-")
        #expect(mounts[4].superblockOptions == "rw,a b")
    }

    @Test func aTreeIsFoundByPath() throws {
        let table = try MountTable(parsing: Array(Self.sample.utf8))
        #expect(table.mounts(below: "/mnt2").map(\.id) == [36, 40, 43])
        #expect(table.mounts(below: "/").count == 5)
        #expect(table.mount(at: "/mnt2-other")?.id == 41)
        #expect(table.mount(at: "/nothing") == nil)
    }

    @Test func malformedLinesAreNamed() {
        for bad in [
            "", " ", "36", "36 35 98:0 / / rw - ext3 /dev/root", "x 35 98:0 / / rw - ext3 d rw",
            "36 35 98 / / rw - e d rw",
            "36 35 98:0:1 / / rw - e d rw", "36 35 98:x / / rw - e d rw",
            "36 35 98:0 / / rw shared:1 ext3 /dev/root rw",
            "-1 35 98:0 / / rw - e d rw", "36 35 4294967296:0 / / rw - e d rw",
        ] {
            #expect(line(bad) == nil, "\(bad)")
        }
        #expect(throws: MalformedMountTable(line: 2)) {
            try MountTable(parsing: Array("36 35 98:0 / / rw - e d rw\nnonsense\n".utf8))
        }
    }

    @Test func escapesAreUndoneAndOthersKept() throws {
        let info = try #require(line(#"1 1 0:1 / /a\040b\777\08\1\ rw - t s\377 rw"#))
        #expect(info.mountPoint == Array(#"/a b\777\08\1\"#.utf8))
        #expect(info.source == Array("s".utf8) + [0xff])
    }

    /// Seeded mutations of real lines: whatever the bytes, the answer is a table or an error.
    @Test func anyBytesAreSurvived() throws {
        var generator = SplitMix(state: 0x6e61_6d65)
        let seeds = [Array(Self.sample.utf8), try readFile("/proc/self/mountinfo")]
        let spice = Array("\\0123 :-,\n/\0\u{7f}".utf8) + [0xff, 0xc3, 0x80]
        var parsed = 0
        for round in 0..<1500 {
            var bytes = seeds[round % seeds.count]
            for _ in 0...Int(generator.next() % 12) {
                if bytes.isEmpty { break }
                let place = Int(generator.next() % UInt64(bytes.count))
                switch generator.next() % 4 {
                case 0: bytes[place] = spice[Int(generator.next() % UInt64(spice.count))]
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(spice[Int(generator.next() % UInt64(spice.count))], at: place)
                default: bytes.removeLast(bytes.count - place)
                }
            }
            guard let table = try? MountTable(parsing: bytes) else { continue }
            parsed += 1
            for mount in table.mounts {
                _ = (mount.sharedGroup, mount.masterGroup, mount.mountPointText, mount.sourceText)
                _ = table.mount(at: mount.mountPointText)
            }
            _ = table.mounts(below: "/a")
        }
        #expect(parsed > 0)
    }

    @Test(.needs(.root)) func theThreadsOwnTableIsRead() throws {
        let inside = try withTemporaryDirectory { path in
            try onPrivateThread {
                try makeDirectory("\(path)/odd \\ name\n#")
                try DetachedMount("tmpfs", source: "own table").attach(to: "\(path)/odd \\ name\n#")
                return try MountTable.current().mount(at: "\(path)/odd \\ name\n#")
            }
        }
        #expect(inside?.sourceText == "own table")
        #expect(try MountTable.ofProcess(getpid()).mount(at: "/") != nil)
        #expect(refusal { _ = try MountTable.ofProcess(-1) }?.errno == .noSuchFileOrDirectory)
    }
}

/// A generator whose sequence is the same on every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
