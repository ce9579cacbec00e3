import Namespaces
import Testing

@Suite struct MountOptionsTests {
    func parse(_ words: String...) throws -> MountOptions { try MountOptions(parsing: words) }

    @Test func dockersProcMountIsTakenApart() throws {
        let options = try parse("nosuid", "noexec", "nodev")
        #expect(options.flags == [.noSuid, .noExec, .noDev])
        #expect(options.flags.rawValue == 2 | 4 | 8)
        #expect(options.attributes == MountAttributeChange(set: [.noSuid, .noExec, .noDev]))
        #expect(options.attributes.set.rawValue == 0xe)
        #expect(options.dataString == "")
        #expect(options.mountFlags == options.flags)
        #expect(options.bindRemountFlags == nil)
    }

    @Test func fileSystemWordsStayInOrder() throws {
        let options = try parse("nosuid", "strictatime", "mode=755", "newinstance", "size=65536k", "acl")
        #expect(options.dataString == "mode=755,newinstance,size=65536k,acl")
        #expect(options.flags == [.noSuid, .strictAtime])
        #expect(
            options.superblockParameters == [
                .string("mode", "755"), .flag("newinstance"), .string("size", "65536k"), .flag("acl"),
            ])
    }

    @Test func aBindMountNeedsASecondCallForItsFlags() throws {
        let options = try parse("rbind", "ro", "nosuid", "rslave")
        #expect(options.isBind && options.isRecursiveBind)
        #expect(options.mountFlags == [.bind, .recursive])
        #expect(options.bindRemountFlags == [.bind, .remount, .readOnly, .noSuid])
        #expect(options.propagation == [MountPropagation(.slave, recursive: true)])
        #expect(options.propagation[0].flags.rawValue == 1 << 19 | 16384)
        #expect(try parse("bind").bindRemountFlags == nil)
        // rw on a bind mount takes a flag away, so it is a change as well.
        #expect(try parse("bind", "rw").bindRemountFlags == [.bind, .remount])
        #expect(try parse("bind", "rw").attributes.clear == .readOnly)
    }

    @Test func theLastWordCounts() throws {
        let options = try parse("ro", "rw", "dev", "nodev", "sync", "async")
        #expect(options.flags == .noDev)
        #expect(options.clearedFlags == [.readOnly, .synchronous])
        #expect(options.attributes == MountAttributeChange(set: .noDev, clear: .readOnly))
        #expect(options.superblockParameters == [.flag("rw"), .flag("async")])
    }

    @Test func accessTimesAreOneField() throws {
        let never = try parse("noatime")
        #expect(never.attributes.set.rawValue == 0x10 && never.attributes.clear.rawValue == 0x70)
        let always = try parse("noatime", "strictatime")
        #expect(always.attributes.set.rawValue == 0x20 && always.attributes.clear.rawValue == 0x70)
        #expect(always.flags == .strictAtime)
        let relative = try parse("relatime")
        #expect(relative.attributes.set.rawValue == 0 && relative.attributes.clear.rawValue == 0x70)
        #expect(relative.attributes.accessTimes == .relative)
        #expect(try parse("noatime", "atime").attributes.accessTimes == .relative)
        #expect(try parse("strictatime", "atime").attributes.accessTimes == .always)
        #expect(try parse("relatime", "norelatime").attributes.isEmpty)
        #expect(try parse("nostrictatime").attributes.accessTimes == .relative)
        let directories = try parse("nodiratime", "noatime")
        #expect(directories.attributes.set.rawValue == 0x90)
        #expect(directories.flags == [.noDirAtime, .noAtime])
    }

    @Test func recursiveWordsLeaveTheMountItselfAlone() throws {
        let options = try parse("rro", "rnosuid", "rnodev", "rnoexec", "rnosymfollow", "rnoatime", "rdiratime")
        #expect(options.attributes.isEmpty && options.flags.isEmpty)
        #expect(options.recursiveAttributes.set.rawValue == 0x1 | 0x2 | 0x4 | 0x8 | 0x20_0000 | 0x10)
        #expect(options.recursiveAttributes.clear.rawValue == 0x70 | 0x80)
        let off = try parse("rrw", "rsuid", "rdev", "rexec", "rsymfollow", "rrelatime")
        #expect(off.recursiveAttributes.clear.rawValue == 0x1 | 0x2 | 0x4 | 0x8 | 0x20_0000 | 0x70)
        #expect(off.recursiveAttributes.set.isEmpty)
    }

    @Test func superblockWordsHaveBothForms() throws {
        let options = try parse("ro", "dirsync", "lazytime", "mand", "iversion", "silent")
        #expect(
            options.flags == [.readOnly, .directorySynchronous, .lazyTime, .mandatoryLocking, .inodeVersion, .silent])
        #expect(
            options.superblockParameters == [
                .flag("ro"), .flag("dirsync"), .flag("mand"), .flag("lazytime"), .flag("iversion"),
            ])
        #expect(try parse("silent", "loud").flags.isEmpty)
    }

    @Test func runtimesOwnWords() throws {
        let options = try parse("tmpcopyup", "ridmap")
        #expect(options.copiesUp && options.idMap == MountIDMapping(recursive: true))
        #expect(try parse("idmap").idMap == MountIDMapping(recursive: false))
        let nofollow = try parse("src-nofollow", "dest-nofollow")
        #expect(nofollow.sourceNoFollow && nofollow.targetNoFollow && nofollow.data.isEmpty)
        #expect(throws: MountOptionError.exclusive("copy-symlink", "src-nofollow")) {
            try parse("copy-symlink", "src-nofollow")
        }
    }

    @Test func idMapRanges() throws {
        let mapping = try #require(try parse("idmap=uids=0-1000-10#10-5000-1;gids=@0-0-5").idMap)
        #expect(
            mapping.users == [
                .init(.init(inside: 0, outside: 1000, count: 10)), .init(.init(inside: 10, outside: 5000, count: 1)),
            ])
        #expect(mapping.groups == [.init(.init(inside: 0, outside: 0, count: 5), isRelative: true)])
        #expect(!mapping.recursive)
        #expect(try parse("ridmap=uids=1-2-3").idMap?.recursive == true)
        for bad in ["", "uids", "uids=", "uids=1-2", "uids=1-2-3-4", "uids=+1-2-3", "uids=1-2-4294967296", "x=1-2-3"] {
            #expect(throws: MountOptionError.malformedIDMap("idmap=" + bad)) { try parse("idmap=" + bad) }
        }
    }

    @Test func wordsOfFstabNeverReachTheKernel() throws {
        let options = try parse("nofail", "x-systemd.automount", "X-mount.mkdir=0700", "comment=x", "_netdev", "")
        #expect(options.data.isEmpty && options.flags.isEmpty)
        #expect(options.userSpaceWords.count == 5)
        #expect(try parse("user").flags == [.noExec, .noSuid, .noDev])
        #expect(try parse("user", "exec").flags == [.noSuid, .noDev])
        #expect(try parse("owner").flags == [.noSuid, .noDev])
        #expect(try parse("defaults") == MountOptions())
    }

    @Test func aLineKeepsCommasInQuotes() throws {
        let options = try MountOptions(parsing: #"ro,context="system_u:object_r:x:s0:c1,c2",size=1m"#)
        #expect(options.data == [#"context="system_u:object_r:x:s0:c1,c2""#, "size=1m"])
        #expect(
            options.superblockParameters == [
                .flag("ro"), .string("context", "system_u:object_r:x:s0:c1,c2"), .string("size", "1m"),
            ])
        #expect(try MountOptions(parsing: "\"").data == ["\""])
        #expect(try MountOptions(parsing: "a=\"").superblockParameters == [.string("a", "\"")])
    }

    /// Every word that runc 1.5 or crun 1.27 says it knows in its `features`.
    @Test func everyWordOfRuncAndCrunIsKnown() {
        let words = """
            async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime \
            noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev \
            rdiratime relatime remount rexec rnoatime rnodev rnodiratime rnoexec rnorelatime rnostrictatime rnosuid \
            rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw \
            shared silent slave strictatime suid symfollow sync tmpcopyup unbindable rasync rdirsync rmand rnomand \
            rsync idmap ridmap copy-symlink src-nofollow dest-nofollow
            """.split(separator: " ").map(String.init)
        let known = MountOptions.knownWords
        #expect(words.filter { !known.contains($0) } == [])
        #expect(known == known.sorted())
    }

    @Test func aWordOnlyLikeAKnownOneIsTheFileSystems() throws {
        let words = ["r", "riversion", "rsilent", "rdefaults", "rremount", "rrro", "RO", "ro ", "rrbind", "idmapped"]
        #expect(try MountOptions(parsing: words).data == words)
    }

    @Test func everyKnownWordHasAnEffectExceptDefaults() throws {
        #expect(Set(MountOptions.knownWords).count == MountOptions.knownWords.count)
        for word in MountOptions.knownWords where word != "defaults" && word != "norelatime" && word != "rnorelatime" {
            let options = try parse(word)
            #expect(options != MountOptions(), "\(word)")
            #expect(options.data.isEmpty, "\(word)")
        }
    }
}
