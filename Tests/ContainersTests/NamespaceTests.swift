import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// Namespaces of the container's own, of another's, and of no privileges outside.
    @Suite struct NamespaceTests {
        private let names: [(kind: Configuration.Namespace.Kind, file: String)] = [
            (.cgroup, "cgroup"), (.ipc, "ipc"), (.mount, "mnt"), (.network, "net"), (.pid, "pid"), (.uts, "uts"),
            (.user, "user"), (.time, "time"),
        ]

        @Test(.needs(.root)) func allEightAreItsOwn() throws {
            let bundle = try TestBundle(["sleep", "100"])
            bundle.configuration.linux.namespaces.append(.init(.time))
            bundle.mapUsers()
            let creation = try bundle.start()
            defer { discard(creation) }
            for (_, file) in names {
                let inside = link("/proc/\(creation.pid)/ns/\(file)")
                #expect(inside != "" && inside != link("/proc/self/ns/\(file)"))
            }
        }

        @Test(.needs(.root)) func whatTheDocumentDoesNotNameIsShared() throws {
            let bundle = try TestBundle(["sleep", "100"])
            bundle.configuration.hostname = nil
            bundle.configuration.linux.namespaces = [.init(.mount)]
            bundle.configuration.mounts.removeAll { $0.type == "sysfs" }
            let creation = try bundle.start()
            defer { discard(creation) }
            for (kind, file) in names where kind != .mount {
                #expect(link("/proc/\(creation.pid)/ns/\(file)") == link("/proc/self/ns/\(file)"))
            }
        }

        @Test(.needs(.root)) func aContainerJoinsAnothersByPath() throws {
            let first = try TestBundle(["sleep", "100"])
            let holder = try first.start()
            defer { discard(holder) }
            let second = try TestBundle(
                script:
                    "for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done; hostname; echo $$; ps | grep -c 'sleep 10[0]'"
            )
            second.configuration.hostname = nil
            for (kind, file) in names where [.network, .ipc, .uts, .pid].contains(kind) {
                second.configuration.linux.namespaces.removeAll { $0.type == kind }
                second.configuration.linux.namespaces.append(.init(kind, path: "/proc/\(holder.pid)/ns/\(file)"))
            }
            let lines = try second.linesOfRun()
            #expect(lines.prefix(4) == ["net", "ipc", "uts", "pid"].map { link("/proc/\(holder.pid)/ns/\($0)") }[...])
            #expect(lines[4] != link("/proc/\(holder.pid)/ns/mnt"))
            #expect(lines[5] == "compartment")
            #expect(lines[6] != "1")
            #expect(lines[7] == "1")
            #expect(second.leftovers == [])
        }

        @Test(.needs(.root)) func aUserNamespaceIsJoinedByPath() throws {
            let first = try TestBundle(["sleep", "100"])
            first.mapUsers()
            let holder = try first.start()
            defer { discard(holder) }
            let second = try TestBundle(script: "readlink /proc/self/ns/user; id -u; cat /proc/self/uid_map; hostname")
            second.mapUsers()
            second.configuration.linux.namespaces.removeAll { $0.type == .user || $0.type == .network }
            second.configuration.linux.namespaces += [
                .init(.user, path: "/proc/\(holder.pid)/ns/user"), .init(.network, path: "/proc/\(holder.pid)/ns/net"),
            ]
            let lines = try second.linesOfRun()
            #expect(lines.first == link("/proc/\(holder.pid)/ns/user"))
            #expect(lines[1] == "0")
            #expect(lines[2].split(whereSeparator: \.isWhitespace) == ["0", "100000", "65536"])
            #expect(lines[3] == "compartment")
            #expect(second.leftovers == [])
        }

        @Test(.needs(.root)) func aPathThatIsNoNamespaceIsRefused() throws {
            for (path, text) in [
                ("/no/such/namespace", "ENOENT"), ("/proc/self/ns/uts", "EINVAL"), ("/dev/null", "EINVAL"),
            ] {
                let bundle = try TestBundle()
                bundle.configuration.linux.namespaces.removeAll { $0.type == .network }
                bundle.configuration.linux.namespaces.append(.init(.network, path: path))
                let message = bundle.refusal()?.message
                #expect(message?.contains("join the network namespace") == true, "\(message ?? "ran")")
                #expect(message?.contains(text) == true)
                #expect(bundle.leftovers == [])
            }
        }

        @Test(.needs(.root)) func rootInsideIsNobodyOutside() throws {
            let bundle = try TestBundle(
                script: """
                    cat /proc/self/uid_map; cat /proc/self/gid_map; id -u; id -G; cat /proc/self/setgroups
                    stat -c '%u %g' /host /own; cat /host/secret; touch /own/made
                    stat -c '%t:%T %F' /dev/null; echo x >/dev/null && echo null
                    grep -E ' /(proc|sys) ' /proc/self/mountinfo | head -n 2 | cut -d' ' -f5
                    ulimit -Sn
                    """)
            bundle.mapUsers()
            for (name, owner) in [("host", uid_t(0)), ("own", 100_000)] {
                mkdir("\(bundle.folder)/\(name)", 0o755)
                // The mapped root may make nothing in a root file system that is not its own.
                mkdir("\(bundle.rootfs)/\(name)", 0o755)
                chown("\(bundle.folder)/\(name)", owner, owner)
                bundle.configuration.mounts.append(
                    .init(destination: "/\(name)", type: "bind", source: name, options: ["bind"]))
            }
            try makeFile("\(bundle.folder)/host/secret", "secret", mode: 0o600)
            let lines = try bundle.linesOfRun()
            let map = ["0", "100000", "65536"]
            for line in lines.prefix(2) { #expect(line.split(whereSeparator: \.isWhitespace).map(String.init) == map) }
            #expect(lines[2...4] == ["0", "0", "allow"])
            #expect(lines[5...6] == ["65534 65534", "0 0"])
            #expect(lines[7].hasSuffix("Permission denied"))
            #expect(lines[8...] == ["1:3 character special file", "null", "/proc", "/sys", "1024"])
            var status = stat()
            #expect(stat("\(bundle.folder)/own/made", &status) == 0)
            #expect(status.st_uid == 100_000 && status.st_gid == 100_000)
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func mapsAreRequired() throws {
            let bundle = try TestBundle()
            bundle.configuration.linux.namespaces.append(.init(.user))
            let refusal = bundle.refusal()
            #expect(refusal?.kind == .badDocument)
            #expect(refusal?.message.contains("Mappings") == true)
        }

        // A user without privileges.

        private func rootless(_ script: String, uid: UInt32) throws -> TestBundle {
            let bundle = try TestBundle(script: script)
            let process = bundle.process
            let out = bundle.configuration.mounts.last!
            bundle.configuration = .rootlessTemplate(uid: uid, gid: uid)
            bundle.configuration.hostname = "compartment"
            bundle.configuration.mounts.append(out)
            bundle.process.terminal = false
            bundle.process.args = process.args
            chown(bundle.folder, uid, uid)
            chown(bundle.rootfs, uid, uid)
            try bundle.write()
            return bundle
        }

        @Test(.needs(.root)) func aUserMapsItself() throws {
            let bundle = try rootless(
                "id -u; cat /proc/self/uid_map /proc/self/setgroups; hostname; echo $$; ls /dev/null; stat -c %u /out",
                uid: 61000)
            let (status, output) = try Helper.run("run", bundle, ["user=61000:61000"])
            #expect(status == .exited(0), "\(output)")
            let lines = bundle.lines
            #expect(lines.first == "0")
            #expect(lines.dropFirst().first?.split(whereSeparator: \.isWhitespace) == ["0", "61000", "1"])
            #expect(lines.dropFirst(2) == ["deny", "compartment", "1", "/dev/null", "65534"])
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func aUserExecutesInItsContainer() throws {
            // The first of the two waits for its end.
            let bundle = try rootless(
                "test $$ != 1 || exec sleep 1000; id -u; cat /proc/self/setgroups; hostname; exit 5", uid: 61000)
            let (status, output) = try Helper.run("exec", bundle, ["user=61000:61000"])
            #expect(status == .exited(5), "\(output)")
            #expect(bundle.lines == ["0", "deny", "compartment"])
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.testVM)) func aUserMapsSubordinateIDs() throws {
            let bundle = try rootless(
                "cat /proc/self/uid_map; touch /tmp/mine; chown 5:6 /tmp/mine && stat -c '%u %g' /tmp/mine; id -G",
                uid: 61000)
            bundle.configuration.root.readonly = false
            bundle.process.capabilities?.effective.append("CAP_CHOWN")
            bundle.process.capabilities?.permitted.append("CAP_CHOWN")
            bundle.process.capabilities?.bounding.append("CAP_CHOWN")
            bundle.process.user.additionalGids = [8]
            let map: [Configuration.IDMapping] = [
                .init(containerID: 0, hostID: 61000, size: 1), .init(containerID: 1, hostID: 6_100_000, size: 65535),
            ]
            bundle.configuration.linux.uidMappings = map
            bundle.configuration.linux.gidMappings = map
            chmod("\(bundle.rootfs)/tmp", 0o777)
            try bundle.write()
            let (status, output) = try Helper.run("run", bundle, ["user=61000:61000"])
            #expect(status == .exited(0), "\(output)")
            let lines = bundle.lines.map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
            #expect(lines == ["0 61000 1", "1 6100000 65535", "5 6", "0 8"])
            var file = stat()
            #expect(stat("\(bundle.rootfs)/tmp/mine", &file) == 0)
            #expect(file.st_uid == 6_100_004 && file.st_gid == 6_100_005)
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.testVM)) func idsThatAreNotTheUsersAreRefused() throws {
            let bundle = try rootless("echo ran", uid: 61000)
            let map: [Configuration.IDMapping] = [.init(containerID: 0, hostID: 0, size: 1000)]
            bundle.configuration.linux.uidMappings = map
            bundle.configuration.linux.gidMappings = map
            try bundle.write()
            let (status, output) = try Helper.run("run", bundle, ["user=61000:61000"])
            #expect(status == .exited(1))
            #expect(output.contains("do /etc/subuid and /etc/subgid grant these ids?"), "\(output)")
            #expect(bundle.settledLeftovers() == [])
        }

        @Test(.needs(.root)) func aUserAsksForNoMoreThanItMay() throws {
            // Limits need a cgroup, which this user may not make.
            let bundle = try rootless("echo ran", uid: 61000)
            bundle.configuration.linux.resources = .init()
            bundle.configuration.linux.resources?.pids = .init(limit: 10)
            try bundle.write()
            let (status, output) = try Helper.run("run", bundle, ["user=61000:61000"])
            #expect(status == .exited(1))
            #expect(output.hasPrefix("system: "), "\(output)")
            #expect(output.split(separator: "\n").count == 1)
            #expect(bundle.leftovers == [])
        }
    }
}
