import Containers
import Glibc
import Linux
import OCI

extension Command {
    static var update: Command {
        Command(
            name: "update", summary: "Change a container's limits.", usage: "ID", options: UpdateOptions.all,
            arguments: 1...1
        ) { arguments, session throws(Failure) in
            let resources: Configuration.Resources
            if let path = arguments[UpdateOptions.resources] {
                resources = try readResources(path)
            } else {
                resources = try UpdateOptions.read(arguments)
                for option in UpdateOptions.ignored where arguments.isGiven(option) {
                    session.log.warning("update: --\(option.name) has no effect: cgroup v2 has no such limit")
                }
            }
            let container = try session.container(arguments.positional[0])
            try attempt(try container.update(resources))
            return 0
        }
    }

    private static func readResources(_ path: String) throws(Failure) -> Configuration.Resources {
        let bytes: [UInt8]
        if path == "-" {
            // Descriptor 0 itself: /dev/stdin may not be there. The copy keeps the original open.
            let input = try attemptCall(try Descriptor.duplicate(of: STDIN_FILENO, from: 3))
            bytes = try attemptCall(try input.readToEnd())
        } else {
            bytes = try attemptCall(try readFile(path))
        }
        do { return try Configuration.Resources(json: bytes) } catch { throw Failure("update: resources: \(error)") }
    }
}

/// The options of update, each a field of the resources document.
enum UpdateOptions {
    static let resources = Option(
        "resources", short: "r", value: "FILE", "a resources document; - reads standard input")
    static let memory = Option("memory", value: "BYTES", "memory, such as 512m; -1 for no limit")
    static let memoryReservation = Option(
        "memory-reservation", value: "BYTES", "memory that is kept for it if possible")
    static let memorySwap = Option("memory-swap", value: "BYTES", "memory and swap together; -1 for no limit")
    static let cpuPeriod = Option("cpu-period", value: "MICROSECONDS", "the period that the quota is for")
    static let cpuQuota = Option("cpu-quota", value: "MICROSECONDS", "processor time in each period; -1 for no limit")
    static let cpuBurst = Option("cpu-burst", value: "MICROSECONDS", "unused time that may be saved up")
    static let cpuShare = Option("cpu-share", value: "SHARES", "weight against other containers; 1024 is the usual")
    static let cpuIdle = Option("cpu-idle", value: "0|1", "1 runs it only when nothing else wants to")
    static let cpusetCPUs = Option("cpuset-cpus", value: "LIST", "processors, such as 0-3,7")
    static let cpusetMems = Option("cpuset-mems", value: "LIST", "memory nodes, such as 0-1")
    static let pidsLimit = Option("pids-limit", value: "N", "processes and threads; -1 for no limit")
    static let blkioWeight = Option("blkio-weight", value: "WEIGHT", "disk weight, 10 to 1000")
    static let l3CacheSchema = Option("l3-cache-schema", value: "SCHEMA", "not supported: needs resctrl")
    static let memBWSchema = Option("mem-bw-schema", value: "SCHEMA", "not supported: needs resctrl")

    /// Of cgroup v1: taken, and without effect.
    static let ignored = [
        Option("cpu-rt-period", value: "MICROSECONDS", "no effect: cgroup v1 only"),
        Option("cpu-rt-runtime", value: "MICROSECONDS", "no effect: cgroup v1 only"),
        Option("kernel-memory", value: "BYTES", "no effect: cgroup v1 only"),
        Option("kernel-memory-tcp", value: "BYTES", "no effect: cgroup v1 only"),
    ]

    static var all: [Option] {
        [
            resources, memory, memoryReservation, memorySwap, cpuPeriod, cpuQuota, cpuBurst, cpuShare, cpuIdle,
            cpusetCPUs, cpusetMems, pidsLimit, blkioWeight, l3CacheSchema, memBWSchema,
        ] + ignored
    }

    static func read(_ arguments: Arguments) throws(Failure) -> Configuration.Resources {
        for option in [l3CacheSchema, memBWSchema] where arguments[option] != nil {
            throw Failure("update: --\(option.name) is not supported: resctrl groups can't be changed")
        }
        var resources = Configuration.Resources()
        resources.memory = try memory(arguments)
        resources.cpu = try cpu(arguments)
        if let limit = try arguments.number(pidsLimit, as: Int64.self) { resources.pids = .init(limit: limit) }
        if let weight = try arguments.number(blkioWeight, as: UInt16.self), weight != 0 {
            guard (10...1000).contains(weight) else {
                throw Failure.usage("option --blkio-weight: expected 10 to 1000, found \(weight)")
            }
            resources.blockIO = .init()
            resources.blockIO?.weight = weight
        }
        return resources
    }

    private static func memory(_ arguments: Arguments) throws(Failure) -> Configuration.Resources.Memory? {
        var limits = Configuration.Resources.Memory()
        limits.limit = try arguments.memorySize(memory)
        limits.reservation = try arguments.memorySize(memoryReservation)
        limits.swap = try arguments.memorySize(memorySwap)
        // Without a limit on memory one on memory and swap together means nothing.
        if limits.limit == -1, limits.swap == nil { limits.swap = -1 }
        return limits == .init() ? nil : limits
    }

    private static func cpu(_ arguments: Arguments) throws(Failure) -> Configuration.Resources.CPU? {
        var limits = Configuration.Resources.CPU()
        limits.period = try arguments.number(cpuPeriod)
        limits.quota = try arguments.number(cpuQuota)
        limits.burst = try arguments.number(cpuBurst)
        limits.shares = try arguments.number(cpuShare)
        limits.idle = try arguments.number(cpuIdle)
        limits.cpus = arguments[cpusetCPUs]
        limits.mems = arguments[cpusetMems]
        return limits == .init() ? nil : limits
    }
}
