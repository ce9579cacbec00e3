import OCI

/// `/metrics`: where counters are written to.
struct MetricsSettings: Hashable {
    var path: String

    init(path: String) { self.path = path }

    init(_ json: JSON) throws(BodyError) {
        path = try Members(json, "MetricsConfig", ["metrics_path"]).required("metrics_path", Value.text)
    }
}
