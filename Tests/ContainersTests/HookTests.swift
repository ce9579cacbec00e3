import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// The six hooks: when and where they run, with what, and what their failure does.
    @Suite struct HookTests {
        private static var kinds: [(name: String, path: WritableKeyPath<Configuration.Hooks, [Configuration.Hook]>)] {
            [
                ("prestart", \.prestart), ("createRuntime", \.createRuntime), ("createContainer", \.createContainer),
                ("startContainer", \.startContainer), ("poststart", \.poststart), ("poststop", \.poststop),
            ]
        }

        private func shell(_ script: String, timeout: Int? = nil) -> Configuration.Hook {
            .init(path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin"], timeout: timeout)
        }

        /// Where a hook of a kind finds the log.
        private func log(_ kind: String, _ bundle: TestBundle) -> String {
            kind == "startContainer" ? "/out" : "\(bundle.folder)/out"
        }

        @Test(.needs(.root)) func allRunInOrderWithTheState() throws {
            let bundle = try TestBundle(["sh", "-c", "echo program >>/out; sleep 100"])
            bundle.configuration.annotations = ["org.example": "value"]
            for (name, path) in Self.kinds {
                for number in 1...2 {
                    bundle.configuration.hooks[keyPath: path].append(
                        shell("echo \"\(name)\(number) $(cat)\" >>\(log(name, bundle))"))
                }
            }
            let creation = try bundle.create()
            let pid = creation.pid
            #expect(bundle.lines.count == 6)
            try creation.container.start()
            try bundle.waitForOutput("poststart2")
            try bundle.waitForOutput("program\n")
            try creation.container.delete(force: true)
            _ = try creation.wait()
            let lines = bundle.lines
            var hooks: [String] = []
            for line in lines where line != "program" {
                let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
                hooks.append(parts[0])
                let state = try State(json: parts[1])
                #expect(state.id == bundle.id)
                #expect(state.bundle == bundle.folder)
                #expect(state.annotations == ["org.example": "value"])
                let expected: (State.Status, pid_t?) =
                    switch parts[0].dropLast() {
                    case "startContainer": (.created, pid)
                    case "poststart": (.running, pid)
                    case "poststop": (.stopped, nil)
                    default: (.creating, pid)
                    }
                #expect(state.status == expected.0, "\(line)")
                if let pid = expected.1 { #expect(state.pid == pid, "\(line)") }
            }
            #expect(hooks == Self.kinds.flatMap { ["\($0.name)1", "\($0.name)2"] })
            // The program comes after the hooks of its start, and before it is over.
            let program = lines.firstIndex(of: "program") ?? 0
            #expect(program >= 8 && program <= 10)
            #expect(bundle.warnings == [])
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func theyRunInTheNamespacesOfTheirKind() throws {
            let bundle = try TestBundle(["sleep", "100"])
            for (name, path) in Self.kinds where name != "poststop" {
                bundle.configuration.hooks[keyPath: path] = [
                    shell(
                        """
                        if [ -e \(bundle.folder) ]; then root=host; else root=own; fi
                        echo \(name) $root $(readlink /proc/self/ns/mnt) $(readlink /proc/self/ns/uts) >>\(log(name, bundle))
                        """)
                ]
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            try bundle.waitForOutput("poststart")
            let host = [link("/proc/self/ns/mnt"), link("/proc/self/ns/uts")].joined(separator: " ")
            let own = [link("/proc/\(creation.pid)/ns/mnt"), link("/proc/\(creation.pid)/ns/uts")].joined(
                separator: " ")
            #expect(
                bundle.lines == [
                    "prestart host \(host)", "createRuntime host \(host)", "createContainer host \(own)",
                    "startContainer own \(own)", "poststart host \(host)",
                ])
        }

        @Test(.needs(.root)) func argumentsAndEnvironmentAreTheDocuments() throws {
            let bundle = try TestBundle(["sleep", "100"])
            // Shells add some variables of their own.
            let script = """
                env | grep -vE '^(PWD|OLDPWD|SHLVL|_)=' | sort; read -r line </proc/self/cmdline; echo "${line%%-c*}"
                echo "$0|$1|$2|$#"
                """
            for (name, path) in Self.kinds where name != "poststop" {
                var hook = shell("exec >>\(log(name, bundle)); \(script)")
                // busybox is what it is called, so in the container the name is none to play with.
                let called = name == "startContainer" ? "sh" : "called \(name)"
                hook.args = [called, "-c", hook.args[2], "first", "second argument", ""]
                hook.env = ["ONLY=\(name)", "SIGNS=a=b c", "PATH=/bin:/usr/bin"]
                bundle.configuration.hooks[keyPath: path] = [hook]
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            let expected = Self.kinds.dropLast().flatMap { name, _ in
                [
                    "ONLY=\(name)", "PATH=/bin:/usr/bin", "SIGNS=a=b c",
                    name == "startContainer" ? "sh" : "called \(name)", "first|second argument||2",
                ]
            }
            #expect(bundle.lines == expected)
        }

        @Test(.needs(.root), arguments: ["prestart", "createRuntime", "createContainer", "startContainer"])
        func aFailureDestroysTheContainer(kind: String) throws {
            let path = Self.kinds.first { $0.name == kind }!.path
            for (script, outcome) in [("exit 3", "exit status 3"), ("kill -9 $$", "ended by signal 9")] {
                let bundle = try TestBundle(script: "echo ran")
                bundle.configuration.hooks[keyPath: path] = [
                    shell(script), shell("echo second >>\(log(kind, bundle))"),
                ]
                bundle.configuration.hooks.poststop = [shell("echo stopped >>\(log("poststop", bundle))")]
                let refusal = bundle.refusal()
                #expect(refusal?.kind == .hook)
                #expect(
                    refusal?.message.contains("hook \"/bin/sh\": \(outcome)") == true, "\(refusal?.message ?? "ran")")
                #expect(refusal?.message.contains("\n") == false)
                #expect(bundle.lines == ["stopped"])
                #expect(bundle.leftovers == [])
            }
        }

        @Test(.needs(.root)) func aFailedStartOfACreatedContainerStopsIt() throws {
            let bundle = try TestBundle(script: "echo ran")
            bundle.configuration.hooks.startContainer = [shell("exit 4")]
            let creation = try bundle.create()
            defer { discard(creation) }
            let error = #expect(throws: ContainerError.self) { try creation.container.start() }
            #expect(error?.kind == .hook)
            #expect(
                error?.message.contains("startContainer hook \"/bin/sh\": exit status 4") == true,
                "\(error?.message ?? "")")
            _ = try creation.wait()
            #expect(try creation.container.state().status == .stopped)
            #expect(bundle.output == "")
        }

        @Test(.needs(.root), arguments: ["prestart", "createRuntime", "createContainer", "startContainer"])
        func aHookThatHangsIsEnded(kind: String) throws {
            let bundle = try TestBundle(script: "echo ran")
            bundle.configuration.hooks[keyPath: Self.kinds.first { $0.name == kind }!.path] = [
                .init(path: "/bin/sleep", args: ["sleep", "100"], timeout: 1)
            ]
            let start = ContinuousClock.now
            let refusal = bundle.refusal()
            #expect(ContinuousClock.now - start < .seconds(10))
            #expect(refusal?.kind == .hook)
            #expect(refusal?.message.contains("/bin/sleep") == true && refusal?.message.contains("timeout") == true)
            #expect(bundle.output == "")
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root), arguments: ["prestart", "createRuntime", "createContainer", "startContainer"])
        func whatAHookThatHangsHasForkedIsEndedToo(kind: String) throws {
            let bundle = try TestBundle(script: "echo ran")
            // A time that no other process sleeps.
            let duration = "\(100_000 + getpid() % 10_000).\(Self.kinds.firstIndex { $0.name == kind }!)"
            bundle.configuration.hooks[keyPath: Self.kinds.first { $0.name == kind }!.path] = [
                shell("sleep \(duration) & sleep \(duration)", timeout: 1)
            ]
            #expect(bundle.refusal()?.kind == .hook)
            #expect(processes(named: duration) == [])
            #expect(bundle.leftovers == [])
        }

        /// The processes that have this argument and have not ended, once what was just killed has had time to end.
        private func processes(named argument: String) -> [String] {
            var found: [String] = []
            for _ in 0..<200 {
                found = names(in: "/proc").filter { name in
                    guard let status = try? readText("/proc/\(name)/stat"), let end = status.lastIndex(of: ")"),
                        !status[end...].hasPrefix(") Z")
                    else { return false }
                    return ((try? readText("/proc/\(name)/cmdline")) ?? "").contains("sleep\0\(argument)")
                }
                if found.isEmpty { break }
                usleep(10_000)
            }
            return found
        }

        @Test(.needs(.root)) func oneThatIsMissingOrDeafIsHandled() throws {
            for (kind, path) in Self.kinds.prefix(4) {
                let missing = try TestBundle(script: "echo ran")
                missing.configuration.hooks[keyPath: path] = [.init(path: "/no/such/hook")]
                let refusal = missing.refusal()
                #expect(refusal?.kind == .hook, "\(kind)")
                #expect(
                    refusal?.message.contains("/no/such/hook") == true && refusal?.message.contains("ENOENT") == true,
                    "\(refusal?.message ?? "ran")")
                #expect(missing.leftovers == [])
                // Whether a hook reads its standard input is its own matter.
                let deaf = try TestBundle(script: "echo ran")
                deaf.configuration.hooks[keyPath: path] = [shell("exec 0<&-; exit 0")]
                #expect(try deaf.linesOfRun() == ["ran"])
            }
        }

        @Test(.needs(.root)) func laterFailuresAreOnlyWarnings() throws {
            let bundle = try TestBundle(script: "echo ran")
            bundle.configuration.hooks.poststart = [shell("exit 5"), shell("exit 0")]
            bundle.configuration.hooks.poststop = [shell("exit 6"), shell("echo stopped >>\(bundle.folder)/out")]
            #expect(try bundle.linesOfRun() == ["ran", "stopped"])
            #expect(bundle.warnings.count == 2)
            #expect(bundle.warnings.first?.contains("poststart hook \"/bin/sh\": exit status 5") == true)
            #expect(bundle.warnings.last?.contains("poststop hook \"/bin/sh\": exit status 6") == true)
            #expect(bundle.leftovers == [])
        }

        /// A runtime of before that field wrote the state: its document says what is left to run.
        @Test(.needs(.root)) func aStateThatDoesNotTellOfHooksHasThem() throws {
            let bundle = try TestBundle(["true"])
            bundle.configuration.hooks.poststop = [shell("echo stopped >>\(bundle.folder)/out")]
            let creation = try bundle.create()
            defer { discard(creation) }
            let path = "\(bundle.folder)/state/\(bundle.id)/state.json"
            let state = try readText(path)
            #expect(state.contains("\"laterHooks\":2"))
            try makeFile(path, Array(state.replacing("\"laterHooks\":2", with: "\"later\":2").utf8), mode: 0o600)
            try bundle.runtime.delete(bundle.id, force: true)
            #expect(bundle.lines == ["stopped"])
        }

        /// Without a pid namespace and a cgroup nothing else would end them.
        @Test(.needs(.root)) func whatALateHookHasStartedEndsWithIt() throws {
            let bundle = try TestBundle(["true"])
            bundle.configuration.linux.namespaces.removeAll { $0.type == .pid }
            bundle.runtime.makesCgroups = false
            bundle.configuration.linux.resources = nil
            bundle.configuration.hooks.createContainer = [
                shell("sleep 1000 & echo $! >\(bundle.folder)/out; wait", timeout: 1)
            ]
            #expect(bundle.refusal()?.kind == .hook)
            let sleeper = try #require(pid_t(bundle.lines.first ?? ""))
            try waitUntil("the end of \(sleeper)") { (try? readText("/proc/\(sleeper)/cmdline"))?.isEmpty != false }
        }

        @Test(.needs(.root)) func hooksOfALostDocumentAreWarnedOf() throws {
            let bundle = try TestBundle(["true"])
            bundle.configuration.hooks.poststop = [shell("exit 0")]
            let creation = try bundle.create()
            defer { discard(creation) }
            unlink("\(bundle.folder)/state/\(bundle.id)/config.json")
            try bundle.runtime.delete(bundle.id, force: true)
            #expect(bundle.warnings.count == 1 && bundle.warnings.first?.hasPrefix("poststop hooks: ") == true)
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func theyHaveNoDescriptorsOfTheRuntimes() throws {
            // Inheritable on purpose, as another thread's may be.
            let inheritable = dup(2)
            defer { close(inheritable) }
            let bundle = try TestBundle(["sleep", "100"])
            // At 10 a shell keeps what it exchanged.
            let script = """
                for n in $(ls /proc/$$/fd); do case $n in 0|1|2|10) ;; *) if [ -e /proc/$$/fd/$n ]; then \
                echo open $n $(readlink /proc/$$/fd/$n); fi;; esac; done
                """
            for (name, path) in Self.kinds where name != "poststop" {
                bundle.configuration.hooks[keyPath: path] = [
                    shell("exec >>\(log(name, bundle)); cat >/dev/null; \(script); echo \(name)")
                ]
            }
            let creation = try bundle.start()
            defer { discard(creation) }
            #expect(bundle.lines == Self.kinds.dropLast().map(\.name))
        }
    }
}
