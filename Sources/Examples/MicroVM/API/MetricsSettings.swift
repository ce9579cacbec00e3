import OCI

/// `/metrics`: where counters are written to, and what stands in front of them in each line.
struct MetricsSettings: Hashable {
    var path: String
    /// Whether a line says whose it is.
    var namesInstance = false
    /// The client's own words for a machine.
    var properties: [Property]?

    struct Property: Hashable {
        var name: String
        var value: String
    }

    init(path: String) { self.path = path }

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "MetricsConfig", ["metrics_path", "emit_id", "properties"])
        path = try members.required("metrics_path", Value.path)
        namesInstance = try members.value("emit_id", or: false, Value.truth)
        properties = try members.optional("properties", Self.properties)
    }

    /// In the order of their names; of two of the same name the last.
    private static func properties(_ json: JSON) throws(BodyError) -> [Property] {
        guard case .object(let members) = json else { throw Value.mismatch(json, "a map") }
        var values: [String: String] = [:]
        for member in members {
            do throws(BodyError) { values[member.name] = try Value.text(member.value) } catch {
                throw error.inside(.member(member.name))
            }
        }
        return values.sorted { $0.key < $1.key }.map { Property(name: $0.key, value: $0.value) }
    }
}
