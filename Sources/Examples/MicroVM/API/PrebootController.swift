import Linux
import Machines
import OCI

/// Gathers what a machine is to have, until it is started. It makes nothing but files of the log and the metrics.
final class PrebootController {
    let instance: InstanceInfo
    let logger: Logger
    let metrics: Metrics
    let metadata: MetadataStore
    private(set) var resources = Resources()
    /// Something was said of a machine to boot; a snapshot can't be loaded then.
    private(set) var hasBootResources = false

    init(instance: InstanceInfo, logger: Logger, metrics: Metrics, metadata: MetadataStore) {
        self.instance = instance
        self.logger = logger
        self.metrics = metrics
        self.metadata = metadata
    }

    /// Does what is asked, but for starts: those are for who can make a machine.
    func perform(_ action: Action) throws(Fault) -> Answer {
        switch action {
        case .describeInstance: return .instance(instance, .notStarted)
        case .describeVersion: return .version
        case .describeMachine: return .machine(resources.machine)
        case .describeAll: return .value(resources.json)
        case .describeBalloon:
            guard let balloon = resources.balloon else { throw Fault("Balloon config error: No balloon device found.") }
            return .value(balloon.json)
        case .setBootSource(let source): try change { (resources) throws(Fault) in try resources.set(source) }
        case .changeMachine(let update): try change { (resources) throws(Fault) in try resources.apply(update) }
        case .setDrive(let drive): try change { (resources) throws(Fault) in try resources.set(drive) }
        case .setNetwork(let network): try change { (resources) throws(Fault) in try resources.set(network) }
        case .setPmem(let pmem): try change { (resources) throws(Fault) in try resources.set(pmem) }
        case .setVsock(let vsock): try change { (resources) throws(Fault) in try resources.set(vsock) }
        case .setBalloon(let balloon): try change { (resources) throws(Fault) in try resources.set(balloon) }
        case .setEntropy(let entropy): try change { (resources) throws(Fault) in resources.entropy = entropy }
        case .setMemoryHotplug(let hotplug): try change { (resources) throws(Fault) in try resources.set(hotplug) }
        case .configureMetadata(let settings):
            try change { (resources) throws(Fault) in try resources.set(settings) }
            metadata.configure(needsToken: settings.version == .v2, isPlain: settings.isPlain)
        case .describeMetadata, .setMetadata, .changeMetadata: return try metadata.perform(action) ?? .done
        case .setSerial(let serial): resources.serial = serial
        case .setLogger(let settings):
            do throws(SystemError) { try logger.apply(settings) } catch {
                throw Fault("Logger error: Failed to open target file: \(osError(error.errno))")
            }
        case .setMetrics(let settings): try open(settings)
        case .setProcessors(let settings): resources.set(settings)
        case .start, .loadSnapshot: preconditionFailure("a start is for the controller")
        case .flushMetrics, .pressControlAltDelete, .pause, .resume, .createSnapshot, .changeDrive, .changeNetwork,
            .changePmem, .changeBalloon, .changeStatistics, .describeStatistics, .startHinting, .stopHinting,
            .describeHinting, .describeMemoryHotplug, .changeMemoryHotplug, .unplug:
            throw .preBoot
        }
        return .done
    }

    private func change(_ body: (inout Resources) throws(Fault) -> Void) throws(Fault) {
        hasBootResources = true
        try body(&resources)
    }

    private func open(_ settings: MetricsSettings) throws(Fault) {
        let refusal = "Metrics error: Cannot initialize the metrics system due to bad user input: "
        if metrics.isOpen { throw Fault("\(refusal)Reinitialization of metrics not allowed.") }
        do throws(SystemError) { try metrics.open(settings, instance: instance) } catch {
            throw Fault("\(refusal)\(osError(error.errno))")
        }
    }
}
