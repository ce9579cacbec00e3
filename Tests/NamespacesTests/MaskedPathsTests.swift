import Glibc
import Linux
import Namespaces
import TestSupport
import Testing

@Suite struct MaskedPathsTests {
    /// Runs a body on a private thread with a hostile tree: `BASE/host` is the host's, `BASE/root` the tree.
    func inside<Value: Sendable>(_ body: @escaping @Sendable (_ base: String) throws -> Value) throws -> Value {
        try withTemporaryDirectory { base in
            for directory in ["/host", "/root", "/root/secret", "/root/dev"] { try makeDirectory(base + directory) }
            try makeFile("\(base)/host/file", "host")
            try makeFile("\(base)/root/secret/key", "secret")
            try makeFile("\(base)/root/key", "secret")
            try makeLink("\(base)/root/link", to: "secret")
            try makeLink("\(base)/root/toKey", to: "/key")
            try makeLink("\(base)/root/out", to: "\(base)/host")
            try makeLink("\(base)/root/outFile", to: "../host/file")
            try makeLink("\(base)/root/dev/null", to: "/key")
            return try onPrivateThread { try body(base) }
        }
    }

    @Test(.needs(.root)) func filesAndDirectoriesAreHidden() throws {
        let (directory, file, write, removed) = try inside { base in
            let root = try RootDirectory(path: "\(base)/root")
            let null = try NullDevice()
            #expect(try root.mask("/secret", with: null))
            #expect(try root.mask("key", with: null))
            let write = refusal {
                _ = try Descriptor.open("\(base)/root/secret/new", [.create, .writeOnly], mode: 0o600)
            }
            return (
                refusal { _ = try Descriptor.open("\(base)/root/secret/key", .path) },
                try readText("\(base)/root/key"), write, rmdir("\(base)/root/secret")
            )
        }
        #expect(directory?.errno == .noSuchFileOrDirectory)
        #expect(file == "")
        #expect(write?.errno == .readOnlyFileSystem)
        #expect(removed == -1)
    }

    @Test(.needs(.root)) func aLinkIsMaskedWhereItLeadsInside() throws {
        let (key, secret, host, mounts) = try inside { base in
            let root = try RootDirectory(path: "\(base)/root")
            let null = try NullDevice()
            #expect(try root.mask("link", with: null))
            #expect(try root.mask("toKey", with: null))
            // They lead out, where inside nothing is.
            #expect(try !root.mask("out", with: null))
            #expect(try !root.mask("outFile", with: null))
            return (
                try readText("\(base)/root/key"), access("\(base)/root/secret/key", F_OK),
                try readText("\(base)/host/file"),
                try MountTable.current().mounts(below: "\(base)/root").map { $0.mountPointText.dropFirst(base.count) }
            )
        }
        #expect(key == "" && secret == -1)
        #expect(host == "host")
        #expect(Set(mounts) == ["/root/secret", "/root/key"])
    }

    @Test(.needs(.root)) func whatIsNotThereIsPassedOver() throws {
        let (any, mounts) = try inside { base in
            let root = try RootDirectory(path: "\(base)/root")
            let null = try NullDevice()
            let any = [
                try root.mask("/proc/kcore", with: null), try root.mask("key/below", with: null),
                try root.makeReadOnly("/proc/sys"),
            ]
            return (any, try MountTable.current().mounts(below: base).count)
        }
        #expect(any == [false, false, false])
        #expect(mounts == 0)
    }

    /// CVE-2025-31133: a tree's /dev/null that is something else must never become the mask.
    @Test(.needs(.root)) func onlyTheNullDeviceIsTheNullDevice() throws {
        let (link, file, zero) = try inside { base in
            (
                refusal { _ = try NullDevice(path: "\(base)/root/dev/null") },
                refusal { _ = try NullDevice(path: "\(base)/root/key") },
                refusal { _ = try NullDevice(path: "/dev/zero") }
            )
        }
        for error in [link, file, zero] {
            #expect(error?.errno == .noSuchDevice)
            #expect(error?.hint == "it is not the character device 1:3")
        }
    }

    @Test(.needs(.root)) func readOnlyIsReadOnlyWithAllBelow() throws {
        let (one, below, file, host, outside) = try inside { base in
            try makeDirectory("\(base)/root/secret/below")
            try DetachedMount("tmpfs").attach(to: "\(base)/root/secret/below")
            let root = try RootDirectory(path: "\(base)/root")
            #expect(try root.makeReadOnly("link"))
            #expect(try root.makeReadOnly("key"))
            #expect(try !root.makeReadOnly("out"))
            func create(_ path: String) -> SystemError? {
                refusal { _ = try Descriptor.open("\(base)/\(path)", [.create, .writeOnly], mode: 0o600) }
            }
            return (
                create("root/secret/new"), create("root/secret/below/new"), create("root/key"), create("host/new"),
                create("root/new")
            )
        }
        #expect(one?.errno == .readOnlyFileSystem)
        #expect(below?.errno == .readOnlyFileSystem)
        #expect(file?.errno == .readOnlyFileSystem)
        #expect(host == nil && outside == nil)
    }
}
