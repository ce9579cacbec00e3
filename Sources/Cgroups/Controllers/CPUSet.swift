import Linux

/// A list of CPUs or memory nodes, `0-3,7`.
public struct IndexList: Hashable, Sendable {
    /// In rising order, without overlap.
    public let ranges: [ClosedRange<Int>]

    public init(_ indices: some Sequence<Int>) { self.init(ranges: indices.map { $0...$0 }) }

    public init(ranges: [ClosedRange<Int>]) {
        var merged: [ClosedRange<Int>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound - 1 <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound...Swift.max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
    }

    /// How many there are.
    public var count: Int { ranges.reduce(0) { $0 + $1.count } }

    public func contains(_ index: Int) -> Bool { ranges.contains { $0.contains(index) } }
}

extension IndexList: ExpressibleByArrayLiteral {
    public init(arrayLiteral indices: Int...) { self.init(indices) }
}

extension IndexList: LosslessStringConvertible, InterfaceValue {
    /// Reads the kernel's list format, `cpuset(7)`, with its `first-last:used/group` too. Empty is empty.
    public init?(_ text: String) {
        // More than any machine has, and few enough to hold one range for each.
        let highest = 1 << 20
        var ranges: [ClosedRange<Int>] = []
        for item in text.split(whereSeparator: { $0 == "," || $0 == "\n" || $0 == " " }) {
            let parts = item.split(separator: ":", omittingEmptySubsequences: false)
            let ends = parts[0].split(separator: "-", omittingEmptySubsequences: false)
            guard (1...2).contains(ends.count), let first = Int(ends[0]), let last = Int(ends[ends.count - 1]),
                first >= 0, last >= first, last <= highest
            else { return nil }
            switch parts.count {
            case 1: ranges.append(first...last)
            case 2:
                let group = parts[1].split(separator: "/", omittingEmptySubsequences: false)
                guard group.count == 2, let used = Int(group[0]), let size = Int(group[1]), used > 0, used <= size,
                    size <= highest
                else { return nil }
                // Each item can stand for as many ranges as there are indices: a long list of them must not fill memory.
                guard ranges.count + (last - first) / size <= highest else { return nil }
                for start in stride(from: first, through: last, by: size) {
                    ranges.append(start...Swift.min(start + used - 1, last))
                }
            default: return nil
            }
        }
        self.init(ranges: ranges)
    }

    public init?(interfaceText: String) { self.init(interfaceText) }

    public var description: String {
        ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
    }

    /// An empty list needs a newline: the kernel takes a write of nothing for no write.
    public var interfaceText: String { ranges.isEmpty ? "\n" : description }
}

/// Whether a cpuset's CPUs are its own; `cpuset.cpus.partition`.
public enum CPUSetPartition: Hashable, Sendable {
    /// It shares its parent's.
    case member
    /// They are taken from the parent, with load balancing.
    case root
    /// They are taken from the parent, without load balancing.
    case isolated
    /// Another word: a partition that is not valid now, with the kernel's reason.
    case other(String)
}

extension CPUSetPartition: InterfaceValue {
    public init?(interfaceText: String) {
        self =
            switch interfaceText {
            case "member": .member
            case "root": .root
            case "isolated": .isolated
            default: .other(interfaceText)
            }
    }

    public var interfaceText: String {
        switch self {
        case .member: "member"
        case .root: "root"
        case .isolated: "isolated"
        case .other(let text): text
        }
    }
}

extension InterfaceFile where Value == IndexList {
    /// The CPUs asked for; empty for the parent's; `cpuset.cpus`.
    public static var cpus: Self { Self("cpuset.cpus") }
    /// The memory nodes asked for; empty for the parent's; `cpuset.mems`.
    public static var memoryNodes: Self { Self("cpuset.mems") }
    /// The CPUs that it really has; `cpuset.cpus.effective`.
    public static var effectiveCPUs: Self { Self("cpuset.cpus.effective") }
    /// The memory nodes that it really has; `cpuset.mems.effective`.
    public static var effectiveMemoryNodes: Self { Self("cpuset.mems.effective") }
    /// The CPUs that no sibling may have; `cpuset.cpus.exclusive`, since Linux 6.7.
    public static var exclusiveCPUs: Self { Self("cpuset.cpus.exclusive") }
}

extension InterfaceFile where Value == CPUSetPartition {
    /// `cpuset.cpus.partition`.
    public static var cpuPartition: Self { Self("cpuset.cpus.partition") }
}

/// What the `cpuset` controller can be told; nil leaves a thing as it is.
public struct CPUSetLimits: Hashable, Sendable {
    /// CPUs; empty for the parent's.
    public var cpus: IndexList?
    /// Memory nodes; empty for the parent's. Set before processes are in: their memory is moved otherwise.
    public var memoryNodes: IndexList?
    public var exclusiveCPUs: IndexList?
    public var partition: CPUSetPartition?

    public init(
        cpus: IndexList? = nil, memoryNodes: IndexList? = nil, exclusiveCPUs: IndexList? = nil,
        partition: CPUSetPartition? = nil
    ) {
        self.cpus = cpus
        self.memoryNodes = memoryNodes
        self.exclusiveCPUs = exclusiveCPUs
        self.partition = partition
    }

    func appendSettings(to settings: inout [Setting]) {
        if let cpus { settings.append(.cpus, cpus) }
        if let memoryNodes { settings.append(.memoryNodes, memoryNodes) }
        if let exclusiveCPUs { settings.append(.exclusiveCPUs, exclusiveCPUs) }
        // A partition is valid only with the CPUs it takes.
        if let partition { settings.append(.cpuPartition, partition) }
    }
}
