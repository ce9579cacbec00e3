import Machines

/// The one controller at a time: of a machine to be, then of one that was started.
final class Controller {
    private enum Phase {
        case preboot(PrebootController)
        case running(RuntimeController)
    }

    private var phase: Phase
    private let start: (Resources) throws(Fault) -> RuntimeController
    private let load: (SnapshotLoading, Resources) throws(Fault) -> RuntimeController

    /// - Parameters:
    ///   - start: makes the machine and lets it run.
    ///   - load: makes the machine that was saved.
    init(
        _ preboot: PrebootController, start: @escaping (Resources) throws(Fault) -> RuntimeController,
        load: @escaping (SnapshotLoading, Resources) throws(Fault) -> RuntimeController
    ) {
        phase = .preboot(preboot)
        self.start = start
        self.load = load
    }

    /// The machine, once it was started.
    var machine: Machine? {
        if case .running(let controller) = phase { controller.machine } else { nil }
    }

    /// What the machine has, once it was started.
    var resources: Resources? {
        if case .running(let controller) = phase { controller.resources } else { nil }
    }

    /// Forgets the devices that have gone.
    func noteRemoved() {
        if case .running(let controller) = phase { controller.noteRemoved() }
    }

    /// Writes the metrics of a machine that was started.
    func flushMetrics() {
        if case .running(let controller) = phase { controller.flushMetrics() }
    }

    func perform(_ action: Action) throws(Fault) -> Answer {
        switch phase {
        case .running(let controller): return try controller.perform(action)
        case .preboot(let controller):
            switch action {
            case .start:
                phase = .running(try start(controller.resources))
                return .done
            case .loadSnapshot(let loading):
                guard !controller.hasBootResources else {
                    throw Fault(
                        "Load snapshot error: Loading a microVM snapshot not allowed after configuring boot-specific "
                            + "resources.")
                }
                phase = .running(try load(loading, controller.resources))
                return .done
            default: return try controller.perform(action)
            }
        }
    }
}
