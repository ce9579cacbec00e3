import Glibc
import Launch
import Linux
import TestSupport
import Testing

/// What a launch fails at, and that nothing of it stays.
@Suite struct FailureTests {
    private func failure(_ operations: Operation...) throws -> LaunchError? {
        var plan = LaunchPlan()
        for operation in operations { plan.append(operation) }
        return try failure(of: plan)
    }

    private func failure(of plan: LaunchPlan) throws -> LaunchError? {
        let process = try plan.launch()
        do throws(LaunchError) { try process.waitUntilExecuted() } catch {
            // Reaped: nothing is left to wait for.
            #expect(throws: SystemError.self) { try process.wait() }
            return error
        }
        _ = try process.wait()
        return nil
    }

    #if DEBUG
        private static func everyOperation() -> [Operation] {
            var plan = LaunchPlan()
            let slot = plan.makeSlot()
            let root = DescriptorReference.workingDirectory
            return [
                .synchronize(SyncPoint(rawValue: 1)), .awaitStart(on: .inherited(0)), .parentDeathSignal(9),
                .join(.uts, .inherited(0)), .unshare(.uts), .hostname("name"), .domainname("name"), .loopbackUp,
                .propagation(path: "/", flags: 1 << 18), .open(path: "x", from: root, flags: .path, resolve: [], into: slot),
                .cloneTree(path: "x", from: root, recursive: true, into: slot),
                .mountAttributes(.slot(slot), set: 1, clear: 0), .attach(.slot(slot), root: root, path: "x", create: .file),
                .attachAtPath(.slot(slot), path: "/x"),
                .fileSystem(type: "tmpfs", source: "x", options: [.flag("ro"), .string("size", "1k")], attributes: 1, into: slot),
                .reconfigure(root: root, path: "x", options: [.flag("ro")]),
                .pathAttributes(root: root, path: "x", set: 1, clear: 0), .mask(root: root, path: "x"),
                .readOnly(root: root, path: "x"), .copyUp(into: .slot(slot), root: root, path: "x"),
                .makeNode(root: root, path: "x", mode: mode_t(S_IFCHR) | 0o600, device: 0x103, owner: 0, group: 0),
                .makeLink(root: root, path: "x", text: "y"), .makeDirectory(root: root, path: "x", mode: 0o755),
                .pivotRoot(.slot(slot)), .moveRoot(.slot(slot)), .changeDirectory("/"),
                .writeFile(root: root, path: "x", text: "y"), .terminal(receiver: .inherited(0), root: nil, columns: 1, rows: 1),
                .session, .sessionKeyring, .resourceLimit(7, soft: 1, hard: 2), .umask(0o22), .groups([1]),
                .user(1, group: 1), .keepCapabilities(true), .boundingSet(0),
                .capabilities(effective: 0, permitted: 0, inheritable: 0), .ambientSet(0), .noNewPrivileges,
                .seccomp(program: [], flags: 0), .personality(0), .scheduler(.init(policy: 0)), .ioPriority(0),
                .memoryPolicy(mode: 0, nodes: []), .cpuAffinity([0]), .duplicate(.inherited(0), to: 9),
                .closeDescriptors(from: 3, keeping: []), .hook(.init(path: "/bin/true", arguments: ["true"], environment: [])),
                .findExecutable("true", searchPath: ["/bin"]), .execute(arguments: ["true"], environment: []),
            ]
        }

        @Test func everyOperationIsNamedWhenItFails() throws {
            for operation in Self.everyOperation() {
                var plan = LaunchPlan()
                _ = plan.makeSlot()
                plan.append(.umask(0o22))
                plan.append(operation)
                plan.fault = .fail(operation: 1, .ioError)
                let error = try #require(try failure(of: plan))
                #expect(error.operationIndex == 1)
                #expect(error.errno == .ioError)
                #expect(error.description == "operation 1: \(operation): input/output error (EIO)")
                #expect(plan.description.hasSuffix("1  \(operation)"))
                #expect(!operation.description.isEmpty && !operation.description.contains("\n"))
            }
        }
    #endif

    @Test func theKernelsRefusalIsHandedOn() throws {
        var slots = LaunchPlan()
        let empty = slots.makeSlot()
        let root = DescriptorReference.workingDirectory
        for (operation, errno) in [
            (.join(.uts, .inherited(9999)), EBADF),
            (.open(path: "/no/such", from: root, flags: .path, resolve: [], into: empty), ENOENT),
            (.mountAttributes(.slot(empty), set: 1, clear: 0), EBADF),
            (.resourceLimit(7, soft: 2, hard: 1), EINVAL), (.changeDirectory("/no/such"), ENOENT),
            (.changeDirectory("/dev/null"), ENOTDIR), (.writeFile(root: root, path: "no/such", text: ""), ENOENT),
            (.scheduler(.init(policy: 99)), EINVAL), (.ioPriority(0xffff), EINVAL), (.cpuAffinity([1 << 20]), EINVAL),
            (.duplicate(.inherited(9999), to: 5), EBADF), (.duplicate(.slot(empty), to: 5), EBADF),
            (.closeDescriptors(from: 3, keeping: [9999]), EBADF), (.seccomp(program: [], flags: 0), EINVAL),
            (.findExecutable("none", searchPath: ["/bin"]), ENOENT), (.findExecutable("/bin", searchPath: []), EISDIR),
            (.findExecutable("passwd", searchPath: ["/no/such", "/etc"]), EACCES),
            (.execute(arguments: ["true"], environment: []), EFAULT),
        ] as [(Operation, CInt)] {
            let error = try failure(operation)
            #expect(error?.errno == Errno(rawValue: errno), "\(operation): \(error?.description ?? "went well")")
            #expect(error?.operationIndex == 0)
        }
    }

    @Test(.needs(.root)) func theFileSystemsOwnWordsComeAlong() throws {
        var plan = LaunchPlan()
        plan.newNamespaces = .mount
        let slot = plan.makeSlot()
        plan.append(
            .fileSystem(type: "tmpfs", source: nil, options: [.string("colour", "red")], attributes: 0, into: slot))
        let error = try failure(of: plan)
        #expect(error?.errno == .invalidArgument)
        #expect(error?.detail?.contains("colour") == true, "\(error?.description ?? "")")
    }

    @Test func aCloneThatIsRefusedSaysWhy() throws {
        var plan = LaunchPlan()
        plan.newNamespaces = NamespaceFlags(rawValue: 0x800)  // CLONE_SIGHAND, which is none
        plan.append(.umask(0))
        let error = #expect(throws: LaunchError.self) { _ = try plan.launch() }
        #expect(error?.description.hasPrefix("clone a process with new namespaces") == true, "\(error?.description ?? "")")
    }

    @Test(.needs(.root)) func aJoinThatIsRefusedSaysWhich() throws {
        var plan = LaunchPlan()
        let own = try Descriptor.open("/proc/self/ns/uts", .readOnly)
        let wrong = try Descriptor.open("/dev/null", .readOnly)
        plan.joinsBeforeClone = [.init(.uts, own.rawValue), .init(.network, wrong.rawValue)]
        plan.append(.umask(0))
        let error = #expect(throws: LaunchError.self) { _ = try plan.launch() }
        #expect(error?.description == "join the network namespace of descriptor \(wrong.rawValue): invalid argument (EINVAL)")
        // The caller has joined nothing itself, and its descriptors are its own.
        #expect(try own.status().inode == (try Descriptor.open("/proc/self/ns/uts", .readOnly)).status().inode)
    }

    @Test(.needs(.root)) func mapsThatAreRefusedLeaveNothing() throws {
        var plan = LaunchPlan()
        plan.newNamespaces = .user
        plan.identityMaps = IdentityMaps(
            users: [.init(inside: 0, outside: 0, count: 0)], groups: [.init(inside: 0, outside: 0, count: 1)])
        plan.append(.umask(0))
        let error = #expect(throws: LaunchError.self) { _ = try plan.launch() }
        #expect(error?.description.contains("map the ids of the new user namespace") == true, "\(error?.description ?? "")")
        plan.identityMaps?.writer = .helpers(newuidmap: "/no/such/newuidmap", newgidmap: "/no/such/newgidmap")
        let missing = #expect(throws: LaunchError.self) { _ = try plan.launch() }
        #expect(missing?.description.contains("/no/such/newgidmap") == true, "\(missing?.description ?? "")")
        plan.identityMaps?.writer = .helpers(newuidmap: "/bin/false", newgidmap: "/bin/false")
        let refused = #expect(throws: LaunchError.self) { _ = try plan.launch() }
        #expect(refused?.description.contains("newgidmap") == true, "\(refused?.description ?? "")")
    }

    @Test(.needs(.root)) func aCgroupThatIsNoneIsNamed() throws {
        let folder = try Descriptor.open("/tmp", [.readOnly, .directory])
        var plan = LaunchPlan()
        plan.cgroup = folder.rawValue
        plan.append(.umask(0))
        let error = #expect(throws: LaunchError.self) { _ = try plan.launch() }
        #expect(error?.errno == .noSuchFileOrDirectory)
        #expect(error?.description.contains("cgroup.procs") == true, "\(error?.description ?? "")")
    }
}
