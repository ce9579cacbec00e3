import CConfinement
import Glibc
import Linux
import Machines
import OCI
import Virtio

/// Does what a command line in Firecracker's words asks for.
///
/// - Returns: the program's exit status.
func runAsFirecracker(_ arguments: FirecrackerArguments) throws(Failure) -> CInt {
    switch arguments.job {
    case .printHelp:
        print(FirecrackerArguments.help)
        return 0
    case .printVersion:
        print("Firecracker v\(InstanceInfo.version)")
        return 0
    case .printSnapshotVersion:
        print("v\(Snapshot.version)")
        return 0
    case .describeSnapshot(let path):
        do throws(MachineError) { print("v\(try Snapshot.version(of: path))") } catch {
            let what =
                if case .refused = error.reason { "Unable to open snapshot state file" } else {
                    "Invalid data format version of snapshot file"
                }
            throw Failure(.refused, "When printing Snapshot Data format: \(what): \(error)")
        }
        return 0
    case .run: return try FirecrackerMode.run(arguments)
    }
}

/// A monitor that is driven by Firecracker's API, a configuration file, or both; in one thread, beside those of the
/// machine.
final class FirecrackerMode {
    private enum Token: UInt64 {
        case signals
        case ending
        case guestIsUp
        case deviceHasGone
        /// From here on, the server's.
        case server
    }

    /// Lines of the log that tell of no change are written when nothing has happened for so long: nobody waits for them who
    /// asked, nor for the first line, which needs to know the local time. Milliseconds.
    private static let patience: CInt = 10
    /// Metrics are flushed so often by themselves: nanoseconds.
    private static let period: UInt64 = 60_000_000_000

    private let arguments: FirecrackerArguments
    private let confinement: Confinement
    private let instance: InstanceInfo
    private let logger: Logger
    private let metrics = Metrics()
    private let metadata: MetadataStore
    private let metadataCounters = MetadataCounters()
    private let loop: EventLoop
    private let signals: SignalDescriptor
    private var terminal: RawTerminal?
    /// When the machine was asked for.
    private var startTimes: (monotonic: UInt64, processor: UInt64) = (0, 0)
    private var hasReportedBoot = false
    private var nextFlush: UInt64?

    private init(_ arguments: FirecrackerArguments, _ logger: Logger) throws(Failure) {
        self.arguments = arguments
        self.logger = logger
        do throws(Failure) { confinement = try Confinement(arguments.confinement) } catch {
            // Whatever is wrong with what the file says has one status.
            let part = error.status == .usage ? "Filter deserialization failed: " : ""
            throw Failure(.refused, "Seccomp error: \(part)\(error.message)")
        }
        instance = InstanceInfo(id: arguments.id)
        metadata = MetadataStore(limit: arguments.metadataLimit)
        do throws(SystemError) {
            let wanted = SignalSet([.interrupt, .terminate] + FatalSignal.all.map { $0.signal })
            // Before there is a second thread, which would get them else.
            try wanted.block()
            signals = try SignalDescriptor(wanted)
            loop = try EventLoop()
            try loop.add(signals.descriptor, for: .readable, token: Token.signals.rawValue)
        } catch { throw Failure(.refused, error.description) }
    }

    static func run(_ arguments: FirecrackerArguments) throws(Failure) -> CInt {
        let logger = Logger(id: arguments.id)
        do throws(SystemError) { try logger.apply(arguments.logger) } catch {
            throw Failure(.refused, "Could not initialize logger: Failed to open target file: \(osError(error.errno))")
        }
        logger.gather()
        defer { logger.flush() }
        do throws(Failure) {
            logger.info("Running Firecracker v\(InstanceInfo.version)")
            let status = try FirecrackerMode(arguments, logger).serve()
            logger.info("Firecracker exiting \(status == 0 ? "successfully" : "with error"). exit_code=\(status)")
            return status
        } catch {
            logger.error(error.message)
            logger.error("Firecracker exiting with error. exit_code=\(error.status.rawValue)")
            throw error
        }
    }

    private func serve() throws(Failure) -> CInt {
        if let path = arguments.metrics {
            do throws(SystemError) { try metrics.open(MetricsSettings(path: path), instance: instance) } catch {
                throw Failure(.refused, "Could not initialize metrics: \(osError(error.errno))")
            }
        }
        let metadata = try arguments.metadata.map(Self.readMetadata)
        let controller = Controller(
            PrebootController(instance: instance, logger: logger, metrics: metrics, metadata: self.metadata),
            start: { (resources) throws(Fault) in try self.start(resources) },
            load: { (loading, resources) throws(Fault) in try self.load(loading, resources) })
        let server = arguments.hasAPI ? try listen() : nil
        // The first line of the metrics has it.
        reportStartUp()
        if let metadata { try populate(metadata) }
        if let path = arguments.configuration { try configure(controller, FirecrackerFile(path: path)) }
        // The log's first line needs the rules of the local time, whose file a filter of somebody else's may not let it open.
        if case .file = arguments.confinement { tzset() }
        // Before the first request: whoever makes it may be a stranger.
        do throws(MachineError) { try confinement.confine(.api) } catch { throw Failure(.refused, error.description) }
        return try wait(controller, server)
    }

    private static func readMetadata(_ path: String) throws(Failure) -> [UInt8] {
        do throws(SystemError) { return try readFile(path, limit: 8 << 20) } catch {
            throw Failure(
                .refused, "Unable to open or read from the mmds content file: \(osError(error.errno))")
        }
    }

    private func populate(_ text: [UInt8]) throws(Failure) {
        let contents: JSON
        do throws(BodyError) { contents = try JSON(body: text) } catch {
            throw Failure(.badConfiguration, "MMDS error: metadata provided not valid json: \(error.message)")
        }
        do throws(MetadataStore.Refusal) { try metadata.replace(contents) } catch {
            throw Failure(.refused, "Populating MMDS from file failed: The MMDS patch request doesn't fit.")
        }
        logger.info("Successfully added metadata to mmds from file")
    }

    private func listen() throws(Failure) -> HTTPServer {
        do throws(SystemError) {
            let server = try HTTPServer(
                at: arguments.socket, bodyLimit: arguments.payloadLimit, loop, firstToken: Token.server.rawValue)
            logger.info("Listening on API socket (\(quoted(arguments.socket))).")
            logger.info("API server started.")
            return server
        } catch {
            guard error.errno == Errno(rawValue: EADDRINUSE) else {
                throw Failure(.refused, "Failed to bind and run the HTTP server: \(error)")
            }
            throw Failure(
                .refused,
                "Failed to open the API socket at: \(arguments.socket). Check that it is not already used.")
        }
    }

    private func configure(_ controller: Controller, _ file: FirecrackerFile) throws(Failure) {
        logger.flush()
        for action in file.actions {
            do throws(Fault) { _ = try controller.perform(action) } catch {
                throw Failure(
                    .badConfiguration, "Configuration for VMM from one single json failed: \(error.message)")
            }
        }
        do throws(Fault) { _ = try controller.perform(.start) } catch {
            throw Failure(.refused, "Could not Start MicroVM from one single json: \(error.message)")
        }
        controller.flushMetrics()
        logger.info("Successfully started microvm that was configured from one single json")
    }

    private func reportStartUp() {
        if let start = arguments.startTime {
            let now = monotonicNanoseconds() / 1000
            metrics.noteStartUp("process_startup_time_us", microseconds: now >= start ? now - start : 0)
        }
        if let start = arguments.startCPUTime {
            let now = processorNanoseconds() / 1000
            let own = now >= start ? now - start : 0
            metrics.noteStartUp(
                "process_startup_time_cpu_us", microseconds: own &+ (arguments.parentCPUTime ?? 0))
        }
    }

    // MARK: - The machine

    private func start(_ resources: Resources) throws(Fault) -> RuntimeController {
        let times = (monotonicNanoseconds(), processorNanoseconds())
        let configuration = try resources.configuration(acceptsEmulation: arguments.acceptsEmulation)
        try check(resources.machine.template)
        do throws(MachineError) {
            let machine = try Machine(configuration, console: try serialEnds(resources.serial))
            startTimes = times
            return try launch(machine, resources)
        } catch { throw Fault("Start microvm error: \(Self.part(error))\(error)") }
    }

    /// Refuses a template that is not for this host's processor.
    private func check(_ template: StaticTemplate) throws(Fault) {
        guard template != .none else { return }
        let model: ProcessorModel
        do throws(MachineError) { model = try .ofHost() } catch { throw Fault("Start microvm error: \(error)") }
        try template.check(on: model)
    }

    /// - Parameter before: what was said before of what is not the snapshot's: the serial port's end.
    private func load(_ loading: SnapshotLoading, _ before: Resources) throws(Fault) -> RuntimeController {
        startTimes = (monotonicNanoseconds(), processorNanoseconds())
        let refusal = "Load snapshot error: Failed to restore from snapshot: "
        var snapshot: Snapshot
        do throws(MachineError) { snapshot = try Snapshot(readingFrom: loading.path) } catch {
            let why =
                if case .refused(let host) = error.reason {
                    "Failed to open snapshot file: \(osError(host.errno))"
                } else { "Failed to load snapshot state from file: \(error)" }
            throw Fault("\(refusal)Failed to get snapshot state from file: \(why)")
        }
        var resources = try Resources(restoring: snapshot, loading)
        resources.serial = before.serial
        snapshot.configuration = try resources.configuration(acceptsEmulation: arguments.acceptsEmulation)
        snapshot.additions = resources.additions
        let memory: SnapshotMemory =
            loading.backend == .file ? .file(loading.backendPath) : .handler(loading.backendPath)
        let controller: RuntimeController
        do throws(MachineError) {
            let machine = try Machine(
                restoring: snapshot, memory: memory, console: try serialEnds(resources.serial),
                advancesClock: loading.advancesClock)
            controller = try launch(machine, resources)
            if let settings = resources.metadata {
                metadata.configure(needsToken: settings.version == .v2, isPlain: settings.isPlain)
            }
            if loading.resumes { try machine.resume() }
        } catch { throw Fault(refusal + Self.loadFailure(error, loading.backend, resources)) }
        let microseconds = (monotonicNanoseconds() - startTimes.monotonic) / 1000
        metrics.note("vmm_load_snapshot", microseconds: microseconds)
        logger.debug("'load snapshot' VMM action took \(microseconds) us.")
        return controller
    }

    private static func loadFailure(
        _ error: MachineError, _ backend: SnapshotLoading.Backend, _ resources: Resources
    ) -> String {
        let memory = "Failed to load guest memory: Error creating guest memory from "
        let devices = "Failed to build microVM from snapshot: Failed to restore devices: "
        switch error.reason {
        case .refused(let why) where error.part == .disk:
            guard let drive = resources.drives.first(where: { why.operation == "open \(quoted($0.path))" }) else {
                return "\(devices)Block: \(error)"
            }
            return "\(devices)Block: Virtio backend error: \(Drive.backing(why, drive.path))"
        case .refused(let why) where error.part == .snapshot:
            return "\(memory)file: Failed to load guest memory: \(osError(why.errno))"
        case .refused(let why) where error.part == .network && why.operation.hasPrefix("join the tap"):
            let card = resources.networks.first { why.operation.hasSuffix(quoted($0.tap)) }
            return "\(devices)Net: Failed to create a network device: "
                + NetworkInterface.opening(why, card?.tap ?? "")
        case .snapshot(.hugePages):
            return "\(memory)file: Cannot restore hugetlbfs backed snapshot by mapping the memory file. "
                + "Please use uffd."
        case .snapshot(.memory): return "\(memory)file: Failed to restore guest memory: \(error)"
        case .refused(let why) where error.part == .memory && backend == .userFault:
            return why.operation.hasPrefix("connect")
                ? "\(memory)uffd: Failed to connect to UDS Unix stream: \(osError(why.errno))"
                : "\(memory)uffd: \(error)"
        case .snapshot(.otherProcessor): return "Invalid snapshot state: \(error)"
        default: return "Failed to build microVM from snapshot: \(part(error))\(error)"
        }
    }

    /// Begins to watch a machine, and lets its threads run.
    private func launch(_ machine: Machine, _ resources: Resources) throws(MachineError) -> RuntimeController {
        do throws(SystemError) {
            try machine.withEndEvent { (descriptor) throws(SystemError) in
                try loop.add(descriptor, for: .readable, token: Token.ending.rawValue)
            }
            try machine.withUpEvent { (descriptor) throws(SystemError) in
                try loop.add(descriptor, for: [.readable, .oneShot], token: Token.guestIsUp.rawValue)
            }
            try machine.withRemovalEvent { (descriptor) throws(SystemError) in
                try loop.add(descriptor, for: .readable, token: Token.deviceHasGone.rawValue)
            }
        } catch { throw MachineError(.machine, .refused(error)) }
        try connectMetadata(machine, resources.metadata)
        if resources.serial?.path == nil { terminal = try? RawTerminal(.duplicate(of: STDIN_FILENO)) }
        let confine = confinement.preparation
        do throws(MachineError) {
            try machine.start { role throws(MachineError) in
                if role == .processor { bh_name_as_firecracker() }
                try confine(role)
            }
        } catch {
            terminal = nil
            throw error
        }
        bh_forget_start_up()
        nextFlush = monotonicNanoseconds() + Self.period
        return RuntimeController(instance, machine, resources, logger, metrics, metadata) { [self] in
            flush(machine, $0)
        }
    }

    /// Lets the guest ask by the cards that were named.
    private func connectMetadata(_ machine: Machine, _ settings: MetadataSettings?) throws(MachineError) {
        guard let settings else { return }
        for id in settings.networks {
            let stack = MetadataStack(
                at: settings.address ?? MetadataStack.defaultAddress, metadata, metadataCounters)
            do throws(SystemError) { try machine.network(id)?.setFilter(stack) } catch {
                throw MachineError(.network, .refused(error))
            }
        }
    }

    private static func part(_ error: MachineError) -> String {
        switch error.part {
        case .kernel: "Cannot load the kernel: "
        case .initialRAMDisk: "Error with initrd initialization: "
        case .commandLine: "Invalid kernel command line: "
        case .memory: "Invalid Memory Configuration: "
        case .hotplugMemory: "Cannot attach memory hotplug device: "
        case .disk: "Unable to attach block device to Vmm: "
        case .network: "Cannot create network device: "
        case .persistentMemory: "Cannot create pmem device: "
        case .vsock: "Cannot create vsock device: "
        case .balloon: "Cannot create balloon device: "
        case .console: "Cannot open the serial port's output: "
        // Firecracker has no shared directories, so the API makes none.
        case .processors, .machine, .sharedDirectory, .debugger, .snapshot: ""
        }
    }

    private func serialEnds(_ serial: SerialDevice?) throws(MachineError) -> SerialEnds {
        do throws(SystemError) {
            var ends =
                if let path = serial?.path { SerialEnds(output: try openForLines(path)) } else {
                    SerialEnds(input: try .duplicate(of: STDIN_FILENO), output: try .duplicate(of: STDOUT_FILENO))
                }
            ends.outputLimit = serial?.limit?.bucket
            return ends
        } catch { throw MachineError(.console, .refused(error)) }
    }

    // MARK: - The loop

    private func wait(_ controller: Controller, _ server: HTTPServer?) throws(Failure) -> CInt {
        let service = Service(controller: controller, logger: logger, metrics: metrics)
        var events: [(token: UInt64, readiness: Readiness)] = []
        while true {
            events.removeAll(keepingCapacity: true)
            do throws(SystemError) {
                try loop.wait(timeoutMilliseconds: timeout(server)) { events.append(($0, $1)) }
            } catch { throw Failure(.refused, error.description) }
            let now = Self.coarseNanoseconds
            server?.wake(loop, now)
            for (token, readiness) in events {
                switch Token(rawValue: min(token, Token.server.rawValue)) {
                case .signals:
                    if let signal = try? signals.next() { return stop(controller, signal) }
                case .ending:
                    if let machine = controller.machine { return end(machine, controller) }
                case .guestIsUp: reportBoot(controller.machine)
                case .deviceHasGone: controller.noteRemoved()
                case .server, nil: server?.handle(token, readiness, loop, now) { service.answer($0) }
                }
            }
            if let due = nextFlush, due <= now {
                nextFlush = now + Self.period
                flush(controller.machine, controller.resources)
            }
            if events.isEmpty { logger.flush() }
        }
    }

    private func timeout(_ server: HTTPServer?) -> CInt {
        if logger.waiting > 0 { return Self.patience }
        guard nextFlush != nil || server?.isPaused ?? false else { return -1 }
        let now = Self.coarseNanoseconds
        let ofServer = server?.timeout(now) ?? -1
        guard let nextFlush else { return ofServer }
        let ofFlush = nextFlush <= now ? 0 : CInt(clamping: (nextFlush - now) / 1_000_000 + 1)
        return ofServer < 0 ? ofFlush : min(ofServer, ofFlush)
    }

    /// The monotonic clock, some milliseconds late: who asks for the time, asks some hosts for a device's register.
    private static var coarseNanoseconds: UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC_COARSE, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }

    private func stop(_ controller: Controller, _ signal: Signal) -> CInt {
        let fatal = FatalSignal.all.first { $0.signal == signal }
        if let fatal {
            logger.error("Shutting down VM after intercepting signal \(signal.rawValue), code 0.")
            metrics.count(fatal)
        } else {
            logger.info("Stopped by \(signal).")
        }
        controller.machine?.stop()
        _ = controller.machine?.wait()
        flush(controller.machine, controller.resources)
        terminal = nil
        return (fatal?.status ?? .signal(signal.rawValue)).rawValue
    }

    /// The guest's machine has ended: an end of its own is none of failure.
    private func end(_ machine: Machine, _ controller: Controller) -> CInt {
        let ending = machine.wait()
        terminal = nil
        // What was said last may have come with the end.
        reportBoot(machine)
        flush(machine, controller.resources)
        for fault in machine.faults { logger.warn("A device asked its driver for a reset: \(fault)") }
        switch ending {
        case .failed(let error):
            logger.error("Vmm is stopping: \(error)")
            return 1
        case .powerOff: logger.info("Vmm is stopping: the guest switched its machine off.")
        case .reset: logger.info("Vmm is stopping: the guest reset its machine.")
        case .panic: logger.info("Vmm is stopping: the guest's kernel panicked.")
        case .tripleFault: logger.info("Vmm is stopping: a triple fault.")
        case .stopped: logger.info("Vmm is stopping.")
        }
        return 0
    }

    private func reportBoot(_ machine: Machine?) {
        guard arguments.logsBoot, !hasReportedBoot, let up = machine?.guestUpTime else { return }
        hasReportedBoot = true
        let wall = (up - min(up, startTimes.monotonic)) / 1000
        let processor = (processorNanoseconds() - startTimes.processor) / 1000
        logger.info(
            "Guest-boot-time = \(Self.padded(wall)) us \(wall / 1000) ms, \(Self.padded(processor)) CPU us "
                + "\(processor / 1000) CPU ms")
    }

    private static func padded(_ number: UInt64) -> String {
        let text = String(number)
        return String(repeating: " ", count: max(0, 6 - text.count)) + text
    }

    private func flush(_ machine: Machine?, _ resources: Resources?) {
        guard metrics.isOpen else { return }
        var groups = [DeviceMetrics.mmds(metadataCounters)]
        if let machine, let resources {
            groups += DeviceMetrics.groups(
                machine, drives: resources.drives.map { $0.id }, networks: resources.networks.map { $0.id },
                pmem: resources.pmem.map { $0.id })
        }
        metrics.flush(groups, missedLines: logger.missed)
    }
}

/// The processor time that this process has had; `clock_gettime(2)`.
func processorNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
