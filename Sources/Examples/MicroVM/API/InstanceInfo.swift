import OCI

/// `/` and `/version`: who answers, and how it is.
struct InstanceInfo: Hashable {
    enum State: String {
        case notStarted = "Not started"
        case running = "Running"
        case paused = "Paused"
    }

    /// Firecracker's version whose API this follows, and this program's own behind it.
    static let version = "1.17.0+bulkhead.0.1.0"

    var id: String

    func json(_ state: State) -> JSON {
        [
            "id": JSON(id), "state": JSON(state.rawValue), "vmm_version": JSON(Self.version),
            "app_name": "Bulkhead",
        ]
    }

    static let versionJSON: JSON = ["firecracker_version": JSON(version)]

    /// Whether a name will do: letters, digits and hyphens, 1 to 64 of them.
    static func isValid(_ id: String) -> Bool {
        (1...64).contains(id.utf8.count) && id.isAlphanumeric(or: "-")
    }
}
