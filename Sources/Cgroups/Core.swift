/// The interface files that every cgroup has.
extension InterfaceFile where Value == Limit {
    /// How many levels may be made below; `cgroup.max.depth`.
    public static var maximumDepth: Self { Self("cgroup.max.depth") }
    /// How many cgroups may be made below; `cgroup.max.descendants`.
    public static var maximumDescendants: Self { Self("cgroup.max.descendants") }
}

extension InterfaceFile where Value == Bool {
    /// Whether every process is asked to stand still; `cgroup.freeze`. See ``Cgroup/freeze(timeoutMilliseconds:)``,
    /// which waits until they do.
    public static var freezeRequested: Self { Self("cgroup.freeze") }
    /// Whether pressure is accounted; `cgroup.pressure`.
    public static var accountsPressure: Self { Self("cgroup.pressure") }
}

/// How many cgroups are below one; `cgroup.stat`.
public struct DescendantCounts: Hashable, Sendable {
    /// Those one can see.
    public var alive: UInt64
    /// Removed, but still holding memory.
    public var dying: UInt64
}

extension Cgroup {
    /// How many cgroups are below this one, at any depth; `cgroup.stat`.
    public func descendantCounts() throws(CgroupError) -> DescendantCounts {
        let counters = try counters("cgroup.stat")
        return DescendantCounts(
            alive: counters["nr_descendants"] ?? 0, dying: counters["nr_dying_descendants"] ?? 0)
    }
}
