import OCI

/// What became of a request that was not refused.
enum Answer: Equatable {
    /// It was done; there is nothing to say.
    case done
    // What clients ask for again and again: whether it is what it was is seen without its text.
    case version
    case instance(InstanceInfo, InstanceInfo.State)
    case machine(MachineSettings)
    case value(JSON)

    /// What is told to the client; nil where there is nothing to say.
    var json: JSON? {
        switch self {
        case .done: nil
        case .version: InstanceInfo.versionJSON
        case .instance(let instance, let state): instance.json(state)
        case .machine(let settings): settings.json
        case .value(let json): json
        }
    }
}
