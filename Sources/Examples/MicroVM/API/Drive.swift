import Linux
import Machines
import OCI
import Virtio

/// `/drives/{id}`: a disk.
struct Drive: Hashable {
    enum Cache: String, CaseIterable {
        case unsafe = "Unsafe"
        case writeback = "Writeback"
    }

    enum Engine: String, CaseIterable {
        case asynchronous = "Async"
        case synchronous = "Sync"
    }

    var id: String
    var partition: String?
    var isRoot: Bool
    var cache: Cache
    var isReadOnly: Bool
    var path: String
    var limit: RateLimiterBody?
    var engine: Engine

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(
            json, "BlockDeviceConfig",
            [
                "drive_id", "partuuid", "is_root_device", "cache_type", "is_read_only", "path_on_host", "rate_limiter",
                "io_engine", "socket",
            ])
        id = try members.required("drive_id", Value.text)
        partition = try members.optional("partuuid", Value.text)
        isRoot = try members.required("is_root_device", Value.truth)
        cache = try members.value("cache_type", or: .unsafe, Value.name)
        isReadOnly = try members.optional("is_read_only", Value.truth) ?? false
        path = try members.optional("path_on_host", Value.text) ?? ""
        limit = try members.optional("rate_limiter") { (json) throws(BodyError) in try RateLimiterBody(json) }
        engine = try members.optional("io_engine", Value.name) ?? .synchronous
        hasSocket = try members.optional("socket", Value.text) != nil
    }

    /// A disk that another process serves.
    private let hasSocket: Bool

    /// Checks what can be checked before there is a machine: the file, above all.
    func check() throws(Fault) {
        if hasSocket, path.isEmpty { throw .notSupported("socket: disks of other processes (vhost-user)") }
        guard !hasSocket, !path.isEmpty else { throw Self.fault("Invalid block config.") }
        do throws(SystemError) { _ = try RawDisk.open(path, isReadOnly: isReadOnly) } catch {
            throw Self.fault("Virtio backend error: \(Self.backing(error, path))")
        }
    }

    private static func fault(_ why: String) -> Fault {
        Fault("Drive config error: Unable to create the virtio block device: \(why)")
    }

    static func backing(_ error: SystemError, _ path: String) -> String {
        "Error manipulating the backing file: \(osError(error.errno)) \(path)" + (error.hint.map { ": \($0)" } ?? "")
    }

    var disk: MachineConfiguration.Disk {
        var disk = MachineConfiguration.Disk(path: path, isReadOnly: isReadOnly, limit: limit.limiter)
        disk.id = id
        disk.engine = engine == .asynchronous ? .ioUring : .synchronous
        return disk
    }

    var json: JSON {
        [
            "drive_id": JSON(id), "partuuid": JSON(partition), "is_root_device": .bool(isRoot),
            "cache_type": JSON(cache.rawValue), "is_read_only": .bool(isReadOnly), "path_on_host": JSON(path),
            "rate_limiter": limit.json, "io_engine": JSON(engine.rawValue), "socket": .null,
        ]
    }

    /// `PATCH`: what is not named stays as it is.
    struct Update: Hashable {
        var id: String
        var path: String?
        var limit: RateLimiterBody?

        init(_ json: JSON) throws(BodyError) {
            let members = try Members(json, "BlockDeviceUpdateConfig", ["drive_id", "path_on_host", "rate_limiter"])
            id = try members.required("drive_id", Value.text)
            path = try members.optional("path_on_host", Value.text)
            limit = try members.optional("rate_limiter") { (json) throws(BodyError) in try RateLimiterBody(json) }
        }
    }
}
