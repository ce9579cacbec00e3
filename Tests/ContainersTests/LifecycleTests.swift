import Cgroups
import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    /// From one status to the next, and which steps are refused in which.
    @Suite struct LifecycleTests {
        private func error(_ body: () throws -> Void) -> ContainerError? {
            do { try body() } catch { return error as? ContainerError }
            return nil
        }

        @Test(.needs(.root)) func aContainerGoesThroughItsStates() throws {
            let bundle = try TestBundle(script: "echo up; while [ ! -e /tmp/end ]; do sleep 0.05; done; exit 3")
            bundle.configuration.annotations = ["org.example.kind": "test"]
            let creation = try bundle.create()
            defer { discard(creation) }
            let container = creation.container
            var state = try container.state()
            #expect(state.status == .created)
            #expect(state.pid == creation.pid)
            #expect(state.id == bundle.id)
            #expect(state.bundle == bundle.folder)
            #expect(state.annotations == ["org.example.kind": "test"])
            #expect(state.rootfs == bundle.rootfs)
            #expect(state.owner == "root")
            #expect(bundle.output == "")
            #expect(try container.configuration() == bundle.configuration)
            #expect(try bundle.runtime.containers().map(\.id) == [bundle.id])
            #expect(try container.processes() == [creation.pid])
            #expect(
                names(in: "\(bundle.folder)/state/\(bundle.id)").sorted()
                    == ["config.json", "start.sock", "state.json"])

            try container.start()
            try bundle.waitForOutput("up\n")
            #expect(try container.state().status == .running)
            let second = error { try container.start() }
            #expect(second?.kind == .wrongStatus)
            #expect(second?.message == "cannot start container \"\(bundle.id)\": container is running")
            let delete = error { try container.delete() }
            #expect(delete?.kind == .wrongStatus)
            #expect(delete?.message.contains("that is not stopped: running") == true)
            #expect(try container.processes().contains(creation.pid))

            try makeFile("\(bundle.rootfs)/tmp/end")
            #expect(try creation.wait() == .exited(3))
            state = try container.state()
            #expect(state.status == .stopped)
            #expect(state.pid == 0)
            #expect(error { try container.start() }?.kind == .wrongStatus)
            #expect(error { try container.kill(SIGTERM) }?.kind == .wrongStatus)
            #expect(error { try container.pause() }?.kind == .wrongStatus)
            #expect(error { try container.update(.init()) }?.kind == .wrongStatus)

            try container.delete()
            #expect(bundle.leftovers == [])
            #expect(error { _ = try container.state() }?.kind == .doesNotExist)
            #expect(error { try container.delete() }?.kind == .doesNotExist)
            #expect(error { _ = try bundle.runtime.container(bundle.id) }?.kind == .doesNotExist)
            try bundle.runtime.delete(bundle.id, force: true)
            #expect(try bundle.runtime.containers().isEmpty)
        }

        @Test(.needs(.root)) func theProgramMayEndBeforeItIsStarted() throws {
            let bundle = try TestBundle(["sleep", "100"])
            let creation = try bundle.create()
            defer { discard(creation) }
            #expect(error { try creation.container.delete() }?.kind == .wrongStatus)
            try creation.container.kill(SIGKILL)
            #expect(try creation.wait() == .signaled(SIGKILL))
            #expect(try creation.container.state().status == .stopped)
            #expect(error { try creation.container.start() }?.kind == .wrongStatus)
            try creation.container.delete()
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func deleteWithForceEndsAnyState() throws {
            for started in [false, true] {
                let bundle = try TestBundle(script: "sleep 100 & sleep 100 & wait")
                let creation = try bundle.create()
                if started { try creation.container.start() }
                try creation.container.delete(force: true)
                #expect(try creation.wait() == .signaled(SIGKILL))
                #expect(bundle.leftovers == [])
            }
        }

        @Test(.needs(.root)) func signalsReachTheFirstProcessOrAll() throws {
            let bundle = try TestBundle(
                script: """
                    trap 'echo first' USR1
                    sh -c 'trap "echo second" USR1; echo up; while :; do sleep 0.05; done' &
                    while :; do sleep 0.05; done
                    """)
            let creation = try bundle.start()
            defer { discard(creation) }
            try bundle.waitForOutput("up\n")
            try creation.container.kill(SIGUSR1)
            try bundle.waitForOutput("first\n")
            #expect(!bundle.output.contains("second"))
            try creation.container.kill(SIGUSR1, all: true)
            try bundle.waitForOutput("second\n")
            try creation.container.kill(SIGKILL, all: true)
            #expect(try creation.wait() == .signaled(SIGKILL))
            try creation.container.delete()
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func withoutAPIDNamespaceNobodyIsLeftBehind() throws {
            let bundle = try TestBundle(script: "sleep 100 & sleep 100 & exit 0")
            bundle.configuration.linux.namespaces.removeAll { $0.type == .pid }
            let creation = try bundle.start()
            #expect(try creation.wait() == .exited(0))
            #expect(try creation.container.state().status == .stopped)
            #expect(try creation.container.processes().count == 2)
            try creation.container.kill(SIGTERM, all: true)
            try creation.container.delete()
            #expect(bundle.settledLeftovers() == [])
        }

        @Test(.needs(.root)) func pauseStopsTheClockAndResumeStartsIt() throws {
            let bundle = try TestBundle(script: "echo up; while :; do echo x; sleep 0.02; done")
            let creation = try bundle.start()
            defer { discard(creation) }
            let container = creation.container
            try bundle.waitForOutput("x\nx\n")
            try container.pause()
            #expect(try container.state().status == .paused)
            let written = bundle.output.count
            usleep(200_000)
            #expect(bundle.output.count == written)
            #expect(error { try container.pause() }?.kind == .wrongStatus)
            #expect(error { _ = try bundle.execute("echo") }?.message.contains("container is paused") == true)
            #expect(error { try container.delete() }?.kind == .wrongStatus)
            try container.resume()
            #expect(try container.state().status == .running)
            try waitUntil("more output") { bundle.output.count > written }
            #expect(error { try container.resume() }?.kind == .wrongStatus)
            try container.pause()
            try container.kill(SIGKILL)
            #expect(try creation.wait() == .signaled(SIGKILL))
            try container.delete()
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func aPausedContainerIsDeletedByForce() throws {
            let bundle = try TestBundle(["sleep", "100"])
            let creation = try bundle.start()
            try creation.container.pause()
            try creation.container.delete(force: true)
            #expect(try creation.wait() == .signaled(SIGKILL))
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func anIDIsTakenOnce() throws {
            let bundle = try TestBundle(["sleep", "100"])
            let creation = try bundle.create()
            defer { discard(creation) }
            let second = error { _ = try bundle.create() }
            #expect(second?.kind == .exists)
            #expect(second?.message == "container with id \"\(bundle.id)\" exists")
            // The refusal touched nothing of the first's.
            #expect(try creation.container.state().status == .created)
            try creation.container.start()
            #expect(try creation.container.state().status == .running)
        }

        @Test(.needs(.root)) func pidFilesAndPidDescriptorsTellTheProcess() throws {
            let bundle = try TestBundle(["sleep", "100"])
            bundle.options.pidFile = "\(bundle.folder)/pid"
            bundle.options.pidfdSocket = "\(bundle.folder)/pidfd.sock"
            let listener = try UnixSocket.listen(at: "\(bundle.folder)/pidfd.sock")
            let creation = try bundle.create()
            defer { discard(creation) }
            #expect(try readText("\(bundle.folder)/pid") == "\(creation.pid)")
            var received: Descriptor?
            _ = try UnixSocket.receive(from: try UnixSocket.accept(on: listener), descriptor: &received)
            let process = ProcessDescriptor(owning: try required(received.take()))
            #expect(try !process.hasExited())
            try process.send(signal: SIGKILL)
            #expect(try creation.wait() == .signaled(SIGKILL))
            #expect(try process.hasExited())
        }

        @Test(.needs(.root)) func cgroupsOfTheDocumentComeAndGo() throws {
            let bundle = try TestBundle(["sleep", "100"])
            bundle.configuration.linux.cgroupsPath = "/\(bundle.id)/middle/leaf"
            let creation = try bundle.create()
            let mount = try CgroupHierarchy.find().mountPoint
            let path = try creation.container.withCgroup { cgroup in cgroup.path }
            #expect(path == "\(mount)/\(bundle.id)/middle/leaf")
            #expect(try readText("\(path)/cgroup.procs") == "\(creation.pid)\n")
            try creation.container.delete(force: true)
            _ = try creation.wait()
            #expect(bundle.leftovers == [])
        }

        @Test(.needs(.root)) func systemdsNamesBecomePaths() throws {
            let bundle = try TestBundle(["sleep", "100"])
            bundle.runtime.systemdCgroupNames = true
            bundle.configuration.linux.cgroupsPath =
                "\(bundle.id.split(separator: "-").joined(separator: "_")).slice:pre:\(bundle.id)"
            let creation = try bundle.create()
            defer { discard(creation) }
            let slice = bundle.id.split(separator: "-").joined(separator: "_")
            let path = try creation.container.withCgroup { cgroup in cgroup.relativePath }
            #expect(path.hasSuffix("\(slice).slice/pre-\(bundle.id).scope"))
            bundle.configuration.linux.cgroupsPath = "/not/systemd"
            try bundle.write()
            #expect(error { _ = try bundle.runtime.create("another", bundle.options) }?.kind == .badDocument)
        }

        @Test(.needs(.root)) func stepsAreExplainedAndTimed() throws {
            let bundle = try TestBundle()
            try bundle.write()
            let explanation = try bundle.runtime.explain(bundle.id, bundle.options)
            for step in ["make cgroup", "in new namespaces: mount, pid", "mount slot", "execute \"true\""] {
                #expect(explanation.contains(step), "\(explanation)")
            }
            #expect(bundle.leftovers == [])
            bundle.options.isTraced = true
            let creation = try bundle.runtime.prepareRun(bundle.id, bundle.options)
            try creation.start()
            let times = creation.times()
            #expect(times.last?.step == "execute \"true\"")
            // Descriptors have other numbers when the plan runs.
            func withoutNumbers(_ text: String) -> String { text.filter { !$0.isNumber && $0 != "-" } }
            let known = withoutNumbers(explanation)
            // A run waits for its start in another way than a create.
            let steps = times.map(\.step).filter { !$0.hasPrefix("wait for") }
            #expect(steps.filter { !known.contains(withoutNumbers($0)) } == [])
            #expect(times.map(\.nanoseconds).reduce(0, +) > 0)
            _ = try creation.wait()
            try creation.container.delete()
        }
    }
}
