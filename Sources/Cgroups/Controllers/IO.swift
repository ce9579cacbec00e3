import Linux

/// A device by its numbers, as the kernel writes it: `8:16`.
public struct DeviceNumber: Hashable, Sendable, LosslessStringConvertible {
    public var major: UInt32
    public var minor: UInt32

    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// Takes `st_rdev` apart; `makedev(3)`.
    public init(_ device: UInt64) {
        major = UInt32(truncatingIfNeeded: (device >> 8) & 0xfff | (device >> 32) & ~0xfff)
        minor = UInt32(truncatingIfNeeded: device & 0xff | (device >> 12) & ~0xff)
    }

    public init?(_ description: String) { self.init(description[...]) }

    init?(_ text: Substring) {
        guard let colon = text.firstIndex(of: ":"), let major = UInt32(text[..<colon]),
            let minor = UInt32(text[text.index(after: colon)...])
        else { return nil }
        self.init(major: major, minor: minor)
    }

    public var description: String { "\(major):\(minor)" }
}

/// How much a device may be used in each second; a line of `io.max`. nil leaves a thing as it is.
public struct IOThrottle: Hashable, Sendable {
    public var device: DeviceNumber
    /// Bytes read a second.
    public var readBytes: Limit?
    /// Bytes written a second.
    public var writeBytes: Limit?
    /// Reads a second.
    public var readOperations: Limit?
    /// Writes a second.
    public var writeOperations: Limit?

    public init(
        device: DeviceNumber, readBytes: Limit? = nil, writeBytes: Limit? = nil, readOperations: Limit? = nil,
        writeOperations: Limit? = nil
    ) {
        self.device = device
        self.readBytes = readBytes
        self.writeBytes = writeBytes
        self.readOperations = readOperations
        self.writeOperations = writeOperations
    }

    init?(_ line: NestedLine) {
        guard let device = DeviceNumber(line.key) else { return nil }
        self.init(
            device: device, readBytes: line.limit("rbps"), writeBytes: line.limit("wbps"),
            readOperations: line.limit("riops"), writeOperations: line.limit("wiops"))
    }

    /// The line for `io.max`; nil when it says nothing.
    var interfaceText: String? {
        var text = "\(device)"
        if let readBytes { text += " rbps=\(readBytes)" }
        if let writeBytes { text += " wbps=\(writeBytes)" }
        if let readOperations { text += " riops=\(readOperations)" }
        if let writeOperations { text += " wiops=\(writeOperations)" }
        return text.utf8.contains(0x20) ? text : nil
    }
}

/// A cgroup's share of a device among its siblings.
public struct IOWeight: Hashable, Sendable {
    public var device: DeviceNumber
    /// 1 to 10,000; nil goes back to the cgroup's default.
    public var weight: UInt64?

    public init(device: DeviceNumber, weight: UInt64?) {
        self.device = device
        self.weight = weight
    }
}

/// The latency that a device should not pass for this cgroup; `io.latency`.
public struct IOLatencyTarget: Hashable, Sendable {
    public var device: DeviceNumber
    /// Microseconds; 0 takes the target away.
    public var microseconds: UInt64

    public init(device: DeviceNumber, microseconds: UInt64) {
        self.device = device
        self.microseconds = microseconds
    }
}

/// What the `io` controller can be told; nil and what is not listed stay as they are.
public struct IOLimits: Hashable, Sendable {
    /// The share among siblings on every device, 1 to 10,000. See ``weight(fromBlockWeight:)`` for version 1's.
    ///
    /// Written to `io.weight` and to `io.bfq.weight`, whichever the kernel has, the latter in its own scale.
    public var weight: UInt64?
    /// Shares of single devices.
    public var deviceWeights: [IOWeight]
    public var throttles: [IOThrottle]
    public var latencyTargets: [IOLatencyTarget]

    public init(
        weight: UInt64? = nil, deviceWeights: [IOWeight] = [], throttles: [IOThrottle] = [],
        latencyTargets: [IOLatencyTarget] = []
    ) {
        self.weight = weight
        self.deviceWeights = deviceWeights
        self.throttles = throttles
        self.latencyTargets = latencyTargets
    }

    func appendSettings(to settings: inout [Setting]) {
        if let weight {
            settings.append(
                Setting(
                    file: "io.weight", value: "default \(weight)\n",
                    ifAbsent: .writeInstead("io.bfq.weight", "default \(Self.bfqWeight(fromIOWeight: weight))\n")))
        }
        for entry in deviceWeights {
            let value = entry.weight.map { String($0) } ?? "default"
            let bfq = entry.weight.map { String(Self.bfqWeight(fromIOWeight: $0)) } ?? "default"
            settings.append(
                Setting(
                    file: "io.weight", value: "\(entry.device) \(value)\n",
                    ifAbsent: .writeInstead("io.bfq.weight", "\(entry.device) \(bfq)\n")))
        }
        // One device a write: that is all the kernel takes.
        for throttle in throttles {
            if let text = throttle.interfaceText { settings.append(Setting(file: "io.max", value: text + "\n")) }
        }
        for target in latencyTargets {
            settings.append(Setting(file: "io.latency", value: "\(target.device) target=\(target.microseconds)\n"))
        }
    }
}

/// What was read from and written to a device; a line of `io.stat`.
public struct IOStatistics: Hashable, Sendable {
    public var device: DeviceNumber
    /// Bytes.
    public var readBytes: UInt64
    public var writtenBytes: UInt64
    public var discardedBytes: UInt64
    public var reads: UInt64
    public var writes: UInt64
    public var discards: UInt64

    init?(_ line: NestedLine) {
        guard let device = DeviceNumber(line.key) else { return nil }
        self.device = device
        readBytes = line.number("rbytes") ?? 0
        writtenBytes = line.number("wbytes") ?? 0
        discardedBytes = line.number("dbytes") ?? 0
        reads = line.number("rios") ?? 0
        writes = line.number("wios") ?? 0
        discards = line.number("dios") ?? 0
    }
}

extension Cgroup {
    /// `io.stat`, a value for each device that was used.
    public func ioStatistics() throws(CgroupError) -> [IOStatistics] {
        try nestedLines("io.stat").compactMap { IOStatistics($0) }
    }

    /// `io.max`, a value for each device that has a limit.
    public func ioThrottles() throws(CgroupError) -> [IOThrottle] {
        try nestedLines("io.max").compactMap { IOThrottle($0) }
    }

    /// The share among siblings on devices that have none of their own; `io.weight`.
    public func ioDefaultWeight() throws(CgroupError) -> UInt64 {
        let text = try read("io.weight")
        for line in text.split(separator: "\n") where line.hasPrefix("default ") {
            if let weight = UInt64(line.dropFirst(8)) { return weight }
        }
        throw CgroupError(.read, path: path, file: "io.weight", cause: .malformed(text))
    }
}
