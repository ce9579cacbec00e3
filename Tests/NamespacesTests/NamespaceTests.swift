import Glibc
import Linux
import TestSupport
import Testing

@testable import Namespaces

@Suite struct NamespaceTests {
    @Test(arguments: NamespaceKind.allCases) func theKernelAgreesOnEveryKind(kind: NamespaceKind) throws {
        let namespace = try Namespace.current(kind)
        #expect(namespace.kind == kind)
        let link = try #require(linkText("/proc/thread-self/ns/\(kind.fileName)"))
        #expect(link == namespace.description)
        #expect(NamespaceKind(fileName: kind.fileName) == kind)
        #expect(NamespaceKind(cloneFlag: kind.cloneFlag) == kind)
        #expect(try Namespace.currentForChildren(kind).identity == namespace.identity)
        if let name = kind.forChildrenFileName { #expect(NamespaceKind(fileName: name) == kind) }
    }

    @Test func kindsAreASet() {
        let kinds: NamespaceKinds = [.mount, .time, .network]
        #expect(kinds.kinds == [.mount, .network, .time])
        #expect("\(kinds)" == "mount, network, time")
        #expect(NamespaceKinds.all.kinds == NamespaceKind.allCases)
        #expect(NamespaceKinds(rawValue: 1 << 40).rawValue == 1 << 40)
        #expect(NamespaceKind(cloneFlag: 1) == nil)
        #expect(NamespaceKind(fileName: "nope") == nil)
    }

    @Test(arguments: NamespaceKind.allCases) func everyWayToAHandleLeadsToTheSame(kind: NamespaceKind) throws {
        let byPID = try Namespace(kind, ofProcess: getpid())
        let process = try ProcessDescriptor(pid: getpid())
        let byDescriptor = try Namespace(kind, of: process)
        let byPath = try Namespace(path: "/proc/self/ns/\(kind.fileName)", expecting: kind)
        #expect(byPID.identity == byDescriptor.identity)
        #expect(try Namespace.throughProc(kind, of: process).identity == byPID.identity)
        #expect(byPID.identity == byPath.identity)
    }

    @Test func whatIsNoNamespaceIsRefused() throws {
        try withTemporaryDirectory { path in
            try systemCall("mkfifo") { mkfifo("\(path)/fifo", 0o600) }
            // A FIFO would block who opens it.
            for file in ["/dev/null", "/proc/self/stat", "\(path)/fifo", path] {
                let error = refusal { _ = try Namespace(path: file) }
                #expect(error?.errno == .invalidArgument)
                #expect(error?.hint == "it is no namespace")
            }
        }
        let other = refusal { _ = try Namespace(path: "/proc/self/ns/uts", expecting: .network) }
        #expect(
            other?.description
                == #"use "/proc/self/ns/uts" as a namespace: invalid argument (EINVAL): expected kind network, found uts"#
        )
        #expect(refusal { _ = try Namespace(path: "/proc/self/ns/none") }?.errno == .noSuchFileOrDirectory)
    }

    @Test func aProcessThatHasEndedHasNone() throws {
        let child = try Child("true")
        let process = try ProcessDescriptor(pid: child.pid)
        _ = child.wait()
        #expect(refusal { _ = try Namespace(.uts, of: process) }?.errno == .noSuchProcess)
        #expect(refusal { _ = try Namespace.throughProc(.uts, of: process) }?.errno == .noSuchProcess)
        #expect(refusal { _ = try Namespace(.uts, ofProcess: child.pid) }?.errno == .noSuchFileOrDirectory)
    }

    @Test(.needs(.root)) func aNewNamespaceIsTheThreadsOwn() throws {
        let outside = try Namespace.current(.uts).identity
        let host = try HostName.current()
        let (new, back, name, domain, again) = try onPrivateThread(unsharing: []) {
            let old = try Namespace.current(.uts)
            try Namespace.unshare([.uts, .ipc])
            let new = try Namespace.current(.uts).identity
            try HostName.set("inside")
            try HostName.setDomain("inside.example")
            let names = (try HostName.current(), try HostName.currentDomain())
            try old.enter()
            return (new, try Namespace.current(.uts).identity, names.0, names.1, try HostName.current())
        }
        #expect(new != outside && back == outside)
        #expect(name == "inside" && domain == "inside.example" && again == host)
        #expect(try HostName.current() == host)
    }

    @Test(.needs(.root)) func namesHaveTheirLimit() throws {
        let (long, longest) = try onPrivateThread(unsharing: .uts) {
            let long = refusal { try HostName.set(String(repeating: "x", count: 65)) }
            try HostName.set(String(repeating: "x", count: 64))
            return (long, try HostName.current().count)
        }
        #expect(long?.errno == .invalidArgument && long?.hint == "a name has at most 64 bytes")
        #expect(longest == 64)
        #expect(refusal { try HostName.set("a\0b") }?.errno == .invalidArgument)
    }

    @Test func aUserNamespaceNeedsALoneThread() throws {
        let error = try runOnThread { refusal { try Namespace.unshare(.user) } }
        #expect(
            error?.description
                == "unshare user namespaces: invalid argument (EINVAL): the process has more than one thread")
    }

    @Test(.needs(.root)) func aMountNamespaceNeedsAnOwnWorkingDirectory() throws {
        let child = try Child("unshare", "--mount", "sleep", "60")
        try child.waitUntilUnshared(.mount)
        let pid = child.pid
        let (shared, entered, theirs) = try runOnThread {
            let theirs = try Namespace(.mount, ofProcess: pid)
            let shared = refusal { try theirs.enter() }
            try Namespace.unshareWorkingDirectory()
            try theirs.enter()
            return (shared, try Namespace.current(.mount).identity, theirs.identity)
        }
        #expect(shared?.errno == .invalidArgument)
        #expect(shared?.hint == "the thread shares its root and working directory with others")
        #expect(entered == theirs)
    }

    @Test(.needs(.root)) func severalAreEnteredAtOnce() throws {
        let child = try Child("unshare", "--uts", "--ipc", "--net", "--cgroup", "sleep", "60")
        let pid = child.pid
        try child.waitUntilUnshared(.cgroup)
        let kinds: NamespaceKinds = [.uts, .ipc, .network, .cgroup]
        let same = try onPrivateThread(unsharing: []) {
            let process = try ProcessDescriptor(pid: pid)
            try Namespace.enter(kinds, of: process)
            return try kinds.kinds.map {
                try Namespace.current($0).identity == Namespace($0, of: process).identity
            }
        }
        #expect(same == [true, true, true, true])
    }

    @Test(.needs(.root)) func ownersAndParents() throws {
        let own = try Namespace.current(.user)
        #expect(try Namespace.current(.network).owner().identity == own.identity)
        let child = try Child("unshare", "--user", "--uts", "sleep", "60")
        try child.waitUntilUnshared(.uts)
        let theirs = try Namespace(.user, ofProcess: child.pid)
        let parent = try theirs.parent()?.identity
        #expect(parent == own.identity)
        #expect(try theirs.ownerUserID() == geteuid())
        #expect(try Namespace(.uts, ofProcess: child.pid).owner().identity == theirs.identity)
        #expect(refusal { _ = try Namespace.current(.uts).parent() }?.errno == .invalidArgument)
        #expect(refusal { _ = try Namespace.current(.uts).ownerUserID() }?.errno == .invalidArgument)
        // The first namespace has no parent, and of another the caller may not see it.
        let hasParent = try own.parent() != nil
        #expect(!hasParent)
    }

    @Test(.needs(.root)) func aBoundNamespaceLivesOn() throws {
        let (identity, found, gone) = try withTemporaryDirectory { path in
            try onPrivateThread {
                let file = "\(path)/uts"
                let old = try Namespace.current(.uts)
                try Namespace.unshare(.uts)
                try HostName.set("kept")
                let mine = try Namespace.current(.uts)
                try mine.bind(to: file)
                try old.enter()
                let found = try Namespace(path: file, expecting: .uts)
                try found.enter()
                let name = try HostName.current()
                try Namespace.unbind(file)
                let gone = access(file, F_OK) == -1
                return (mine.identity, found.identity, gone && name == "kept")
            }
        }
        #expect(identity == found)
        #expect(gone)
    }

    @Test(.needs(.root)) func aBindThatFailsLeavesNoFile() throws {
        let (error, left) = try withTemporaryDirectory { path in
            try onPrivateThread {
                // A mount namespace bound within itself could never end.
                let error = refusal { try Namespace.current(.mount).bind(to: "\(path)/mnt") }
                return (error, access("\(path)/mnt", F_OK))
            }
        }
        // EINVAL from the cloning, ELOOP from the attaching where the kernel lets it be cloned.
        #expect(error?.errno == .invalidArgument || error?.errno == .tooManySymbolicLinks)
        #expect(error?.hint == "a mount namespace can only be bound in one that is older")
        #expect(left == -1)
    }

    @Test(.needs(.root)) func processIDsAreTranslated() throws {
        let child = try Child("unshare", "--pid", "--fork", "--kill-child", "sleep", "60")
        let inner = try child.firstChild()
        let theirs = try Namespace(.pid, ofProcess: inner)
        do {
            #expect(try theirs.innerPID(inner) == 1)
            #expect(try theirs.outerPID(1) == inner)
            #expect(try theirs.innerPID(getpid()) == nil)
            #expect(try theirs.outerPID(4_000_000) == nil)
            #expect(try theirs.outerPID(-1) == nil)
        } catch {
            // Linux before 6.11 has no such request.
            #expect(error.errno == Errno(rawValue: ENOTTY))
        }
        let parent = try theirs.parent()?.identity
        #expect(try parent == Namespace.current(.pid).identity)
        #expect(refusal { _ = try Namespace.current(.uts).innerPID(1) }?.errno == .invalidArgument)
    }

    @Test(.needs(.root)) func mountNamespaceNumbersDiffer() throws {
        let own = try Namespace.current(.mount).mountNamespaceID()
        let other = try onPrivateThread { try Namespace.current(.mount).mountNamespaceID() }
        if let own, let other { #expect(own != other) } else { #expect(own == nil && other == nil) }
        #expect(refusal { _ = try Namespace.current(.uts).mountNamespaceID() }?.errno == .invalidArgument)
    }

    @Test(.needs(.root)) func loopbackComesUp() throws {
        @Sendable func isUp() throws -> Bool {
            var list: UnsafeMutablePointer<ifaddrs>?
            try systemCall("getifaddrs") { getifaddrs(&list) }
            defer { freeifaddrs(list) }
            var next = list
            while let entry = next {
                if String(cString: entry.pointee.ifa_name) == "lo" {
                    return entry.pointee.ifa_flags & CUnsignedInt(IFF_UP) != 0
                }
                next = entry.pointee.ifa_next
            }
            return false
        }
        let (before, after) = try onPrivateThread(unsharing: .network) {
            let before = try isUp()
            try Loopback.bringUp()
            try Loopback.bringUp()
            return (before, try isUp())
        }
        #expect(!before && after)
    }

    @Test(.needs(.root)) func aNewTimeNamespaceHasItsOwnClocks() throws {
        let offsets = TimeOffsets(monotonic: .init(seconds: 5000), boottime: .init(seconds: 1_000_000, nanoseconds: 7))
        let (read, code, range, nano) = try onPrivateThread(unsharing: .time) {
            let range = refusal { try TimeOffsets(boottime: .init(seconds: .min)).write(toProcess: threadID()) }
            let nano = refusal {
                try TimeOffsets(boottime: .init(seconds: 0, nanoseconds: .max)).write(toProcess: threadID())
            }
            try offsets.write(toProcess: threadID())
            let read = try TimeOffsets.ofProcess(threadID())
            do {
                let child = try Child("sh", "-c", "read up rest < /proc/uptime; test ${up%.*} -ge 1000000")
                return (read, child.wait(), range, nano)
            } catch let error as SystemError where error.errno == .invalidArgument {
                // Before Linux 6.3, posix_spawn's way to fork is refused to who has a new time namespace.
                return (read, 0, range, nano)
            }
        }
        #expect(read == offsets)
        #expect(code == 0)
        #expect(range?.errno == .outOfRange && range?.hint != nil)
        #expect(nano?.errno == .invalidArgument)
        #expect(refusal { try offsets.write(toProcess: getpid()) }?.errno == .permissionDenied)
    }

    @Test func clockOffsetsHaveTheKernelsForm() {
        let offsets = TimeOffsets(monotonic: .init(seconds: -2, nanoseconds: 5), boottime: .init(seconds: 7))
        #expect(offsets.text == "monotonic -2 5\nboottime 7 0\n")
        #expect(TimeOffsets(parsing: offsets.text) == offsets)
        #expect(TimeOffsets(parsing: "1   -2     5\n7 7 0") == offsets)
        for bad in ["monotonic", "monotonic 1", "realtime 1 1", "monotonic 1 1000000000", "monotonic x 1"] {
            #expect(TimeOffsets(parsing: bad) == nil, "\(bad)")
        }
    }

    private func linkText(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = buffer.withUnsafeMutableBytes { readlink(path, $0.baseAddress!, $0.count) }
        return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
    }
}
