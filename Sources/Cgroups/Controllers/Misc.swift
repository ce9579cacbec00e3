import Linux

/// A limit on a scalar resource of the host, such as `sev` address space ids; a line of `misc.max`.
public struct MiscLimit: Hashable, Sendable {
    /// The resource's name, as `misc.capacity` of the root has it.
    public var resource: String
    public var max: Limit

    public init(resource: String, max: Limit) {
        self.resource = resource
        self.max = max
    }

    func appendSettings(to settings: inout [Setting]) {
        settings.append(Setting(file: "misc.max", value: "\(resource) \(max)\n"))
    }
}

extension Cgroup {
    /// `misc.current`, by resource.
    public func miscCurrent() throws(CgroupError) -> Counters { try counters("misc.current") }

    /// How often a limit refused, as `sev.max`; `misc.events`.
    public func miscEvents() throws(CgroupError) -> Counters { try counters("misc.events") }

    /// What the host has, by resource; `misc.capacity`, which only the hierarchy's root has.
    public func miscCapacity() throws(CgroupError) -> Counters { try counters("misc.capacity") }

    /// `misc.max`.
    public func miscLimits() throws(CgroupError) -> [MiscLimit] {
        try read("misc.max").split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 2, let max = Limit(words[1]) else { return nil }
            return MiscLimit(resource: String(words[0]), max: max)
        }
    }
}
