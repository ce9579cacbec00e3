import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// Further processes in a container.
    @Suite struct ExecTests {
        private let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "uts"]

        private func error(_ body: () throws -> Void) -> ContainerError? {
            do { try body() } catch { return error as? ContainerError }
            return nil
        }

        @Test(.needs(.root), arguments: [false, true]) func joinsEverything(mapped: Bool) throws {
            let bundle = try TestBundle(["sleep", "100"])
            bundle.configuration.linux.namespaces.append(.init(.time))
            bundle.configuration.linux.timeOffsets.boottime = .init(secs: 1000)
            var kinds = kinds + ["time"]
            if mapped {
                bundle.mapUsers()
                kinds.append("user")
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            let pid = creation.pid
            let script =
                "for n in \(kinds.joined(separator: " ")); do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup; hostname; ls /"
            let (status, output) = try bundle.execute(script)
            #expect(status == .exited(0))
            let lines = output.split(separator: "\n").map(String.init)
            #expect(lines.prefix(kinds.count) == kinds.map { link("/proc/\(pid)/ns/\($0)") }[...])
            #expect(lines.contains("0::/"))
            #expect(lines.contains("compartment"))
            #expect(lines.suffix(7) == ["bin", "dev", "etc", "out", "proc", "sys", "tmp"])
            #expect(try creation.container.processes() == [pid])
        }

        @Test(.needs(.root)) func isInTheContainersCgroupWhileItRuns() throws {
            let bundle = try TestBundle(["sleep", "100"])
            let creation = try bundle.start()
            defer { discard(creation) }
            var process = bundle.process
            process.args = ["sleep", "100"]
            let execution = try creation.container.execute(process)
            #expect(try creation.container.processes().sorted() == [creation.pid, execution.pid].sorted())
            let own = try readText("/proc/\(creation.pid)/cgroup")
            #expect(try readText("/proc/\(execution.pid)/cgroup").contains("/\(bundle.id)\n"))
            #expect(own.contains("/\(bundle.id)\n"))
            try creation.container.kill(SIGKILL)
            // First the one, then the other: a pid namespace's first process waits for all of it.
            #expect(try execution.wait() == .signaled(SIGKILL))
            #expect(try creation.wait() == .signaled(SIGKILL))
            try creation.container.delete()
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func isWhatItsDocumentSays() throws {
            let bundle = try TestBundle(["sleep", "100"])
            try makeFile("\(bundle.rootfs)/etc/passwd", "app:x:1000:1000::/home/app:/bin/sh\n")
            bundle.configuration.linux.seccomp = {
                var seccomp = Configuration.Seccomp(defaultAction: .allow)
                seccomp.syscalls = [.init(names: ["mkdir", "mkdirat"], action: .errno, errnoRet: 38)]
                return seccomp
            }()
            let creation = try bundle.start()
            defer { discard(creation) }
            let script = """
                id -u; id -g; id -G; pwd; umask; echo $HOME $NAME; ulimit -Sn; cat /proc/self/oom_score_adj
                grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'
                mkdir /tmp/x
                """
            let (_, output) = try bundle.execute(script) { process in
                process.user = .init(uid: 1000, gid: 1001)
                process.user.additionalGids = [7]
                process.user.umask = 0o077
                process.env = ["PATH=/bin", "NAME=value"]
                process.cwd = "/tmp"
                process.rlimits = [.init(type: .openFiles, soft: 50, hard: 60)]
                process.oomScoreAdj = 300
                process.noNewPrivileges = true
                process.capabilities = .init()
                process.capabilities?.bounding = ["CAP_KILL"]
            }
            let lines = output.split(separator: "\n").map(String.init)
            #expect(
                lines.dropLast() == [
                    "1000", "1001", "1001 7", "/tmp", "0077", "/home/app value", "50", "300",
                    "CapEff:0000000000000000", "CapBnd:0000000000000020", "NoNewPrivs:1", "Seccomp:2",
                ])
            #expect(lines.last?.hasSuffix("Function not implemented") == true)
        }

        @Test(.needs(.root)) func programsThatCannotRunAreToldApart() throws {
            let bundle = try TestBundle(["sleep", "100"])
            try makeFile("\(bundle.rootfs)/bin/data", "no program\n", mode: 0o644)
            try makeFile("\(bundle.rootfs)/bin/orphan", "#!/no/such/interpreter\n", mode: 0o755)
            try makeFile("\(bundle.rootfs)/bin/garbage", "\u{7f}garbage", mode: 0o755)
            let creation = try bundle.start()
            defer { discard(creation) }
            for (program, kind, text) in [
                ("nothing", .programNotFound, "executable file not found in $PATH"),
                ("/no/such", .programNotFound, "no such file or directory"),
                ("data", .programNotExecutable, "permission denied"),
                ("/bin/data", .programNotExecutable, "permission denied"),
                ("/bin", .programNotExecutable, "permission denied"),
                ("/bin/sh/x", .programNotFound, "no such file or directory"),
                ("orphan", .programNotFound, "no such file or directory"),
                ("garbage", .programNotExecutable, "exec format error"),
            ] as [(String, ContainerError.Kind, String)] {
                var process = bundle.process
                process.args = [program]
                let refusal = error { _ = try creation.container.execute(process) }
                #expect(refusal?.kind == kind, "\(program): \(refusal?.message ?? "ran")")
                #expect(refusal?.message.contains(text) == true, "\(program): \(refusal?.message ?? "ran")")
                #expect(refusal?.message.contains("\n") == false)
            }
            #expect(try creation.container.processes() == [creation.pid])
            #expect(try creation.container.state().status == .running)
        }

        @Test(.needs(.root)) func aContainerThatDoesNotRunTakesNone() throws {
            let bundle = try TestBundle(["true"])
            let creation = try bundle.create()
            // Created is enough: its namespaces are there.
            #expect(try bundle.execute("echo here").output == "here\n")
            try creation.container.start()
            _ = try creation.wait()
            #expect(error { _ = try bundle.execute("echo") }?.kind == .wrongStatus)
            try creation.container.delete()
        }

        @Test(.needs(.root)) func mayWaitInAPausedContainer() throws {
            let bundle = try TestBundle(["sleep", "100"])
            let creation = try bundle.start()
            defer { discard(creation) }
            try creation.container.pause()
            let container = creation.container
            // The exec returns once the program runs, which somebody else has to make possible.
            let resumer = Resumer(container)
            var options = ExecOptions()
            options.ignorePaused = true
            #expect(try bundle.execute("echo resumed", options).output == "resumed\n")
            resumer.join()
        }

        @Test(.needs(.root)) func mayGoIntoACgroupBelow() throws {
            let bundle = try TestBundle(["sleep", "100"])
            let creation = try bundle.start()
            defer { discard(creation) }
            let path = try creation.container.withCgroup { cgroup in cgroup.path }
            mkdir("\(path)/below", 0o755)
            var options = ExecOptions()
            options.cgroup = "below"
            #expect(try bundle.execute("cat /proc/self/cgroup", options).output.contains("0::/below\n"))
            options.cgroup = "../.."
            #expect(error { _ = try bundle.execute("true", options) }?.kind == .badDocument)
            options.cgroup = "absent"
            #expect(error { _ = try bundle.execute("true", options) }?.kind == .system)
        }
    }
}

func link(_ path: String) -> String {
    var buffer = [CChar](repeating: 0, count: 4096)
    let length = readlink(path, &buffer, buffer.count)
    return length < 0 ? "" : String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Resumes a container a little later, on a thread of its own.
private final class Resumer {
    private var thread = pthread_t()

    init(_ container: Container) {
        let box = Unmanaged.passRetained(Box(container))
        pthread_create(
            &thread, nil,
            { context in
                let box = Unmanaged<Box>.fromOpaque(context!).takeRetainedValue()
                usleep(200_000)
                try? box.container.resume()
                return nil
            }, box.toOpaque())
    }

    func join() { pthread_join(thread, nil) }

    private final class Box {
        let container: Container
        init(_ container: Container) { self.container = container }
    }
}
