import Glibc
import Linux
import Namespaces
import TestSupport
import Testing

@Suite struct IDMapTests {
    func map(_ entries: (UInt32, UInt32, UInt32)...) -> IDMap {
        IDMap(entries.map { IDMap.Entry(inside: $0.0, outside: $0.1, count: $0.2) })
    }

    func error(_ map: IDMap) -> IDMapError? {
        do throws(IDMapError) { try map.validate() } catch { return error }
        return nil
    }

    @Test func theKernelsFormIsReadAndWritten() throws {
        let text = "         0       1000          1\n         1     100000      65536\n"
        let read = try IDMap(parsing: text)
        #expect(read == map((0, 1000, 1), (1, 100000, 65536)))
        #expect(read.text == "0 1000 1\n1 100000 65536\n")
        #expect(try IDMap(parsing: read.text) == read)
        #expect(try IDMap(parsing: "0 0 4294967295") == .identity)
        #expect(try IDMap(parsing: "") == IDMap())
        for (line, bad) in ["0 0", "0 0 1 1", "-1 0 1", "+1 0 1", "0 0 4294967296", "a b c"].enumerated() {
            let text = String(repeating: "0 0 1\n", count: line) + bad
            #expect(throws: IDMapError.malformed(line: line + 1)) { try IDMap(parsing: text) }
        }
    }

    @Test func whatTheKernelWouldRefuseIsExplained() {
        #expect(error(map((0, 1000, 1), (1, 100000, 65536))) == nil)
        #expect(error(.identity) == nil)
        #expect(error(IDMap()) == .empty)
        #expect(error(map((0, 0, 0))) == .emptyRange(.init(inside: 0, outside: 0, count: 0)))
        #expect(error(map((1, 0, .max))) == .outOfRange(.init(inside: 1, outside: 0, count: .max)))
        #expect(error(map((0, .max, 1))) == .outOfRange(.init(inside: 0, outside: .max, count: 1)))
        #expect(error(map((.max, .max, .max))) == .outOfRange(.init(inside: .max, outside: .max, count: .max)))
        let inside = map((5, 1000, 10), (0, 0, 6))
        #expect(error(inside) == .overlap(inside.entries[1], inside.entries[0]))
        let outside = map((0, 100, 10), (50, 105, 10))
        #expect(error(outside) == .overlap(outside.entries[0], outside.entries[1]))
        #expect(
            "\(IDMapError.overlap(outside.entries[0], outside.entries[1]))"
                == "id map entries 0 100 10 and 50 105 10 overlap")
        let many = IDMap((0..<341).map { IDMap.Entry(inside: $0, outside: $0, count: 1) })
        #expect(error(many) == .tooManyEntries(341))
        let long = IDMap((0..<340).map { IDMap.Entry(inside: 1_000_000_000 + $0, outside: $0, count: 1) })
        #expect(error(long) == .tooLong(long.text.utf8.count))
    }

    @Test func idsAreTranslatedBothWays() {
        let ids = map((0, 1000, 1), (1, 100000, 65536))
        #expect(ids.outside(0) == 1000)
        #expect(ids.outside(1) == 100000)
        #expect(ids.outside(65536) == 165535)
        #expect(ids.outside(65537) == nil)
        #expect(ids.inside(1000) == 0)
        #expect(ids.inside(165535) == 65536)
        #expect(ids.inside(165536) == nil)
        #expect(ids.inside(0) == nil)
        #expect(map((.max, 0, .max)).outside(.max) == 0)
        #expect(map((0, .max, .max)).outside(5) == nil)
        #expect(IDMap(mapping: 7, to: 9).outside(7) == 9)
    }

    @Test func subordinateRangesAreFoundByNameAndID() {
        let ids = SubordinateIDs(
            parsing: "# comment\nalice:100000:65536\n1001:200000:10\nalice:300000:5\nbroken:1\n:1:1\nbob:x:1\nbob:1:0\n"
        )
        #expect(ids.ranges.count == 3)
        #expect(ids.ranges(ofUser: "alice", id: 1000).map(\.start) == [100000, 300000])
        #expect(ids.ranges(ofUser: "carol", id: 1001).map(\.start) == [200000])
        #expect(ids.ranges(ofUser: nil, id: 5).isEmpty)
        let map = SubordinateIDs.map(own: 1000, ranges: ids.ranges(ofUser: "alice", id: 1000))
        #expect(map.text == "0 1000 1\n1 100000 65536\n65537 300000 5\n")
        let full = SubordinateIDs.map(
            own: 0, ranges: [.init(user: "", start: 5, count: .max), .init(user: "", start: 1, count: 1)])
        #expect(full.text == "0 0 1\n1 5 4294967294\n")
    }

    @Test func subordinateFilesAreReadWhereTheyAre() throws {
        #expect(try SubordinateIDs.users(path: "/nonexistent/subuid").ranges.isEmpty)
        try withTemporaryDirectory { path in
            try makeFile("\(path)/subgid", "me:1:2\n")
            #expect(try SubordinateIDs.groups(path: "\(path)/subgid").ranges == [.init(user: "me", start: 1, count: 2)])
        }
    }

    @Test func helperProgramsGetTheirArguments() {
        let maps = IDMaps(users: map((0, 1000, 1), (1, 100000, 65536)), groups: map((0, 1000, 1)))
        #expect(
            maps.helperCommands(for: 42) == [
                ["newuidmap", "42", "0", "1000", "1", "1", "100000", "65536"], ["newgidmap", "42", "0", "1000", "1"],
            ])
    }

    @Test(.needs(.root)) func aUserNamespaceGetsItsMapsOnce() throws {
        let child = try Child("unshare", "--user", "sleep", "60")
        try child.waitUntilUnshared(.user)
        let process = try ProcessDescriptor(pid: child.pid)
        let maps = IDMaps(users: map((0, 1000, 1), (1, 100000, 65536)), groups: map((0, 2000, 10)))
        let invalid = IDMaps(users: map((0, 0, 0)), groups: map((0, 0, 1)))
        #expect(throws: IDMapsError.invalid(.emptyRange(.init(inside: 0, outside: 0, count: 0)))) {
            try invalid.write(to: process)
        }
        try maps.write(to: process, denyingSetgroups: true)
        #expect(try IDMaps.ofProcess(child.pid) == maps)
        #expect(try readText("/proc/\(child.pid)/setgroups") == "deny\n")
        do throws(IDMapsError) {
            try maps.write(to: process)
            Issue.record("a second write succeeded")
        } catch {
            guard case .system(let refusal) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(refusal.errno == .notPermitted)
            #expect(
                refusal.operation == #"write "0 2000 10" to "/proc/\#(child.pid)/gid_map""# && refusal.hint != nil)
        }
    }

    @Test func aProcessThatHasEndedGetsNone() throws {
        let child = try Child("true")
        let process = try ProcessDescriptor(pid: child.pid)
        _ = child.wait()
        #expect(throws: IDMapsError.system(SystemError("look up process of pidfd", .noSuchProcess))) {
            try IDMaps(users: map((0, 0, 1)), groups: map((0, 0, 1))).write(to: process)
        }
    }

    @Test(.needs(.root)) func aMountsOwnersAreMapped() throws {
        let child = try Child("unshare", "--user", "sleep", "60")
        try child.waitUntilUnshared(.user)
        let pid = child.pid
        try IDMaps(users: map((0, 5000, 1)), groups: map((0, 6000, 1))).write(to: try ProcessDescriptor(pid: pid))
        let (owner, again, unsupported) = try withTemporaryDirectory { path in
            try onPrivateThread {
                let users = try Namespace(.user, ofProcess: pid)
                try makeDirectory("\(path)/from")
                try makeDirectory("\(path)/to")
                // tmpfs can be mapped since Linux 6.3, ext4 since 5.12.
                if refusal({ try DetachedMount("tmpfs").mapOwners(through: users) }) == nil {
                    try DetachedMount("tmpfs").attach(to: "\(path)/from")
                } else {
                    let image = "\(path)/image"
                    let commands = [
                        "truncate -s 8M \(image)", "mkfs.ext4 -q \(image)", "mount -o loop \(image) \(path)/from",
                    ]
                    try #require(Child("sh", "-c", commands.joined(separator: " && ")).wait() == 0)
                }
                try makeFile("\(path)/from/file")
                let mount = try DetachedMount(cloning: "\(path)/from")
                try mount.mapOwners(through: users)
                let again = refusal { try mount.mapOwners(through: users) }
                try mount.attach(to: "\(path)/to")
                let proc = try DetachedMount("proc")
                let unsupported = refusal { try proc.mapOwners(through: users) }
                return (try Descriptor.open("\(path)/to/file", .path).status(), again, unsupported)
            }
        }
        #expect(owner.owner == 5000 && owner.group == 6000)
        #expect(again?.errno == .notPermitted)
        #expect(unsupported?.errno == .invalidArgument)
        #expect(unsupported?.hint == "the file system can't be id-mapped, or the mount is attached already")
    }
}
