import Linux

/// One write to an interface file: the steps that limits consist of, in order, for ``Cgroup/apply(_:)`` to do and for
/// whoever wants to see them first.
public struct Setting: Hashable, Sendable {
    /// What to do on a kernel that has not got the file.
    public enum Absence: Hashable, Sendable {
        case fail
        /// The value holds by itself there.
        case skip
        /// Another file does the same; when both are there, both are written.
        case writeInstead(_ file: String, _ value: String)
    }

    public var file: String
    public var value: String
    public var ifAbsent: Absence

    public init(file: String, value: String, ifAbsent: Absence = .fail) {
        self.file = file
        self.value = value
        self.ifAbsent = ifAbsent
    }
}

extension Setting: CustomStringConvertible {
    /// `memory.max = 67108864`.
    public var description: String {
        var end = value[...]
        while end.last == "\n" { end = end.dropLast() }
        return "\(file) = \(end)"
    }
}

extension [Setting] {
    mutating func append<Value>(
        _ file: InterfaceFile<Value>, _ value: Value, ifAbsent: Setting.Absence = .fail
    ) {
        append(Setting(file: file.name, value: value.interfaceText, ifAbsent: ifAbsent))
    }
}

extension Cgroup {
    func apply(_ setting: Setting) throws(CgroupError) {
        let errno = tryWrite(setting.value, to: setting.file)
        switch setting.ifAbsent {
        case .writeInstead(let file, let value):
            guard let other = tryWrite(value, to: file) else {
                // The first may be refused where the second does the work, as for a device that only one serves.
                return
            }
            guard let errno else { return }
            if errno == .noSuchFileOrDirectory, other != .noSuchFileOrDirectory {
                throw explained(.write(value), file, other)
            }
            throw explained(.write(setting.value), setting.file, errno)
        case .skip where errno == .noSuchFileOrDirectory: return
        default:
            if let errno { throw explained(.write(setting.value), setting.file, errno) }
        }
    }
}
