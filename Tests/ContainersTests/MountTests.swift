import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// What the container sees of files.
    @Suite struct MountTests {
        private func bind(_ source: String, _ target: String, _ options: String...) -> Configuration.Mount {
            .init(destination: target, type: "bind", source: source, options: options)
        }

        @Test(.needs(.root)) func theRootIsReadOnly() throws {
            let bundle = try TestBundle(script: "touch /tmp/x; mkdir /y; rm -f /bin/busybox; echo > /bin/sh")
            let lines = try bundle.linesOfRun()
            #expect(lines.count == 4)
            #expect(lines.allSatisfy { $0.hasSuffix("Read-only file system") }, "\(lines)")
            #expect(names(in: "\(bundle.rootfs)/tmp") == [])
        }

        @Test(.needs(.root)) func aWritableRootIsWritten() throws {
            let bundle = try TestBundle(script: "echo written >/tmp/x")
            bundle.configuration.root.readonly = false
            try bundle.run()
            #expect(try readText("\(bundle.rootfs)/tmp/x") == "written\n")
        }

        @Test(.needs(.root)) func bindMountsAreAsTheyAreAskedFor() throws {
            let bundle = try TestBundle(
                script: """
                    cat /data/file /alone
                    touch /data/x; touch /alone; echo more >>/free/file; cat /free/file
                    grep -E ' /(data|alone|free) ' /proc/self/mountinfo | cut -d' ' -f5,6
                    """)
            for name in ["data", "free"] {
                mkdir("\(bundle.folder)/\(name)", 0o755)
                try makeFile("\(bundle.folder)/\(name)/file", "\(name)\n")
            }
            bundle.configuration.mounts += [
                bind("\(bundle.folder)/data", "/data", "bind", "ro", "noexec"),
                // A file, from a path relative to the bundle, on a place that does not exist.
                bind("data/file", "/alone", "rbind", "ro"), bind("free", "/free", "bind", "rw", "nosuid", "nodev"),
            ]
            let lines = try bundle.linesOfRun()
            #expect(lines.prefix(2) == ["data", "data"])
            #expect(lines[2].hasSuffix("Read-only file system") && lines[3].hasSuffix("Read-only file system"))
            #expect(lines[4...5] == ["free", "more"])
            #expect(lines[6].hasPrefix("/data ro,") && lines[6].contains("noexec"))
            #expect(lines[7].hasPrefix("/alone ro"))
            #expect(lines[8].hasPrefix("/free rw,nosuid,nodev"))
        }

        @Test(.needs(.root)) func aFileSystemTakesItsOptions() throws {
            let bundle = try TestBundle(
                script: """
                    stat -c %a /scratch
                    dd if=/dev/zero of=/scratch/x bs=1k count=128 2>&1 | grep -o 'No space left on device'
                    grep ' /scratch ' /proc/self/mountinfo | sed 's/.* - //'
                    grep ' /scratch ' /proc/self/mountinfo | cut -d' ' -f6
                    """)
            bundle.configuration.mounts.append(
                .init(
                    destination: "/scratch", type: "tmpfs", source: "scratch",
                    options: ["nosuid", "noexec", "size=64k", "mode=1711"]))
            let lines = try bundle.linesOfRun()
            #expect(lines.prefix(2) == ["1711", "No space left on device"])
            #expect(lines[2].hasPrefix("tmpfs scratch rw,size=64k,mode=1711"))
            #expect(lines[3].hasPrefix("rw,nosuid,noexec"))
        }

        @Test(.needs(.root)) func anUnknownOptionNamesTheMount() throws {
            let bundle = try TestBundle()
            bundle.configuration.mounts.append(
                .init(destination: "/scratch", type: "tmpfs", source: "scratch", options: ["colour=red"]))
            let message = try #require(bundle.refusal()?.message)
            #expect(message.contains("make file system tmpfs"))
            #expect(message.contains("colour"))
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func propagationIsTheMounts() throws {
            let bundle = try TestBundle(
                script: "for m in /shared /private /free /; do awk -v m=$m '$5 == m' /proc/self/mountinfo; done")
            mkdir("\(bundle.folder)/data", 0o755)
            bundle.configuration.linux.rootfsPropagation = .shared
            bundle.configuration.mounts += [
                bind("data", "/shared", "bind", "rshared"), bind("data", "/private", "bind", "rprivate"),
                bind("data", "/free", "bind", "unbindable"),
            ]
            let lines = try bundle.linesOfRun()
            #expect(lines[0].contains(" shared:"))
            #expect(!lines[1].contains("shared:") && !lines[1].contains("master:"))
            #expect(lines[2].contains(" unbindable"))
            #expect(lines[3].contains(" shared:"))
        }

        @Test(.needs(.testVM)) func aSlaveSeesWhatTheHostMountsLater() throws {
            let bundle = try TestBundle(
                script: "echo up; while [ ! -e /slave/below/late ]; do sleep 0.1; done; echo seen; ls /private/below")
            mkdir("\(bundle.folder)/data", 0o755)
            mkdir("\(bundle.folder)/data/below", 0o755)
            bundle.configuration.mounts += [
                bind("data", "/slave", "rbind", "rslave"), bind("data", "/private", "rbind", "rprivate"),
            ]
            let creation = try bundle.start()
            defer { discard(creation) }
            try bundle.waitForOutput("up\n")
            let place = "\(bundle.folder)/data/below"
            #expect(mount("none", place, "tmpfs", 0, nil) == 0)
            defer { umount2(place, CInt(MNT_DETACH)) }
            try makeFile("\(place)/late")
            #expect(try creation.wait() == .exited(0))
            #expect(bundle.lines == ["up", "seen"])
        }

        @Test(.needs(.root)) func nothingMountedInsideReachesTheHost() throws {
            let bundle = try TestBundle(script: "mount -t tmpfs none /data && echo mounted")
            mkdir("\(bundle.folder)/data", 0o755)
            bundle.process.capabilities?.bounding = ["CAP_SYS_ADMIN"]
            bundle.process.capabilities?.effective = ["CAP_SYS_ADMIN"]
            bundle.process.capabilities?.permitted = ["CAP_SYS_ADMIN"]
            bundle.configuration.mounts += [bind("data", "/data", "rbind")]
            let creation = try bundle.start()
            defer { discard(creation) }
            _ = try creation.wait()
            #expect(bundle.lines == ["mounted"])
            #expect(bundle.leftovers.filter { $0.hasPrefix("mount") } == [])
        }

        @Test(.needs(.root)) func aFileSystemStartsWithACopyOfWhatItCovers() throws {
            let bundle = try TestBundle(
                script:
                    "cat /etc/conf/file; readlink /etc/link; stat -c '%a %u %g' /etc/conf/file /etc; echo new >/etc/new; ls /etc"
            )
            mkdir("\(bundle.rootfs)/etc/conf", 0o700)
            try makeFile("\(bundle.rootfs)/etc/conf/file", "covered\n", mode: 0o640)
            chown("\(bundle.rootfs)/etc/conf/file", 3, 4)
            symlink("/somewhere/else", "\(bundle.rootfs)/etc/link")
            chmod("\(bundle.rootfs)/etc", 0o751)
            bundle.process.capabilities?.effective.append("CAP_DAC_OVERRIDE")
            bundle.process.capabilities?.permitted.append("CAP_DAC_OVERRIDE")
            bundle.process.capabilities?.bounding.append("CAP_DAC_OVERRIDE")
            bundle.configuration.mounts.append(
                .init(destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]))
            #expect(
                try bundle.linesOfRun() == [
                    "covered", "/somewhere/else", "640 3 4", "751 0 0", "conf", "link", "new",
                ])
            #expect(names(in: "\(bundle.rootfs)/etc").sorted() == ["conf", "link"])
        }

        @Test(.needs(.testVM)) func anIDMappedMountShowsOtherOwners() throws {
            let bundle = try TestBundle(script: "stat -c '%u %g' /mapped/file /plain/file; echo x >/mapped/new")
            let (image, place) = ("\(bundle.folder)/image", "\(bundle.folder)/place")
            mkdir(place, 0o755)
            // tmpfs can be mapped since Linux 6.3, ext4 since 5.12.
            #expect(system("truncate -s 8M \(image) && mkfs.ext4 -q \(image) && mount -o loop \(image) \(place)") == 0)
            defer { umount2(place, CInt(MNT_DETACH)) }
            try makeFile("\(place)/file")
            chown("\(place)/file", 1000, 1001)
            chmod(place, 0o777)
            var mapped = bind(place, "/mapped", "bind", "idmap")
            mapped.uidMappings = [
                .init(containerID: 0, hostID: 0, size: 1), .init(containerID: 1000, hostID: 5000, size: 10),
            ]
            mapped.gidMappings = [
                .init(containerID: 0, hostID: 0, size: 1), .init(containerID: 1001, hostID: 6000, size: 10),
            ]
            bundle.configuration.mounts += [mapped, bind(place, "/plain", "bind")]
            #expect(try bundle.linesOfRun() == ["5000 6000", "1000 1001"])
        }

        @Test(.needs(.root)) func masksHideFilesAndDirectories() throws {
            let bundle = try TestBundle(
                script: """
                    stat -c '%t:%T' /secret/file; ls /secret/directory | wc -l; touch /secret/directory/x
                    ls /secret; cat /proc/interrupts | wc -c; echo x > /proc/sys/kernel/hostname; ls /readonly; touch /readonly/x
                    """)
            bundle.configuration.root.readonly = false
            mkdir("\(bundle.rootfs)/secret", 0o755)
            mkdir("\(bundle.rootfs)/readonly", 0o777)
            mkdir("\(bundle.rootfs)/secret/directory", 0o777)
            try makeFile("\(bundle.rootfs)/secret/file", "secret")
            try makeFile("\(bundle.rootfs)/secret/directory/file", "secret")
            try makeFile("\(bundle.rootfs)/readonly/file")
            bundle.configuration.linux.maskedPaths += ["/secret/file", "/secret/directory", "/secret/absent"]
            bundle.configuration.linux.readonlyPaths += ["/readonly", "/absent"]
            let lines = try bundle.linesOfRun()
            #expect(lines.prefix(2) == ["1:3", "0"])
            #expect(lines[2].hasSuffix("Read-only file system"))
            #expect(lines[3...5] == ["directory", "file", "0"])
            #expect(lines[6].hasSuffix("Read-only file system"))
            #expect(lines[7] == "file")
            #expect(lines[8].hasSuffix("Read-only file system"))
        }

        @Test(.needs(.root)) func devicesAndLinksAreThere() throws {
            let bundle = try TestBundle(
                script: """
                    cd /dev; stat -c '%n %t:%T %a %F' null zero full random urandom tty
                    stat -c '%n %t:%T %a %u:%g %F' kmsg loop pipe
                    for l in fd stdin stdout stderr ptmx; do readlink $l; done
                    """)
            var message = Configuration.Device(.character, path: "/dev/kmsg", major: 1, minor: 11)
            message.fileMode = 0o640
            message.uid = 3
            message.gid = 4
            bundle.configuration.linux.devices = [
                message, .init(.block, path: "/dev/loop", major: 7, minor: 300), .init(.fifo, path: "/dev/pipe"),
            ]
            let special = "character special file"
            #expect(
                try bundle.linesOfRun() == [
                    "null 1:3 666 \(special)", "zero 1:5 666 \(special)", "full 1:7 666 \(special)",
                    "random 1:8 666 \(special)", "urandom 1:9 666 \(special)", "tty 5:0 666 \(special)",
                    "kmsg 1:b 640 3:4 \(special)", "loop 7:12c 666 0:0 block special file", "pipe 0:0 666 0:0 fifo",
                    "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx",
                ])
        }

        @Test(.needs(.root)) func onlyTheContainersMountsAreLeft() throws {
            let bundle = try TestBundle(script: "cut -d' ' -f5 /proc/self/mountinfo")
            let known = Set(["/"] + bundle.configuration.mounts.map(\.destination))
                .union(bundle.configuration.linux.maskedPaths).union(bundle.configuration.linux.readonlyPaths)
            let mounts = try bundle.linesOfRun()
            #expect(mounts.filter { !known.contains($0) } == [])
            #expect(mounts.filter { $0 == "/" }.count == 1)
            #expect(Set(mounts).isSuperset(of: bundle.configuration.mounts.map(\.destination)))
        }

        @Test(.needs(.root)) func kernelFileSystemsAreTheContainersView() throws {
            let bundle = try TestBundle(
                script: """
                    for m in /proc /dev/mqueue /sys/fs/cgroup; do
                        grep " $m " /proc/self/mountinfo | head -n 1 | sed 's/.* - //' | cut -d' ' -f1; done
                    grep ^0: /proc/self/cgroup; cat /sys/fs/cgroup/cgroup.procs | head -n 1
                    mkdir /sys/fs/cgroup/x; ls /sys/class/net
                    """)
            let lines = try bundle.linesOfRun()
            #expect(lines.prefix(5) == ["proc", "mqueue", "cgroup2", "0::/", "1"])
            #expect(lines[5].hasSuffix("Read-only file system"))
            #expect(lines.dropFirst(6) == ["lo"])
        }

        @Test(.needs(.root), .needs(.testVM)) func aCgroupMountLeavesTheHostsHierarchyAsItIs() throws {
            func flags() throws -> String? {
                try readText("/proc/self/mountinfo").split(separator: "\n").first { $0.contains(" - cgroup2 ") }
                    .flatMap { $0.split(separator: " ").last.map(String.init) }
            }
            let before = try flags()
            #expect(before?.contains("nsdelegate") == true)
            let bundle = try TestBundle(script: "grep -c ' - cgroup2 ' /proc/self/mountinfo")
            bundle.configuration.linux.namespaces.removeAll { $0.type == .cgroup }
            #expect(try bundle.linesOfRun() == ["1"])
            #expect(try flags() == before)
        }

        @Test(.needs(.root)) func aHundredMountsAreNotTooMany() throws {
            let bundle = try TestBundle(script: "cat /many/*/file | wc -l")
            mkdir("\(bundle.folder)/data", 0o755)
            try makeFile("\(bundle.folder)/data/file", "x\n")
            for number in 0..<100 {
                bundle.configuration.mounts.append(
                    .init(destination: "/many/\(number)", type: "bind", source: "data", options: ["bind", "ro"]))
            }
            #expect(try bundle.linesOfRun() == ["100"])
        }

        @Test(.needs(.root)) func theRootCanBeMovedInsteadOfPivoted() throws {
            let bundle = try TestBundle(script: "ls /; touch /x")
            bundle.options.noPivot = true
            let lines = try bundle.linesOfRun()
            #expect(lines.dropLast() == ["bin", "dev", "etc", "out", "proc", "sys", "tmp"])
            #expect(lines.last?.hasSuffix("Read-only file system") == true)
        }
    }
}
