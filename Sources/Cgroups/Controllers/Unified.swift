import Linux

/// An interface file by name with the text to write: for what this library has no name for.
public struct RawSetting: Hashable, Sendable {
    /// Such as `memory.high`.
    public let file: String
    /// A newline separates writes: files with a line for each device take one at a time.
    public let value: String

    /// Checks the name.
    ///
    /// - Throws: ``CgroupError/Cause-swift.enum/invalid(_:)`` for a name that leads out of the cgroup, that is not
    ///   CONTROLLER.NAME, or that acts on processes instead of setting something, as `cgroup.kill`.
    public init(file: String, value: String) throws(CgroupError) {
        if let why = Self.objection(to: file) {
            throw CgroupError(.write(value), path: "", file: file, cause: .invalid(why))
        }
        self.file = file
        self.value = value
    }

    private static func objection(to file: String) -> String? {
        guard file.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x2f && $0 != 0x7f }) else {
            return "an interface file's name has no slash, space or control character"
        }
        guard let dot = file.firstIndex(of: "."), dot != file.startIndex, file.index(after: dot) != file.endIndex,
            file.utf8.count <= 255
        else { return "an interface file's name is CONTROLLER.NAME" }
        switch file {
        case "cgroup.procs", "cgroup.threads": return "it moves processes; add them instead"
        case "cgroup.kill": return "it kills; it is no setting"
        default: return nil
        }
    }

    func appendSettings(to settings: inout [Setting]) {
        let lines = value.split(separator: "\n")
        if lines.isEmpty { return settings.append(Setting(file: file, value: value.isEmpty ? "\n" : value)) }
        for line in lines { settings.append(Setting(file: file, value: String(line))) }
    }
}
