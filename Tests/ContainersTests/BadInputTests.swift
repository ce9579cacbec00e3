import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// What a caller gets wrong: one line that names the cause, and nothing left behind.
    @Suite struct BadInputTests {
        private func refusal(_ bundle: TestBundle, id: String? = nil, bundle path: String? = nil) -> ContainerError? {
            var options = bundle.options
            if let path { options.bundle = path }
            do throws(ContainerError) {
                let creation = try bundle.runtime.create(id ?? bundle.id, options)
                discard(creation)
                return nil
            } catch { return error }
        }

        private func check(
            _ error: ContainerError?, _ kind: ContainerError.Kind, _ text: String, _ bundle: TestBundle,
            location: SourceLocation = #_sourceLocation
        ) {
            #expect(error?.kind == kind, "\(error?.message ?? "no error")", sourceLocation: location)
            #expect(error?.message.contains(text) == true, "\(error?.message ?? "no error")", sourceLocation: location)
            #expect(error?.message.contains("\n") == false, sourceLocation: location)
            #expect(bundle.leftovers == [], sourceLocation: location)
        }

        @Test(.needs(.root)) func aBundleWithoutADocument() throws {
            let bundle = try TestBundle()
            check(refusal(bundle), .badDocument, "config.json: no such file or directory", bundle)
            check(refusal(bundle, bundle: "/no/such/bundle"), .badDocument, "bundle \"/no/such/bundle\"", bundle)
            mkdir("\(bundle.folder)/config.json", 0o755)
            check(refusal(bundle), .badDocument, "config.json: is a directory", bundle)
        }

        @Test(.needs(.root)) func aMalformedDocument() throws {
            let bundle = try TestBundle()
            for (text, part) in [
                ("", "config.json: "), ("{", "config.json: "), ("[]", "config.json: "), ("nonsense", "config.json: "),
                ("{\"ociVersion\":\"1.2.0\"}", "root"),
                ("{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":7}}", "root.path"),
                (
                    "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"rootfs\"},\"linux\":{\"resources\":{\"memory\":{\"limit\":\"1g\"}}}}",
                    "linux.resources.memory.limit: expected an integer"
                ),
            ] {
                try makeFile("\(bundle.folder)/config.json", text)
                check(refusal(bundle), .badDocument, part, bundle)
            }
        }

        @Test(.needs(.root)) func aMissingRoot() throws {
            let bundle = try TestBundle()
            bundle.configuration.root.path = "no-such-root"
            try bundle.write()
            check(refusal(bundle), .badDocument, "root.path", bundle)
            bundle.configuration.root.path = "out"
            try bundle.write()
            check(refusal(bundle), .badDocument, "is not a directory", bundle)
        }

        @Test(.needs(.root)) func badIDs() throws {
            let bundle = try TestBundle()
            try bundle.write()
            for id in ["", ".", "..", "a/b", "a b", "ü", "a\n", "../x", String(repeating: "x", count: 1025), "a\0b"] {
                check(refusal(bundle, id: id), .badID, "container id", bundle)
                #expect(throws: ContainerError.self) { try bundle.runtime.delete(id, force: true) }
            }
            // The longest that is allowed is longer than a directory's name may be: refused all the same, by its cause.
            check(refusal(bundle, id: String(repeating: "x", count: 1024)), .system, "ENAMETOOLONG", bundle)
            #expect(refusal(bundle, id: "A-z_0.9+\(bundle.id)") == nil)
        }

        @Test(.needs(.root)) func whatTheDocumentMayNotAsk() throws {
            for (change, text) in [
                ({ $0.process.capabilities?.bounding = ["CAP_NO_SUCH"] }, "process.capabilities.bounding"),
                ({ $0.configuration.process = nil }, "process"),
                ({ $0.configuration.linux.namespaces.removeAll { $0.type == .mount } }, "mount namespace"),
                ({ $0.configuration.linux.cgroupsPath = "/a/../../b" }, "cgroupsPath"),
                ({ $0.configuration.mounts.append(.init(destination: "/x")) }, "mounts["),
                ({ $0.configuration.mounts.append(.init(destination: "/x", type: "bind")) }, "source"),
                ({ $0.process.selinuxLabel = "system_u:system_r:container_t:s0" }, "selinux"),
                ({ $0.configuration.linux.intelRdt = .init() }, "intelRdt"),
                (
                    {
                        $0.configuration.linux.netDevices = [.init(device: "no-such-device")]
                        $0.configuration.linux.namespaces.removeAll { $0.type == .network }
                    }, "netDevices"
                ),
            ] as [((TestBundle) -> Void, String)] {
                let bundle = try TestBundle()
                change(bundle)
                try bundle.write()
                let error = refusal(bundle)
                check(error, .badDocument, "", bundle)
                #expect(
                    error?.message.lowercased().contains(text.lowercased()) == true, "\(error?.message ?? "created")")
            }
        }

        /// None of these may reach the host, whose namespace it would be.
        @Test(.needs(.root)) func whatWouldBeSetOnTheHost() throws {
            for (kind, change, text) in [
                (.uts, { $0.configuration.hostname = "intruder" }, "hostname: needs a uts namespace"),
                (
                    .uts,
                    {
                        $0.configuration.hostname = nil
                        $0.configuration.domainname = "intruder"
                    }, "domainname: needs a uts namespace"
                ),
                (
                    .network, { $0.configuration.linux.sysctl["net.ipv4.ip_default_ttl"] = "63" },
                    "needs a network namespace"
                ),
                (
                    .network, { $0.configuration.linux.netDevices = [.init(device: "no-such-device")] },
                    "linux.netDevices: needs a network namespace"
                ),
                (
                    .time, { $0.configuration.linux.timeOffsets.monotonic = .init(secs: 1) },
                    "linux.timeOffsets: needs a time namespace"
                ),
                (
                    .user,
                    { $0.configuration.linux.uidMappings = [.init(containerID: 0, hostID: 100_000, size: 1)] },
                    "linux.uidMappings: needs a user namespace"
                ),
                (
                    .user,
                    { $0.configuration.linux.gidMappings = [.init(containerID: 0, hostID: 100_000, size: 1)] },
                    "linux.gidMappings: needs a user namespace"
                ),
            ] as [(Configuration.Namespace.Kind, (TestBundle) -> Void, String)] {
                let names: [Configuration.Namespace.Kind: String] = [.uts: "uts", .network: "net"]
                // Without the namespace, and with a path to the runtime's own.
                for path in [nil, names[kind].map { "/proc/self/ns/\($0)" }] {
                    let bundle = try TestBundle()
                    bundle.configuration.linux.namespaces.removeAll { $0.type == kind }
                    if let path { bundle.configuration.linux.namespaces.append(.init(kind, path: path)) }
                    change(bundle)
                    try bundle.write()
                    check(refusal(bundle), .badDocument, text, bundle)
                }
            }
        }

        @Test(.needs(.root)) func whatTheKernelRefuses() throws {
            for (mount, text) in [
                (.init(destination: "/x", type: "nosuchfs", source: "x"), "make file system nosuchfs"),
                (
                    .init(destination: "/x", type: "bind", source: "/no/such/source", options: ["bind"]),
                    "/no/such/source"
                ),
                (
                    .init(destination: "/x", type: "tmpfs", source: "x", options: ["no-such=1"]),
                    "invalid argument (EINVAL): tmpfs: Unknown parameter 'no-such'"
                ),
                (.init(destination: "/bin/busybox", type: "tmpfs", source: "x"), "on \"/bin/busybox\""),
                (.init(destination: "/bin/busybox/x", type: "tmpfs", source: "x"), "on \"/bin/busybox/x\""),
            ] as [(Configuration.Mount, String)] {
                let bundle = try TestBundle()
                bundle.configuration.mounts.append(mount)
                try bundle.write()
                let error = refusal(bundle)
                check(error, .system, text, bundle)
                #expect(error?.message.hasPrefix("operation ") == true)
            }
        }

        @Test(.needs(.root)) func aProgramThatIsNotThere() throws {
            for (program, kind, text) in [
                ("nothing", .programNotFound, "exec: \"nothing\": executable file not found in $PATH"),
                ("/no/such", .programNotFound, "no such file or directory"),
                ("/etc", .programNotExecutable, "permission denied"),
                ("/out", .programNotExecutable, "permission denied"),
                ("/bin/orphan", .programNotFound, "no such file or directory"),
                ("/bin/garbage", .programNotExecutable, "exec format error"),
            ] as [(String, ContainerError.Kind, String)] {
                let bundle = try TestBundle([program])
                try makeFile("\(bundle.rootfs)/bin/orphan", "#!/no/such/interpreter\n", mode: 0o755)
                try makeFile("\(bundle.rootfs)/bin/garbage", "\u{7f}garbage", mode: 0o755)
                check(bundle.refusal(), kind, text, bundle)
            }
        }

        @Test(.needs(.root)) func aProgramThatTurnsOutNotToRunAtItsStart() throws {
            // Found when the container is created, and run only then: the process itself tells who starts it.
            for (content, kind, text) in [
                ("#!/no/such/interpreter\n", .programNotFound, "no such file or directory"),
                ("\u{7f}garbage", .programNotExecutable, "exec format error"),
            ] as [(String, ContainerError.Kind, String)] {
                let bundle = try TestBundle(["/bin/program"])
                try makeFile("\(bundle.rootfs)/bin/program", content, mode: 0o755)
                let creation = try bundle.create()
                defer { discard(creation) }
                let error = #expect(throws: ContainerError.self) { try creation.container.start() }
                #expect(error?.kind == kind)
                #expect(error?.message.contains("exec: \"/bin/program\": \(text)") == true, "\(error?.message ?? "")")
                _ = try creation.wait()
                #expect(try creation.container.state().status == .stopped)
                try creation.container.delete()
                #expect(bundle.leftovers == [])
            }
        }

        @Test(.needs(.root)) func placesThatCannotBeWritten() throws {
            let bundle = try TestBundle()
            try bundle.write()
            bundle.options.pidFile = "/no/such/folder/pid"
            check(refusal(bundle), .system, "pid file", bundle)
            bundle.options.pidFile = nil
            bundle.options.pidfdSocket = "/no/such/socket"
            check(refusal(bundle), .system, "pidfd socket", bundle)
            bundle.options.pidfdSocket = nil
            try makeFile("\(bundle.folder)/file")
            bundle.runtime.stateRoot = "\(bundle.folder)/file/state"
            check(refusal(bundle), .system, "/file/state", bundle)
        }

        @Test(.needs(.root)) func aDamagedStateIsTold() throws {
            let bundle = try TestBundle(["sleep", "100"])
            let state = "\(bundle.folder)/state/\(bundle.id)"
            for content in ["", "{", "[]", "{\"pid\":1,\"startTime\":0}"] {
                mkdir("\(bundle.folder)/state", 0o755)
                mkdir(state, 0o755)
                try makeFile("\(state)/state.json", content)
                // What cannot be read may belong to a container that runs: told, and not removed.
                do throws(ContainerError) {
                    try bundle.runtime.delete(bundle.id, force: true)
                    #expect(bundle.leftovers == [], "after \(content)")
                } catch {
                    #expect(error.message.hasPrefix("read the container's state: "))
                    #expect(!error.message.contains("\n"))
                    #expect(access("\(state)/state.json", F_OK) == 0)
                }
                removeTree(state)
            }
        }
    }
}
