import OCI

/// `/snapshot/create`.
struct SnapshotCreation: Hashable {
    enum Kind: String, CaseIterable {
        case diff = "Diff"
        case full = "Full"
    }

    var kind: Kind
    var path: String
    var memoryPath: String

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(json, "CreateSnapshotParams", ["snapshot_type", "snapshot_path", "mem_file_path"])
        kind = try members.value("snapshot_type", or: .full, Value.name)
        path = try members.required("snapshot_path", Value.path)
        memoryPath = try members.required("mem_file_path", Value.path)
    }
}

/// `/snapshot/load`.
struct SnapshotLoading: Hashable {
    enum Backend: String, CaseIterable {
        case file = "File"
        case userFault = "Uffd"
    }

    /// What the guest's memory is made of on the host.
    enum HugePages: String, CaseIterable {
        case snapshot = "Snapshot"
        case none = "None"
        case transparent = "Transparent"
        case huge2M = "2M"

        /// - Parameter saved: those of the machine that was saved.
        func resolved(_ saved: MachineSettings.HugePages) -> MachineSettings.HugePages {
            switch self {
            case .snapshot: saved
            case .none: .none
            case .transparent: .transparent
            case .huge2M: .huge2M
            }
        }
    }

    struct NetworkOverride: Hashable {
        var id: String
        var tap: String
    }

    var path: String
    var backend: Backend
    var backendPath: String
    var tracksDirtyPages: Bool
    var resumes: Bool
    var networks: [NetworkOverride]
    var vsockPath: String?
    /// Whether the guest's clock goes on by the time since the save.
    var advancesClock: Bool
    var hugePages: HugePages
    var isDeprecated: Bool

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(
            json, "LoadSnapshotConfig",
            [
                "snapshot_path", "mem_file_path", "mem_backend", "enable_diff_snapshots", "track_dirty_pages",
                "resume_vm", "network_overrides", "vsock_override", "clock_realtime", "huge_pages",
            ])
        path = try members.required("snapshot_path", Value.path)
        let file = try members.optional("mem_file_path", Value.path)
        let chosen = try members.optional("mem_backend") { (json) throws(BodyError) in
            let members = try Members(json, "MemBackendConfig", ["backend_path", "backend_type"])
            let kind: Backend = try members.required("backend_type", Value.name)
            return (kind: kind, path: try members.required("backend_path", Value.path))
        }
        switch (chosen, file) {
        case (let chosen?, nil): (backend, backendPath) = (chosen.kind, chosen.path)
        case (nil, let file?): (backend, backendPath) = (.file, file)
        case (nil, nil):
            throw BodyError("missing field: either `mem_backend` or `mem_file_path` is required", nil)
        case (_?, _?):
            throw BodyError("too many fields: either `mem_backend` or `mem_file_path` exclusively is required", nil)
        }
        let tracks = try members.value("enable_diff_snapshots", or: false, Value.truth)
        tracksDirtyPages = try members.value("track_dirty_pages", or: false, Value.truth) || tracks
        resumes = try members.value("resume_vm", or: false, Value.truth)
        networks = try members.value("network_overrides", or: []) { (json) throws(BodyError) in
            try Value.list(json) { (json) throws(BodyError) in
                let members = try Members(json, "NetworkOverride", ["iface_id", "host_dev_name"])
                return NetworkOverride(
                    id: try members.required("iface_id", Value.text),
                    tap: try members.required("host_dev_name", Value.text))
            }
        }
        vsockPath = try members.optional("vsock_override") { (json) throws(BodyError) in
            try Members(json, "VsockOverride", ["uds_path"]).required("uds_path", Value.text)
        }
        advancesClock = try members.value("clock_realtime", or: false, Value.truth)
        hugePages = try members.value("huge_pages", or: .snapshot, Value.name)
        isDeprecated = file != nil || tracks
    }
}
