#if DEBUG
    import Containers
    import Glibc
    import Linux
    import OCI
    import TestSupport
    import Testing

    extension ContainersTests {
        /// A create that fails, or whose runtime dies, at each step in turn.
        @Suite struct FaultTests {
            /// Containers that take different ways through a create.
            enum Kind: String, CaseIterable { case plain, mapped, full }

            private func bundle(_ kind: Kind) throws -> TestBundle {
                let bundle = try TestBundle(["sleep", "1000"])
                bundle.configuration.linux.cgroupsPath = "/\(bundle.id)/middle/leaf"
                switch kind {
                case .plain: break
                case .mapped: bundle.mapUsers()
                case .full:
                    let hook = Configuration.Hook(path: "/bin/true")
                    bundle.configuration.hooks.createRuntime = [hook]
                    bundle.configuration.hooks.createContainer = [hook]
                    bundle.configuration.linux.namespaces.append(.init(.time))
                    bundle.configuration.linux.seccomp = .init(defaultAction: .allow)
                    bundle.configuration.mounts.append(
                        .init(destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "ro"]))
                    bundle.configuration.linux.rootfsPropagation = .slave
                }
                try bundle.write()
                return bundle
            }

            /// The steps of a plan, as it prints itself.
            private func operations(_ bundle: TestBundle) throws -> [String] {
                let text = try bundle.runtime.explain(bundle.id, bundle.options)
                return text.split(separator: "\n").compactMap { line in
                    let words = line.drop { $0 == " " }
                    let digits = words.prefix { $0.isNumber }
                    guard !digits.isEmpty, words.dropFirst(digits.count).hasPrefix("  ") else { return nil }
                    return String(words.dropFirst(digits.count + 2))
                }
            }

            @Test(.needs(.root), arguments: Kind.allCases) func everyStepMayFail(kind: Kind) throws {
                let bundle = try bundle(kind)
                for step in 0..<100 {
                    bundle.options.fault = .fail(step: step)
                    do throws(ContainerError) {
                        let creation = try bundle.runtime.create(bundle.id, bundle.options)
                        // Not reached: there are no more.
                        discard(creation)
                        #expect(step >= 7)
                        break
                    } catch {
                        #expect(error.message.hasSuffix(": injected failure"))
                        #expect(bundle.leftovers == [], "after step \(step): \(error.message)")
                    }
                }
                #expect(bundle.leftovers == [])
            }

            @Test(.needs(.root), arguments: Kind.allCases) func everyOperationMayFail(kind: Kind) throws {
                let bundle = try bundle(kind)
                let operations = try operations(bundle)
                #expect(operations.count > 40)
                var waiting: Int?
                for (index, operation) in operations.enumerated() {
                    bundle.options.fault = .failOperation(index, .ioError)
                    var created = false
                    do throws(ContainerError) {
                        let creation = try bundle.runtime.create(bundle.id, bundle.options)
                        created = true
                        defer { discard(creation) }
                        if waiting == nil { waiting = index }
                        try creation.container.start()
                        Issue.record("operation \(index) did not fail: \(operation)")
                    } catch {
                        expect(error, names: operation, index: index, started: created)
                    }
                    #expect(bundle.leftovers == [], "after operation \(index): \(operation)")
                }
                // All but the last few, which follow the start, fail the create itself.
                #expect(waiting.map { $0 > 40 && operations[$0 - 1] == "wait for the start" } == true)
            }

            /// An error says which operation failed, in its own words or in those that clients look for.
            private func expect(_ error: ContainerError, names operation: String, index: Int, started: Bool) {
                let text = error.message
                #expect(!text.contains("\n"))
                #expect(text.contains("input/output error (EIO)"), "\(operation): \(text)")
                if operation.hasPrefix("find executable") || operation.hasPrefix("execute") {
                    #expect(text.hasPrefix("exec: \"sleep\""), "\(text)")
                } else if operation.hasPrefix("enter directory") {
                    #expect(text.hasPrefix("process.cwd"), "\(text)")
                } else if operation.hasPrefix("run hook") {
                    #expect(text.hasPrefix("hook \"/bin/true\""), "\(text)")
                } else if started {
                    #expect(text.hasPrefix("operation \(index): "), "\(text)")
                } else {
                    #expect(
                        withoutNumbers(text).hasPrefix(withoutNumbers("operation \(index): \(operation)")),
                        "\(operation): \(text)")
                }
            }

            /// Descriptors have other numbers when the plan runs.
            private func withoutNumbers(_ text: String) -> String { text.filter { !$0.isNumber && $0 != "-" } }

            @Test(.needs(.root), arguments: Kind.allCases) func theRuntimeMayDieAfterEveryStep(kind: Kind) throws {
                let bundle = try bundle(kind)
                for step in 0..<100 {
                    let (status, output) = try Helper.run("create", bundle, ["kill-step=\(step)"])
                    if status == .exited(0) {
                        #expect(step >= 7)
                        try bundle.runtime.delete(bundle.id, force: true)
                        break
                    }
                    #expect(status == .signaled(SIGKILL), "\(output)")
                    try recover(bundle, after: "step \(step)", byCreating: step % 2 == 1)
                }
                #expect(bundle.settledLeftovers() == [])
            }

            @Test(.needs(.root), arguments: [Kind.full]) func theRuntimeMayDieAfterEveryOperation(kind: Kind) throws {
                let bundle = try bundle(kind)
                let count = try operations(bundle).count
                var survived = 0
                for index in 0..<count {
                    let (status, output) = try Helper.run("create", bundle, ["kill-operation=\(index)"])
                    if status == .exited(0) {
                        survived += 1
                    } else {
                        #expect(status == .signaled(SIGKILL), "\(output)")
                    }
                    try recover(bundle, after: "operation \(index)", byCreating: index % 2 == 1)
                }
                // Those that follow the start, and the last before it, which races with the end of the create.
                #expect(survived < 8)
            }

            /// What a dead runtime left is gone after a delete by force, or after a create with the same id.
            private func recover(_ bundle: TestBundle, after what: String, byCreating: Bool) throws {
                if byCreating {
                    bundle.options.fault = nil
                    do throws(ContainerError) {
                        let creation = try bundle.runtime.create(bundle.id, bundle.options)
                        try creation.container.start()
                        discard(creation)
                    } catch {
                        // The runtime had got as far as to make a whole container.
                        #expect(error.kind == .exists, "after \(what): \(error.message)")
                    }
                }
                do throws(ContainerError) { try bundle.runtime.delete(bundle.id, force: true) } catch {
                    Issue.record("delete after \(what): \(error.message)")
                }
                #expect(bundle.settledLeftovers() == [], "after \(what)")
            }

            @Test(.needs(.root)) func aHookThatHangsDoesNotKeepADeadRuntimesContainer() throws {
                for kind in [Kind.plain, .mapped] {
                    let bundle = try bundle(kind)
                    bundle.configuration.hooks.createContainer = [
                        .init(path: "/bin/sh", args: ["sh", "-c", "echo hanging >\(bundle.folder)/out; sleep 1000"])
                    ]
                    try bundle.write()
                    let helper = try Helper("create", bundle)
                    try bundle.waitForOutput("hanging\n")
                    // Its lock keeps others from what it is making.
                    #expect(throws: ContainerError.self) { _ = try bundle.runtime.create(bundle.id, bundle.options) }
                    kill(helper.pid, SIGKILL)
                    #expect(try helper.finish().status == .signaled(SIGKILL))
                    try bundle.runtime.delete(bundle.id, force: true)
                    #expect(bundle.settledLeftovers() == [])
                }
            }
        }
    }
#endif
