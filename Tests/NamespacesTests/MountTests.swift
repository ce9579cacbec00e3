import Glibc
import Linux
import Namespaces
import TestSupport
import Testing

@Suite struct MountTests {
    /// Runs a body on a private thread with a directory to mount on.
    func inside<Value: Sendable>(_ body: @escaping @Sendable (String) throws -> Value) throws -> Value {
        try withTemporaryDirectory { path in
            let value = try onPrivateThread { try body(path) }
            let outside = try MountTable(parsing: try readFile("/proc/self/mountinfo"))
            #expect(outside.mounts(below: path).isEmpty)
            return value
        }
    }

    @Test(.needs(.root)) func aTmpfsIsConfiguredMadeAndAttached() throws {
        let (info, entry) = try inside { path in
            let context = try FileSystemContext("tmpfs")
            try context.set("source", "scratch")
            try context.set("size", "1m")
            try context.set(.string("mode", "0700"))
            try context.create()
            let mount = try context.mount([.noSuid, .noDev, .noExec, .accessTimes(.never)])
            // Reachable before anybody else can see it.
            let file = try mount.descriptor.open("early", [.create, .writeOnly], mode: 0o600)
            try file.write("early")
            let root = try mount.attach(to: path)
            let info = try #require(try MountTable.current().mount(at: path))
            #expect(try readText("\(path)/early") == "early")
            return (info, try root.status())
        }
        #expect(info.fileSystemType == "tmpfs" && info.sourceText == "scratch")
        #expect(Set(info.options).isSuperset(of: ["rw", "nosuid", "nodev", "noexec", "noatime"]))
        #expect(info.superblockOptions.contains("size=1024k"))
        #expect(entry.mode & 0o777 == 0o700)
    }

    @Test(.needs(.root)) func theFileSystemsOwnWordsAreTheHint() throws {
        let (unknown, bad) = try inside { _ in
            let context = try FileSystemContext("tmpfs")
            return (refusal { try context.set("no-such", "1") }, refusal { try context.set("size", "many") })
        }
        #expect(unknown?.errno == .invalidArgument)
        #expect(unknown?.hint == "tmpfs: Unknown parameter 'no-such'")
        #expect(
            bad?.description.hasPrefix(#"set "size=many" of file system "tmpfs": invalid argument (EINVAL): "#) == true)
        #expect(bad?.hint?.contains("size") == true)
    }

    @Test(.needs(.root)) func anUnknownFileSystemIsNamed() {
        let error = refusal { _ = try FileSystemContext("nosuchfs") }
        #expect(
            error?.description
                == #"open file system "nosuchfs": no such device (ENODEV): the kernel does not have this file system"#)
        #expect(refusal { _ = try FileSystemContext("tmpfs\0x") }?.errno == .invalidArgument)
    }

    @Test(.needs(.root)) func optionsMakeANewFileSystem() throws {
        let info = try inside { path in
            let options = try MountOptions(parsing: ["nosuid", "nodev", "ro", "size=64k", "mode=755", "rnoexec"])
            try DetachedMount("tmpfs", source: "shm", options: options).attach(to: path)
            return try #require(try MountTable.current().mount(at: path))
        }
        #expect(Set(info.options).isSuperset(of: ["ro", "nosuid", "nodev", "noexec"]))
        #expect(info.superblockOptions.hasPrefix("ro,size=64k"))
    }

    @Test(.needs(.root)) func aMountThatIsNeverAttachedLeavesNothing() throws {
        let (before, after) = try inside { path in
            let before = try MountTable.current()
            _ = try DetachedMount("tmpfs")
            _ = try DetachedMount(cloning: path)
            return (before, try MountTable.current())
        }
        #expect(before == after)
    }

    @Test(.needs(.root)) func aBindMountHasItsAttributesFromTheFirstMoment() throws {
        let (write, execute, info) = try inside { path in
            try makeDirectory("\(path)/from")
            try makeDirectory("\(path)/to")
            try makeFile("\(path)/from/file", "text")
            try Mount.bind(
                "\(path)/from", on: "\(path)/to", changing: MountAttributeChange(set: [.readOnly, .noExec]))
            #expect(try readText("\(path)/to/file") == "text")
            let write = refusal { _ = try Descriptor.open("\(path)/to/file", .writeOnly) }
            try makeFile("\(path)/from/file", "changed")
            return (
                write, try readText("\(path)/to/file"), try #require(try MountTable.current().mount(at: "\(path)/to"))
            )
        }
        #expect(write?.errno == .readOnlyFileSystem)
        #expect(execute == "changed")
        #expect(info.rootText.hasSuffix("/from"))
        #expect(Set(info.options).isSuperset(of: ["ro", "noexec"]))
    }

    @Test(.needs(.root)) func recursiveAttributesReachEveryMountBelow() throws {
        let (only, all, back) = try inside { path in
            try DetachedMount("tmpfs").attach(to: path)
            try makeDirectory("\(path)/below")
            try DetachedMount("tmpfs").attach(to: "\(path)/below")
            func readOnly() throws -> [Bool] {
                try MountTable.current().mounts(below: path).map { $0.options.contains("ro") }
            }
            let root = try Descriptor.open(path, .path)
            try Mount.setAttributes(MountAttributeChange(set: .readOnly), of: root)
            let only = try readOnly()
            try Mount.setAttributes(MountAttributeChange(set: .readOnly), of: root, recursive: true)
            let all = try readOnly()
            var change = MountAttributeChange(clear: .readOnly)
            change.accessTimes = .always
            try Mount.setAttributes(change, of: root, recursive: true)
            let table = try MountTable.current().mounts(below: path)
            #expect(!table.contains { $0.options.contains("relatime") || $0.options.contains("noatime") })
            return (only, all, try readOnly())
        }
        #expect(only == [true, false])
        #expect(all == [true, true])
        #expect(back == [false, false])
    }

    @Test(.needs(.root)) func aRecursiveCloneBringsWhatIsBelow() throws {
        let (flat, deep) = try inside { path in
            for name in ["a", "b", "c"] { try makeDirectory("\(path)/\(name)") }
            try DetachedMount("tmpfs").attach(to: "\(path)/a")
            try makeDirectory("\(path)/a/below")
            try DetachedMount("tmpfs").attach(to: "\(path)/a/below")
            try makeFile("\(path)/a/below/file")
            try Mount.bind("\(path)/a", on: "\(path)/b")
            try Mount.bind("\(path)/a", on: "\(path)/c", recursive: true)
            return (access("\(path)/b/below/file", F_OK), access("\(path)/c/below/file", F_OK))
        }
        #expect(flat == -1)
        #expect(deep == 0)
    }

    @Test(.needs(.root)) func optionsTellTheMountFromWhatComesAlong() throws {
        let infos = try inside { path in
            for name in ["a", "b"] { try makeDirectory("\(path)/\(name)") }
            try DetachedMount("tmpfs").attach(to: "\(path)/a")
            try makeDirectory("\(path)/a/below")
            try DetachedMount("tmpfs").attach(to: "\(path)/a/below")
            let options = try MountOptions(parsing: ["rbind", "ro", "rnosuid", "rnoatime"])
            let source = try Descriptor.open("\(path)/a", .path)
            try DetachedMount(cloning: source, options: options).attach(to: "\(path)/b")
            return try MountTable.current().mounts(below: "\(path)/b").map { Set($0.options) }
        }
        try #require(infos.count == 2)
        #expect(infos[0] == ["ro", "nosuid", "noatime"])
        #expect(infos[1] == ["rw", "nosuid", "noatime"])
    }

    @Test(.needs(.root)) func propagationIsWhatTheTableSays() throws {
        let infos = try inside { path in
            try DetachedMount("tmpfs").attach(to: path)
            try makeDirectory("\(path)/below")
            try DetachedMount("tmpfs").attach(to: "\(path)/below")
            let root = try Descriptor.open(path, .path)
            func table() throws -> [MountInfo] { try MountTable.current().mounts(below: path) }
            try Mount.setPropagation(MountPropagation(.shared), of: root)
            var infos = [try table()]
            try Mount.setPropagation(MountPropagation(.shared, recursive: true), of: root)
            infos.append(try table())
            try Mount.setPropagation(MountPropagation(.unbindable, recursive: true), of: root)
            infos.append(try table())
            let clone = refusal { _ = try DetachedMount(cloning: path) }
            #expect(clone?.errno == .invalidArgument)
            try Mount.setPropagation(MountPropagation(.private, recursive: true), of: root)
            infos.append(try table())
            return infos
        }
        #expect(infos[0].map { $0.sharedGroup != nil } == [true, false])
        #expect(infos[1].map { $0.sharedGroup != nil } == [true, true])
        #expect(infos[2].allSatisfy { $0.isUnbindable && $0.sharedGroup == nil })
        #expect(infos[3].allSatisfy { $0.optionalFields.isEmpty })
    }

    @Test(.needs(.root)) func aSlaveNamesItsMaster() throws {
        let (group, master) = try inside { path in
            try makeDirectory("\(path)/a")
            try makeDirectory("\(path)/b")
            try DetachedMount("tmpfs").attach(to: "\(path)/a")
            try Mount.setPropagation(MountPropagation(.shared), of: try Descriptor.open("\(path)/a", .path))
            let bound = try Mount.bind("\(path)/a", on: "\(path)/b")
            try Mount.setPropagation(MountPropagation(.slave), of: bound)
            let table = try MountTable.current()
            return (table.mount(at: "\(path)/a")?.sharedGroup, table.mount(at: "\(path)/b")?.masterGroup)
        }
        #expect(group != nil && group == master)
    }

    @Test(.needs(.root)) func unmountByDescriptorAndByPath() throws {
        let (busy, left, notMounted) = try inside { path in
            let root = try DetachedMount("tmpfs").attach(to: path)
            let busy = refusal { try Mount.unmount(path) }
            try Mount.detach(root)
            let left = try MountTable.current().mount(at: path)
            try DetachedMount("tmpfs").attach(to: path)
            try Mount.unmount(path, .noFollow)
            return (busy, left, refusal { try Mount.unmount(path) })
        }
        #expect(busy?.errno == .busy)
        #expect(left == nil)
        #expect(notMounted?.errno == .invalidArgument && notMounted?.hint != nil)
    }

    @Test(.needs(.root)) func unmountCanRefuseToFollowALink() throws {
        let (link, still) = try inside { path in
            try makeDirectory("\(path)/real")
            try makeLink("\(path)/link", to: "real")
            try DetachedMount("tmpfs").attach(to: "\(path)/real")
            let link = refusal { try Mount.unmount("\(path)/link", [.noFollow, .detach]) }
            return (link, try MountTable.current().mount(at: "\(path)/real") != nil)
        }
        #expect(link?.errno == .invalidArgument)
        #expect(still)
    }

    @Test(.needs(.root)) func mountsMoveAndStack() throws {
        let (moved, top) = try inside { path in
            try makeDirectory("\(path)/a")
            try makeDirectory("\(path)/b")
            let root = try DetachedMount("tmpfs", source: "one").attach(to: "\(path)/a")
            try Mount.move(root, to: try Descriptor.open("\(path)/b", .path))
            let table = try MountTable.current()
            let moved = (table.mount(at: "\(path)/a") == nil, table.mount(at: "\(path)/b")?.sourceText)
            try DetachedMount("tmpfs", source: "two").attach(to: "\(path)/b")
            try DetachedMount("tmpfs", source: "three").attach(to: "\(path)/b")
            return (moved, try MountTable.current().mount(at: "\(path)/b")?.sourceText)
        }
        #expect(moved.0 && moved.1 == "one")
        #expect(top == "three")
    }

    @Test(.needs(.root)) func theClassicCallTakesOptionsToo() throws {
        let (first, second, third) = try inside { path in
            let options = try MountOptions(parsing: ["nosuid", "noatime", "size=128k"])
            try Mount.mount("tmpfs", on: path, type: "tmpfs", options.mountFlags, data: options.dataString)
            let first = try #require(try MountTable.current().mount(at: path))
            try makeDirectory("\(path)/a")
            let bind = try MountOptions(parsing: ["rbind", "ro", "noexec", "rprivate"])
            try Mount.mount(path, on: "\(path)/a", bind.mountFlags)
            let second = try #require(try MountTable.current().mount(at: "\(path)/a"))
            try Mount.mount(nil, on: "\(path)/a", try #require(bind.bindRemountFlags))
            for type in bind.propagation { try Mount.mount(nil, on: "\(path)/a", type.flags) }
            return (first, second, try #require(try MountTable.current().mount(at: "\(path)/a")))
        }
        #expect(Set(first.options).isSuperset(of: ["rw", "nosuid", "noatime"]))
        #expect(first.superblockOptions.contains("size=128k"))
        #expect(second.options.contains("rw"))
        #expect(Set(third.options).isSuperset(of: ["ro", "noexec"]))
        let missing = refusal { try Mount.mount("none", on: "/nonexistent", type: "tmpfs") }
        #expect(missing?.description == #"mount "tmpfs" on "/nonexistent": no such file or directory (ENOENT)"#)
    }

    @Test(.needs(.root)) func aFileSystemIsReconfigured() throws {
        let (info, refused) = try inside { path in
            let root = try DetachedMount("tmpfs").attach(to: path)
            let context = try FileSystemContext(reconfiguring: root)
            try context.set("size", "2m")
            try context.reconfigure()
            let again = try FileSystemContext(reconfiguring: root)
            let info = try #require(try MountTable.current().mount(at: path))
            return (info, refusal { try again.set("size", "x") })
        }
        #expect(info.superblockOptions.contains("size=2048k"))
        #expect(refused?.errno == .invalidArgument)
    }

    @Test(.needs(.root)) func pivotRootLeavesNothingBehind() throws {
        let (mounts, entries, outside) = try inside { path in
            let root = try DetachedMount("tmpfs", source: "newroot").attach(to: path)
            try makeDirectory("\(path)/proc")
            try makeFile("\(path)/inside", "inside")
            try DetachedMount("proc").attach(to: "\(path)/proc")
            try Mount.pivotRoot(to: root)
            return (
                try MountTable.current().mounts.map(\.sourceText), try readText("/inside"),
                refusal { _ = try Descriptor.open("/../\(path)", .path) }
            )
        }
        #expect(mounts == ["newroot", "none"] || mounts == ["newroot", "proc"])
        #expect(entries == "inside")
        #expect(outside?.errno == .noSuchFileOrDirectory)
    }

    @Test(.needs(.root)) func pivotRootToAPlainDirectorySaysWhyNot() throws {
        let error = try inside { path in
            refusal { try Mount.pivotRoot(to: try Descriptor.open(path, [.path, .directory])) }
        }
        #expect(error?.errno == .invalidArgument || error?.errno == .busy)
        #expect(error?.hint != nil)
    }

    @Test(.needs(.root)) func moveRootPutsTheMountOverSlash() throws {
        let (seen, cwd) = try inside { path in
            let root = try DetachedMount("tmpfs", source: "newroot").attach(to: path)
            try makeFile("\(path)/inside", "inside")
            try Mount.moveRoot(to: root)
            return (try readText("/inside"), refusal { _ = try Descriptor.open("/proc/self", .path) })
        }
        #expect(seen == "inside")
        #expect(cwd?.errno == .noSuchFileOrDirectory)
    }

    @Test(.needs(.root)) func refusalsNameThePlace() throws {
        let (file, plain) = try inside { path in
            try makeFile("\(path)/file")
            let file = refusal { try DetachedMount("tmpfs").attach(to: "\(path)/file") }
            let plain = refusal {
                try Mount.setAttributes(
                    MountAttributeChange(set: .readOnly), of: try Descriptor.open(path, .path))
            }
            return (file?.description.replacing(path, with: "T"), plain?.description.replacing(path, with: "T"))
        }
        #expect(file?.hasPrefix(#"attach mount to "T/file": "#) == true)
        #expect(file?.contains("one end is a directory and the other is not") == true)
        #expect(plain?.hasPrefix(#"set attributes of mount "T": invalid argument (EINVAL): "#) == true)
    }
}

extension String {
    /// The standard library's own needs a newer deployment target on some hosts.
    func replacing(_ part: String, with other: String) -> String {
        split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
    }
}
