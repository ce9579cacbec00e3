/// What the metrics and the log call an action whose time is kept: as the client sees it, and in them as the machine does.
struct ActionTiming: Hashable {
    let metric: String
    let words: String
}

extension Action {
    /// nil for one whose time is not kept.
    var timing: ActionTiming? {
        switch self {
        case .pause: ActionTiming(metric: "pause_vm", words: "pause vm")
        case .resume: ActionTiming(metric: "resume_vm", words: "resume vm")
        case .createSnapshot(let creation):
            switch creation.kind {
            case .full: ActionTiming(metric: "full_create_snapshot", words: "create full snapshot")
            case .diff: ActionTiming(metric: "diff_create_snapshot", words: "create diff snapshot")
            }
        case .loadSnapshot: ActionTiming(metric: "load_snapshot", words: "load snapshot")
        default: nil
        }
    }
}
