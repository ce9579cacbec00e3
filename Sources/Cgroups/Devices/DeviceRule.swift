/// What may be done with a device; `mknod(2)` counts too.
public struct DeviceAccess: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Making a device node; `BPF_DEVCG_ACC_MKNOD`.
    public static let makeNode = DeviceAccess(rawValue: 1)
    /// Opening for reading; `BPF_DEVCG_ACC_READ`.
    public static let read = DeviceAccess(rawValue: 2)
    /// Opening for writing; `BPF_DEVCG_ACC_WRITE`.
    public static let write = DeviceAccess(rawValue: 4)
    public static let all: DeviceAccess = [.makeNode, .read, .write]
}

extension DeviceAccess: LosslessStringConvertible {
    /// Reads some of the letters `r`, `w` and `m`.
    public init?(_ text: String) {
        self = []
        for letter in text {
            switch letter {
            case "r": insert(.read)
            case "w": insert(.write)
            case "m": insert(.makeNode)
            default: return nil
            }
        }
    }

    public var description: String {
        (contains(.read) ? "r" : "") + (contains(.write) ? "w" : "") + (contains(.makeNode) ? "m" : "")
    }
}

/// A line of a list of device rules, as version 1's `devices.allow` and `devices.deny` took them.
public struct DeviceRule: Hashable, Sendable {
    /// Which of the two kinds of device nodes.
    public enum Kind: Hashable, Sendable {
        case block
        case character
    }

    /// Whether it allows or denies.
    public var allows: Bool
    /// nil for both kinds.
    public var kind: Kind?
    /// nil for every one.
    public var major: UInt32?
    /// nil for every one.
    public var minor: UInt32?
    public var access: DeviceAccess

    public init(
        allows: Bool, kind: Kind? = nil, major: UInt32? = nil, minor: UInt32? = nil, access: DeviceAccess = .all
    ) {
        self.allows = allows
        self.kind = kind
        self.major = major
        self.minor = minor
        self.access = access
    }

    public static func allow(
        _ kind: Kind? = nil, _ major: UInt32? = nil, _ minor: UInt32? = nil, _ access: DeviceAccess = .all
    ) -> DeviceRule { DeviceRule(allows: true, kind: kind, major: major, minor: minor, access: access) }

    public static func deny(
        _ kind: Kind? = nil, _ major: UInt32? = nil, _ minor: UInt32? = nil, _ access: DeviceAccess = .all
    ) -> DeviceRule { DeviceRule(allows: false, kind: kind, major: major, minor: minor, access: access) }

    func matches(_ kind: Kind, _ major: UInt32, _ minor: UInt32) -> Bool {
        (self.kind == nil || self.kind == kind) && (self.major == nil || self.major == major)
            && (self.minor == nil || self.minor == minor)
    }
}

extension DeviceRule: CustomStringConvertible {
    /// Version 1's notation with the verdict before it: `allow c 1:3 rwm`.
    public var description: String {
        let letter =
            switch kind {
            case .block?: "b"
            case .character?: "c"
            case nil: "a"
            }
        let numbers = "\(major.map { String($0) } ?? "*"):\(minor.map { String($0) } ?? "*")"
        return "\(allows ? "allow" : "deny") \(letter) \(numbers) \(access)"
    }
}

extension DeviceRule {
    /// What a list of rules says of an access: for each kind of access that is asked for, the last rule decides that
    /// speaks of it and of the device; every one must be allowed.
    ///
    /// Asking for nothing is allowed.
    ///
    /// - Parameters:
    ///   - rules: in order; a later one counts for more.
    ///   - access: what is asked for.
    ///   - kind: the device's.
    ///   - major: the device's major number.
    ///   - minor: the device's minor number.
    ///   - otherwise: what holds where no rule speaks.
    public static func allows(
        _ rules: [DeviceRule], _ access: DeviceAccess, to kind: Kind, _ major: UInt32, _ minor: UInt32,
        otherwise: Bool = false
    ) -> Bool {
        for single in [DeviceAccess.makeNode, .read, .write] where access.contains(single) {
            let decisive = rules.last { $0.access.contains(single) && $0.matches(kind, major, minor) }
            if !(decisive?.allows ?? otherwise) { return false }
        }
        return true
    }
}
