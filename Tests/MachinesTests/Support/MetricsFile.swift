import Linux
import OCI

/// The lines that a monitor wrote its metrics to.
struct MetricsFile {
    let path: String

    func lines() throws -> [JSON] {
        try readText(path).split(separator: "\n").map { try JSON(parsing: String($0)) }
    }

    /// What was counted in all, as each line has the difference to the one before; nil where no line has it.
    func sum(_ group: String, _ name: String) throws -> UInt64? {
        let counts = try lines().compactMap { $0[group]?[name]?.integerValue(as: UInt64.self) }
        return counts.isEmpty ? nil : counts.reduce(0, +)
    }
}
