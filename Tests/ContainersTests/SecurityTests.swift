import Containers
import Glibc
import Linux
import OCI
import Seccomp
import TestSupport
import Testing

extension ContainersTests {
    /// Seccomp filters and descriptors.
    @Suite struct SecurityTests {
        private func filter(_ names: [String], _ action: Configuration.Seccomp.Action, errno: UInt32? = nil)
            -> Configuration.Seccomp
        {
            var seccomp = Configuration.Seccomp(defaultAction: .allow)
            seccomp.syscalls = [.init(names: names, action: action, errnoRet: errno)]
            return seccomp
        }

        @Test(.needs(.root), arguments: [false, true]) func aFilterRefuses(noNewPrivileges: Bool) throws {
            let bundle = try TestBundle(script: "mkdir /tmp/x; grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | tr -d '\\t'")
            bundle.configuration.root.readonly = false
            bundle.process.noNewPrivileges = noNewPrivileges
            bundle.configuration.linux.seccomp = filter(["mkdir", "mkdirat"], .errno, errno: 95)
            let lines = try bundle.linesOfRun()
            #expect(lines.first?.hasSuffix("Operation not supported") == true)
            #expect(lines.dropFirst() == ["NoNewPrivs:\(noNewPrivileges ? 1 : 0)", "Seccomp:2"])
            #expect(names(in: "\(bundle.rootfs)/tmp") == [])
        }

        @Test(.needs(.root), arguments: [false, true]) func aFilterKills(noNewPrivileges: Bool) throws {
            let bundle = try TestBundle(["mkdir", "/tmp/x"])
            bundle.process.noNewPrivileges = noNewPrivileges
            bundle.configuration.linux.seccomp = filter(["mkdir", "mkdirat"], .killProcess)
            #expect(try bundle.run().status == .signaled(SIGSYS))
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func aFilterLooksAtArguments() throws {
            let bundle = try TestBundle(["sh", "-c", "exec >/out 2>&1; kill -0 1 && echo zero; kill -USR1 $$ || echo refused"])
            var seccomp = Configuration.Seccomp(defaultAction: .allow)
            seccomp.syscalls = [
                .init(
                    names: ["kill"], action: .errno, errnoRet: 1,
                    args: [.init(index: 1, value: UInt64(SIGUSR1), op: .equal)])
            ]
            bundle.configuration.linux.seccomp = seccomp
            let lines = try bundle.linesOfRun()
            #expect(lines.first == "zero")
            #expect(lines.last == "refused")
        }

        @Test(.needs(.root)) func aMappedRootIsFilteredToo() throws {
            for noNewPrivileges in [false, true] {
                let bundle = try TestBundle(script: "mkdir /tmp/x; echo went on")
                bundle.mapUsers()
                bundle.process.noNewPrivileges = noNewPrivileges
                bundle.configuration.linux.seccomp = filter(["mkdir", "mkdirat"], .errno, errno: 38)
                #expect(try bundle.linesOfRun().first?.hasSuffix("Function not implemented") == true)
            }
        }

        @Test(.needs(.root), arguments: [false, true]) func theAgentGetsTheListener(noNewPrivileges: Bool) throws {
            let bundle = try TestBundle(script: "mkdir /tmp/x; echo went on")
            bundle.process.noNewPrivileges = noNewPrivileges
            bundle.configuration.linux.seccomp = filter(["mkdir", "mkdirat"], .notify)
            bundle.configuration.linux.seccomp?.listenerPath = "\(bundle.folder)/agent.sock"
            bundle.configuration.linux.seccomp?.listenerMetadata = "for the agent"
            let agent = try UnixSocket.listen(at: "\(bundle.folder)/agent.sock")
            let creation = try bundle.start()
            defer { discard(creation) }
            var received: Descriptor?
            let connection = try UnixSocket.accept(on: agent)
            let message = try UnixSocket.receive(from: connection, descriptor: &received)
            let state = try ContainerProcessState(json: message)
            #expect(state.pid == creation.pid)
            #expect(state.metadata == "for the agent")
            #expect(state.fds == ["seccompFd"])
            #expect(state.state.id == bundle.id)
            #expect(state.state.bundle == bundle.folder)

            let listener = try NotificationListener(owning: try required(received.take()))
            let notification = try #require(try listener.receive())
            #expect(notification.thread != 0)
            #expect(try listener.answer(notification, .failure(Errno(rawValue: EDQUOT))))
            #expect(try creation.wait() == .exited(0))
            #expect(bundle.lines.first?.hasSuffix("Disk quota exceeded") == true)
            #expect(bundle.lines.last == "went on")
        }

        @Test(.needs(.root)) func aListenerNeedsAnAgent() throws {
            for path in [nil, "/no/such/agent.sock"] {
                let bundle = try TestBundle()
                bundle.configuration.linux.seccomp = filter(["mkdir"], .notify)
                bundle.configuration.linux.seccomp?.listenerPath = path
                let refusal = bundle.refusal()
                #expect(refusal?.message.contains("linux.seccomp.listenerPath") == true, "\(refusal?.message ?? "ran")")
                #expect(bundle.leftovers == [])
            }
        }

        // Descriptors.

        @Test(.needs(.root), arguments: [false, true]) func noDescriptorIsLeftOpen(mapped: Bool) throws {
            // ls has the directory itself open as well.
            let bundle = try TestBundle(["sh", "-c", "exec >/out 2>&1 </dev/null; ls /proc/self/fd; readlink /proc/1/exe"])
            if mapped { bundle.mapUsers() }
            bundle.configuration.hooks.createContainer = [.init(path: "/bin/true")]
            let creation = try bundle.start()
            defer { discard(creation) }
            _ = try creation.wait()
            #expect(bundle.lines == ["0", "1", "2", "3", "/bin/busybox"])
        }

        @Test(.needs(.root)) func anExecLeavesNoDescriptorOpen() throws {
            let bundle = try TestBundle(["sleep", "100"])
            let creation = try bundle.start()
            defer { discard(creation) }
            #expect(try bundle.execute("exec </dev/null; ls /proc/self/fd").output == "0\n1\n2\n3\n")
        }

        @Test(.needs(.root)) func preservedDescriptorsArePassed() throws {
            let bundle = try TestBundle(script: "exec </dev/null; cat <&3; cat <&4; ls /proc/self/fd")
            for name in ["three", "four", "five"] { try makeFile("\(bundle.folder)/\(name)", "\(name)\n") }
            let three = try Descriptor.open("\(bundle.folder)/three", .readOnly)
            let four = try Descriptor.open("\(bundle.folder)/four", .readOnly)
            let five = try Descriptor.open("\(bundle.folder)/five", .readOnly)
            try bundle.write()
            let (status, output) = try Helper.run(
                "run", bundle, ["preserve=2"], descriptors: [three.rawValue, four.rawValue, five.rawValue])
            #expect(status == .exited(0), "\(output)")
            #expect(bundle.lines == ["three", "four", "0", "1", "2", "3", "4", "5"])
        }

        @Test(.needs(.root)) func aDescriptorOfTheRuntimesIsNoneToPreserve() throws {
            let bundle = try TestBundle(script: "ls /proc/self/fd")
            let given = try Descriptor.open("/dev/null", .readOnly)
            try bundle.write()
            let (status, output) = try Helper.run("run", bundle, ["preserve=4"], descriptors: [given.rawValue])
            #expect(status == .exited(1))
            #expect(output.contains("descriptor 4"), "\(output) \(bundle.output)")
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root), arguments: ["", "fail-operation=30", "fail-step=5", "mapped", "hooks", "missing"])
        func theRuntimeKeepsNothingOpen(kind: String) throws {
            let bundle = try TestBundle([kind == "missing" ? "/no/such/program" : "true"])
            if kind == "mapped" { bundle.mapUsers() }
            if kind == "hooks" {
                bundle.configuration.hooks.createRuntime = [.init(path: "/bin/true")]
                bundle.configuration.hooks.createContainer = [.init(path: "/bin/true")]
                bundle.configuration.hooks.poststop = [.init(path: "/bin/true")]
            }
            try bundle.write()
            let (status, output) = try Helper.run("repeat", bundle, ["count=3", kind])
            #expect(status == .exited(0))
            let words = output.split(whereSeparator: \.isWhitespace)
            #expect(words.count == 6)
            if words.count == 6 {
                #expect(words[1] == words[2], "\(output)")
                #expect(words[4...5] == ["0", "0"], "\(output)")
            }
            #expect(bundle.leftovers == [])
        }
    }
}
