import Cgroups
import Glibc
import Launch
import OCI

extension Configuration.Process.ResourceLimit.Resource {
    /// `RLIMIT_*`.
    var number: CInt {
        switch self {
        case .cpu: 0
        case .fileSize: 1
        case .data: 2
        case .stack: 3
        case .core: 4
        case .residentSet: 5
        case .processes: 6
        case .openFiles: 7
        case .lockedMemory: 8
        case .addressSpace: 9
        case .locks: 10
        case .pendingSignals: 11
        case .messageQueue: 12
        case .nice: 13
        case .realtimePriority: 14
        case .realtimeTime: 15
        }
    }
}

extension Configuration.Process.Scheduler {
    var attributes: Launch.Operation.SchedulerAttributes {
        let number: UInt32 =
            switch policy {
            case .other: 0
            case .fifo: 1
            case .roundRobin: 2
            case .batch: 3
            case .iso: 4
            case .idle: 5
            case .deadline: 6
            }
        var bits: UInt64 = 0
        for flag in flags {
            switch flag {
            case .resetOnFork: bits |= 0x01
            case .reclaim: bits |= 0x02
            case .deadlineOverrun: bits |= 0x04
            case .keepPolicy: bits |= 0x08
            case .keepParameters: bits |= 0x10
            case .utilizationMinimum: bits |= 0x20
            case .utilizationMaximum: bits |= 0x40
            }
        }
        return .init(
            policy: number, flags: bits, nice: nice, priority: UInt32(bitPattern: priority), runtime: runtime,
            deadline: deadline, period: period)
    }
}

extension Configuration.Process.IOPriority {
    /// `IOPRIO_PRIO_VALUE(class, level)`.
    var value: UInt16 {
        let number: UInt16 =
            switch self.class {
            case .realtime: 1
            case .bestEffort: 2
            case .idle: 3
            }
        return number << 13 | UInt16(truncatingIfNeeded: priority) & 0x1fff
    }
}

extension Configuration.MemoryPolicy {
    func operation() throws(ContainerError) -> Launch.Operation {
        var number: UInt32 =
            switch mode {
            case .default: 0
            case .preferred: 1
            case .bind: 2
            case .interleave: 3
            case .local: 4
            case .preferredMany: 5
            case .weightedInterleave: 6
            }
        for flag in flags {
            switch flag {
            case .staticNodes: number |= 1 << 15
            case .relativeNodes: number |= 1 << 14
            case .numaBalancing: number |= 1 << 13
            }
        }
        return .memoryPolicy(mode: number, nodes: try indices(nodes ?? "", at: "linux.memoryPolicy.nodes"))
    }
}

/// A list such as `0-3,7` as numbers.
func indices(_ text: String, at field: String) throws(ContainerError) -> [Int] {
    guard let list = IndexList(text) else {
        throw ContainerError(.badDocument, "config.json: \(field): \"\(text)\" is not a list such as 0-3,7")
    }
    return list.ranges.flatMap { Array($0) }
}
