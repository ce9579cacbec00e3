import Cgroups
import OCI

extension ResourceLimits {
    /// What a document asks for, in terms of cgroup v2.
    ///
    /// - Throws: for what version 2 has not got.
    init(_ resources: Configuration.Resources) throws(ContainerError) {
        self.init()
        if let memory = resources.memory { try add(memory) }
        if let cpu = resources.cpu { try add(cpu) }
        if let blockIO = resources.blockIO { add(blockIO) }
        if let limit = resources.pids?.limit { pids.max = limit > 0 ? .value(UInt64(limit)) : .max }
        for limit in resources.hugepageLimits {
            guard let size = HugePageSize(limit.pageSize) else {
                throw unsupported("hugepageLimits: \"\(limit.pageSize)\" is not a page size")
            }
            hugePages.append(HugePageLimit(size: size, max: .value(limit.limit)))
        }
        if let network = resources.network, network.classID != nil || !network.priorities.isEmpty {
            throw unsupported("network: there is no such controller in cgroup v2")
        }
        for limit in resources.rdma {
            rdma.append(
                RDMALimit(
                    device: limit.device, handles: limit.hcaHandles.map { .value(UInt64($0)) },
                    objects: limit.hcaObjects.map { .value(UInt64($0)) }))
        }
        for (file, value) in resources.unified.sorted(by: { $0.key < $1.key }) {
            do throws(CgroupError) { raw.append(try RawSetting(file: file, value: value)) } catch {
                throw ContainerError(.badDocument, "linux.resources.unified: \(error)")
            }
        }
        // Without rules there is nothing to apply; docker, containerd and podman always have some.
        if resources.devices.isEmpty { return }
        var rules: [Cgroups.DeviceRule] = []
        for rule in resources.devices { rules.append(try Cgroups.DeviceRule(rule)) }
        devices = rules + Self.standardDevices
    }

    private mutating func add(_ document: Configuration.Resources.Memory) throws(ContainerError) {
        memory.max = document.limit.flatMap(limit)
        memory.low = document.reservation.flatMap(limit)
        memory.refusesBelowUsage = document.checkBeforeUpdate ?? false
        // The document counts memory and swap together, the kernel swap alone.
        if let both = document.swap.flatMap(limit) {
            guard let swap = MemoryLimits.swapMax(fromMemoryAndSwap: both, memory: memory.max ?? .max) else {
                throw unsupported("memory.swap: less than memory.limit")
            }
            memory.swapMax = swap
        }
        if document.disableOOMKiller == true { throw unsupported("memory.disableOOMKiller: cgroup v2 cannot do this") }
        if (document.kernelTCP ?? 0) > 0 { throw unsupported("memory.kernelTCP: cgroup v2 has no such limit") }
    }

    private mutating func add(_ document: Configuration.Resources.CPU) throws(ContainerError) {
        if let shares = document.shares, shares > 0 { cpu.weight = CPULimits.weight(fromShares: shares) }
        if let quota = document.quota, quota != 0 { cpu.quota = quota > 0 ? .value(UInt64(quota)) : .max }
        if let period = document.period, period > 0 { cpu.period = period }
        cpu.burst = document.burst
        if let idle = document.idle { cpu.idle = idle != 0 }
        if let text = document.cpus, !text.isEmpty { cpuset.cpus = try list(text, "cpu.cpus") }
        if let text = document.mems, !text.isEmpty { cpuset.memoryNodes = try list(text, "cpu.mems") }
        if (document.realtimeRuntime ?? 0) != 0 || (document.realtimePeriod ?? 0) != 0 {
            throw unsupported("cpu.realtimeRuntime: cgroup v2 has no real-time bandwidth")
        }
    }

    private func list(_ text: String, _ field: String) throws(ContainerError) -> IndexList {
        guard let list = IndexList(text) else { throw unsupported("\(field): \"\(text)\" is not a list such as 0-3,7") }
        return list
    }

    private mutating func add(_ document: Configuration.Resources.BlockIO) {
        if let weight = document.weight, weight > 0 { io.weight = IOLimits.weight(fromBlockWeight: UInt64(weight)) }
        for device in document.weightDevice {
            guard let weight = device.weight else { continue }
            io.deviceWeights.append(
                IOWeight(
                    device: number(device.major, device.minor),
                    weight: IOLimits.weight(fromBlockWeight: UInt64(weight))))
        }
        for device in document.throttleReadBpsDevice { throttle(device) { $0.readBytes = $1 } }
        for device in document.throttleWriteBpsDevice { throttle(device) { $0.writeBytes = $1 } }
        for device in document.throttleReadIOPSDevice { throttle(device) { $0.readOperations = $1 } }
        for device in document.throttleWriteIOPSDevice { throttle(device) { $0.writeOperations = $1 } }
    }

    private mutating func throttle(
        _ device: Configuration.Resources.BlockIO.ThrottleDevice, _ change: (inout IOThrottle, Limit) -> Void
    ) {
        var entry = IOThrottle(device: number(device.major, device.minor))
        change(&entry, device.rate == 0 ? .max : .value(device.rate))
        io.throttles.append(entry)
    }

    private func number(_ major: Int64, _ minor: Int64) -> DeviceNumber {
        DeviceNumber(major: UInt32(truncatingIfNeeded: major), minor: UInt32(truncatingIfNeeded: minor))
    }

    /// What every container may use, whatever its document denies: the devices that it is given, pseudoterminals, and
    /// making nodes, which alone opens nothing.
    static let standardDevices: [Cgroups.DeviceRule] = [
        .allow(.character, nil, nil, .makeNode), .allow(.block, nil, nil, .makeNode), .allow(.character, 1, 3),
        .allow(.character, 1, 5), .allow(.character, 1, 7), .allow(.character, 1, 8), .allow(.character, 1, 9),
        .allow(.character, 5, 0), .allow(.character, 5, 1), .allow(.character, 5, 2), .allow(.character, 136, nil),
    ]
}

/// -1 is no limit, 0 is nothing said.
private func limit(_ number: Int64) -> Limit? {
    switch number {
    case 0: nil
    case ..<0: .max
    default: .value(UInt64(number))
    }
}

private func unsupported(_ text: String) -> ContainerError {
    ContainerError(.badDocument, "linux.resources.\(text)")
}

extension Cgroups.DeviceRule {
    fileprivate init(_ rule: Configuration.Resources.DeviceRule) throws(ContainerError) {
        func number(_ value: Int64?) -> UInt32? { value.flatMap { $0 < 0 ? nil : UInt32(truncatingIfNeeded: $0) } }
        let kind: Kind? =
            switch rule.type {
            case .all: nil
            case .character: .character
            case .block: .block
            }
        let letters = rule.access.flatMap { $0.isEmpty ? nil : $0 } ?? "rwm"
        guard let access = DeviceAccess(letters) else {
            throw unsupported("devices: \"\(letters)\" is not made of r, w and m")
        }
        // Of type `a` numbers do not count.
        self.init(
            allows: rule.allow, kind: kind, major: kind == nil ? nil : number(rule.major),
            minor: kind == nil ? nil : number(rule.minor), access: access)
    }
}
