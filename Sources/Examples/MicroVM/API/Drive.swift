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
        let chosenAccess = try members.optional("is_read_only", Value.truth)
        isReadOnly = chosenAccess ?? false
        path = try members.optional("path_on_host", Value.text) ?? ""
        limit = try members.optional("rate_limiter") { (json) throws(BodyError) in try RateLimiterBody(json) }
        let chosenEngine: Engine? = try members.optional("io_engine", Value.name)
        engine = chosenEngine ?? .synchronous
        socket = try members.optional("socket", Value.text)
        let isOfFile = chosenAccess != nil || chosenEngine != nil || limit != nil || !path.isEmpty
        isMixed = socket != nil && isOfFile
    }

    /// Where the process listens that serves it, and the connection to that, once there is one.
    let socket: String?
    private(set) var frontend: VhostUserFrontend?
    /// Whether there is a word beside the socket that only a file's disk has.
    private let isMixed: Bool

    /// Checks what can be checked before there is a machine: the file, above all.
    func check() throws(Fault) {
        guard !isMixed, socket != nil || !path.isEmpty else { throw Self.fault("Invalid block config.") }
        if socket != nil { return }
        do throws(SystemError) { _ = try RawDisk.open(path, isReadOnly: isReadOnly) } catch {
            throw Self.fault("Virtio backend error: \(Self.backing(error, path))")
        }
    }

    /// Connects to the process that serves it, for good: many a backend ends with its first connection.
    ///
    /// - Parameter old: the drive that gives way to this one. Its connection goes on where it is to the same socket, and
    ///   alive.
    mutating func connect(inPlaceOf old: Drive?) throws(Fault) {
        guard let socket else { return }
        if let frontend = old?.frontend, old?.socket == socket, (try? frontend.refreshConfiguration()) != nil {
            self.frontend = frontend
            return
        }
        do throws(VhostUserError) { frontend = try VhostUserFrontend(connectingTo: socket) } catch {
            throw Self.fault(error.inFirecrackersWords)
        }
    }

    /// Whether the guest can't write to it, which the process that serves it knows.
    var takesNoWrites: Bool { frontend?.features.contains(Features.Block.readOnly) ?? isReadOnly }

    static func fault(_ why: String) -> Fault {
        Fault("Drive config error: Unable to create the virtio block device: \(why)")
    }

    static func backing(_ error: SystemError, _ path: String) -> String {
        "Error manipulating the backing file: \(osError(error.errno)) \(path)" + (error.hint.map { ": \($0)" } ?? "")
    }

    var disk: MachineConfiguration.Disk {
        if let socket {
            var disk = MachineConfiguration.Disk(server: frontend.map { .frontend($0) } ?? .socket(socket))
            disk.id = id
            return disk
        }
        var disk = MachineConfiguration.Disk(path: path, isReadOnly: isReadOnly, limit: limit.limiter)
        disk.id = id
        disk.engine = engine == .asynchronous ? .ioUring : .synchronous
        return disk
    }

    var json: JSON {
        let isFile = socket == nil
        return [
            "drive_id": JSON(id), "partuuid": JSON(partition), "is_root_device": .bool(isRoot),
            "cache_type": JSON(cache.rawValue), "is_read_only": isFile ? .bool(isReadOnly) : .null,
            "path_on_host": isFile ? JSON(path) : .null, "rate_limiter": limit.json,
            "io_engine": isFile ? JSON(engine.rawValue) : .null, "socket": JSON(socket),
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
