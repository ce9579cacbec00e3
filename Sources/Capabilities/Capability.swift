/// One of the privileges that root's power is divided into; `capabilities(7)`.
///
/// A number newer than this library survives a round trip and prints as `CAP_63`.
public struct Capability: RawRepresentable, Hashable, Sendable {
    /// The kernel's number, 0 to 63: a capability is a bit in a 64-bit mask.
    public let rawValue: UInt8

    /// A capability by its number.
    ///
    /// - Precondition: `rawValue` is below 64.
    public init(rawValue: UInt8) {
        precondition(rawValue < 64, "a capability is a bit of a 64-bit mask")
        self.rawValue = rawValue
    }

    /// A capability by its name, with or without `CAP_`, in any letter case; also `CAP_63` and `63`, which stand for
    /// numbers that have no name here.
    ///
    /// - Throws: ``CapabilityError/unknownName(_:suggestion:)``.
    public init(_ name: String) throws(CapabilityError) {
        let bytes = name.utf8.map { 0x41...0x5A ~= $0 ? $0 | 0x20 : $0 }
        let short = bytes.starts(with: "cap_".utf8) ? bytes.dropFirst(4) : bytes[...]
        let known = Self.shortNames.firstIndex { $0.utf8.count == short.count && $0.utf8.elementsEqual(short) }
        if let known {
            rawValue = UInt8(known)
        } else if let number = Self.number(short), number < 64 {
            rawValue = number
        } else {
            let short = String(decoding: short, as: UTF8.self)
            throw .unknownName(name, suggestion: Self.nearest(to: short))
        }
    }

    /// The name without its prefix and in lower case: `net_admin`; the number where there is no name.
    public var shortName: String {
        rawValue < Self.shortNames.count ? Self.shortNames[Int(rawValue)] : String(rawValue)
    }

    /// Every capability that has a name here, in the kernel's order.
    public static let allKnown: [Capability] = shortNames.indices.map { Capability(rawValue: UInt8($0)) }

    static let shortNames = [
        "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
        "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
        "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
        "sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
        "mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
        "checkpoint_restore",
    ]

    // As the kernel's number prints: no sign, no zero before it.
    private static func number(_ digits: ArraySlice<UInt8>) -> UInt8? {
        guard let number = UInt8(String(decoding: digits, as: UTF8.self)), String(number).utf8.elementsEqual(digits)
        else { return nil }
        return number
    }

    private static func nearest(to name: String) -> String? {
        let ranked = shortNames.map { (name: $0, distance: editDistance($0, name)) }
        // Further than a third of the word is a guess, not a correction.
        guard let best = ranked.min(by: { $0.distance < $1.distance }), best.distance * 3 <= best.name.count else {
            return nil
        }
        return "CAP_\(best.name.uppercased())"
    }
}

extension Capability: CustomStringConvertible {
    /// The kernel's name: `CAP_NET_ADMIN`.
    public var description: String { "CAP_\(shortName.uppercased())" }
}

extension Capability: Comparable {
    /// Orders by number.
    public static func < (left: Capability, right: Capability) -> Bool { left.rawValue < right.rawValue }
}

extension Capability {
    public static let chown = Capability(rawValue: 0)
    public static let dacOverride = Capability(rawValue: 1)
    public static let dacReadSearch = Capability(rawValue: 2)
    public static let fileOwner = Capability(rawValue: 3)
    public static let fileSetID = Capability(rawValue: 4)
    public static let kill = Capability(rawValue: 5)
    public static let setGID = Capability(rawValue: 6)
    public static let setUID = Capability(rawValue: 7)
    public static let setProcessCapabilities = Capability(rawValue: 8)
    public static let linuxImmutable = Capability(rawValue: 9)
    public static let netBindService = Capability(rawValue: 10)
    public static let netBroadcast = Capability(rawValue: 11)
    public static let netAdmin = Capability(rawValue: 12)
    public static let netRaw = Capability(rawValue: 13)
    public static let ipcLock = Capability(rawValue: 14)
    public static let ipcOwner = Capability(rawValue: 15)
    public static let sysModule = Capability(rawValue: 16)
    public static let sysRawIO = Capability(rawValue: 17)
    public static let sysChroot = Capability(rawValue: 18)
    public static let sysPtrace = Capability(rawValue: 19)
    public static let sysProcessAccounting = Capability(rawValue: 20)
    public static let sysAdmin = Capability(rawValue: 21)
    public static let sysBoot = Capability(rawValue: 22)
    public static let sysNice = Capability(rawValue: 23)
    public static let sysResource = Capability(rawValue: 24)
    public static let sysTime = Capability(rawValue: 25)
    public static let sysTTYConfig = Capability(rawValue: 26)
    public static let makeNode = Capability(rawValue: 27)
    public static let lease = Capability(rawValue: 28)
    public static let auditWrite = Capability(rawValue: 29)
    public static let auditControl = Capability(rawValue: 30)
    public static let setFileCapabilities = Capability(rawValue: 31)
    public static let macOverride = Capability(rawValue: 32)
    public static let macAdmin = Capability(rawValue: 33)
    public static let syslog = Capability(rawValue: 34)
    public static let wakeAlarm = Capability(rawValue: 35)
    public static let blockSuspend = Capability(rawValue: 36)
    public static let auditRead = Capability(rawValue: 37)
    public static let performanceMonitoring = Capability(rawValue: 38)
    public static let bpf = Capability(rawValue: 39)
    public static let checkpointRestore = Capability(rawValue: 40)
}

/// How many letters must change, appear or go to turn one word into the other.
private func editDistance(_ left: String, _ right: String) -> Int {
    let right = Array(right.utf8)
    // A hostile name may be megabytes long; no capability is.
    guard right.count < 64 else { return right.count }
    var row = Array(0...right.count)
    for (index, letter) in left.utf8.enumerated() {
        var diagonal = row[0]
        row[0] = index + 1
        for column in right.indices {
            let substituted = diagonal + (letter == right[column] ? 0 : 1)
            diagonal = row[column + 1]
            row[column + 1] = min(substituted, row[column] + 1, diagonal + 1)
        }
    }
    return row[right.count]
}
