import CLaunch
import CLinux
import Linux

extension LaunchPlan {
    /// Makes the process. It runs its operations from here on, up to the first sync point or its program.
    ///
    /// - Throws: when the process could not be made, joined to its namespaces, mapped or put into its cgroup. Nothing
    ///   of it is left then. What the child itself fails at is thrown by ``LaunchedProcess/next()``.
    public func launch() throws(LaunchError) -> LaunchedProcess {
        do throws(SystemError) {
            let channel = try SocketPair()
            let trace = isTraced ? try SharedMemory(size: (operations.count + 1) * 8) : nil
            let hooks = hasHooks ? try SharedMemory(size: HookInput.capacity + HookInput.textOffset) : nil
            try hooks?.store(hookInput)
            return try launch(channel: channel, trace: trace, hooks: hooks)
        } catch { throw LaunchError(error) }
    }

    private var hasHooks: Bool {
        operations.contains { if case .hook = $0 { true } else { false } }
    }

    /// What the child holds on to of the parent's descriptors; nil where the plan closes nothing and so keeps all.
    private func inheritedDescriptors(and channel: CInt) -> (first: CInt, descriptors: [CInt])? {
        var first: CInt?
        var descriptors: [CInt] = [channel]
        for operation in operations {
            if case .closeDescriptors(let from, let kept) = operation {
                first = from
                descriptors += kept
            }
            for case .inherited(let number) in operation.references { descriptors.append(number) }
        }
        return first.map { ($0, descriptors.filter { $0 >= 0 }.sorted()) }
    }

    private func launch(
        channel: consuming SocketPair, trace: consuming SharedMemory?, hooks: consuming SharedMemory?
    ) throws(SystemError) -> LaunchedProcess {
        let input = unsafe hooks?.address()
        let compiled = unsafe CompiledPlan(self, input: input)
        var launched = bh_launched()
        let stages = joinsBeforeClone.map {
            bh_stage(flags: UInt32(truncatingIfNeeded: $0.kinds.rawValue), fd: $0.descriptor)
        }
        let traceStart = unsafe trace?.address()
        let (childEnd, ownEnd) = (channel.second.rawValue, channel.first.rawValue)
        let kept = inheritedDescriptors(and: childEnd)
        let failure = unsafe withBuffers(stages, kept?.descriptors ?? []) { stages, keptNumbers in
            var plan = unsafe bh_plan()
            unsafe plan.operations = UnsafePointer(compiled.operations)
            unsafe plan.count = UInt32(compiled.count)
            unsafe plan.stages = stages.baseAddress
            unsafe plan.stage_count = UInt32(stages.count)
            unsafe plan.clone_flags = newNamespaces.rawValue
            unsafe plan.cgroup = cgroup ?? -1
            unsafe plan.channel = childEnd
            unsafe plan.parent_channel = ownEnd
            unsafe plan.trace = traceStart?.assumingMemoryBound(to: bh_trace.self)
            unsafe plan.wait_first = identityMaps == nil ? 0 : 1
            unsafe plan.close_first = kept?.first ?? -1
            unsafe plan.kept = keptNumbers.baseAddress
            unsafe plan.kept_count = UInt32(keptNumbers.count)
            #if DEBUG
                unsafe apply(fault, to: &plan)
            #endif
            return unsafe bh_launch(&plan, &launched)
        }
        if failure != 0 { throw cloneError(Errno(rawValue: failure), launched) }

        let process = ProcessDescriptor(owning: Descriptor(owning: launched.pidfd))
        let refusal = launched.cgroup_refused == 0 ? nil : Errno(rawValue: launched.cgroup_refused)
        // Closed here, so that the end of the child is the end of the channel.
        let parentEnd = channel.takeFirst()
        let result = LaunchedProcess(
            pid: launched.pid, process: process, cgroupRefusal: refusal, channel: parentEnd, operations: operations,
            trace: trace, hookInput: hooks)
        if identityMaps != nil || refusal != nil {
            do throws(SystemError) { try setUp(result, moving: refusal != nil) } catch {
                try? result.process.send(signal: SIGKILL)
                _ = try? result.process.wait()
                throw error
            }
        }
        return result
    }

    /// The parent's part, while the child waits before its first operation.
    private func setUp(_ child: borrowing LaunchedProcess, moving: Bool) throws(SystemError) {
        var none: Descriptor?
        do throws(LaunchError) { _ = try child.next(receiving: &none) } catch {
            throw SystemError("wait for the child's first word", error.errno, hint: error.detail)
        }
        if moving, let cgroup {
            let directory = try Descriptor.duplicate(of: cgroup)
            let file = try directory.open("cgroup.procs", .writeOnly)
            do throws(SystemError) { try file.write("\(child.pid)") } catch {
                throw SystemError("move process \(child.pid) into its cgroup", error.errno)
            }
        }
        if let identityMaps {
            do throws(SystemError) { try identityMaps.write(for: child.pid) } catch {
                throw error.during("map the ids of the new user namespace")
            }
        }
        try child.proceed()
    }

    private func cloneError(_ errno: Errno, _ launched: bh_launched) -> SystemError {
        if launched.failed_stage >= 0, joinsBeforeClone.indices.contains(Int(launched.failed_stage)) {
            let join = joinsBeforeClone[Int(launched.failed_stage)]
            return SystemError("join the \(join.kinds) namespace of descriptor \(join.descriptor)", errno)
        }
        let hint: String? =
            switch errno {
            case .notPermitted where newNamespaces.contains(.user):
                "user namespaces may be switched off for unprivileged users"
            case .notPermitted: "new namespaces need CAP_SYS_ADMIN, or a new user namespace"
            case .noSpace: "a limit in /proc/sys/user is reached"
            case .wouldBlock: "a limit of processes is reached"
            case .invalidArgument where newNamespaces.contains(.time):
                "a time namespace is entered by unshare, not by clone"
            default: nil
            }
        return SystemError("clone a process with new namespaces (\(newNamespaces))", errno, hint: hint)
    }

    #if DEBUG
        private func apply(_ fault: Fault?, to plan: inout bh_plan) {
            switch fault {
            case nil: break
            case .fail(let operation, let errno):
                unsafe plan.fault_kind = BH_FAULT_FAIL.rawValue
                unsafe plan.fault_operation = UInt32(operation)
                unsafe plan.fault_error = errno.rawValue
            case .killParent(let operation):
                unsafe plan.fault_kind = BH_FAULT_KILL_PARENT.rawValue
                unsafe plan.fault_operation = UInt32(operation)
            }
        }
    #endif
}

private func withBuffers<First, Second, Result>(
    _ first: [First], _ second: [Second],
    _ body: (UnsafeBufferPointer<First>, UnsafeBufferPointer<Second>) -> Result
) -> Result {
    unsafe first.withUnsafeBufferPointer { first in
        unsafe second.withUnsafeBufferPointer { second in unsafe body(first, second) }
    }
}
