import Linux
import Machines
import OCI
import Virtio

/// `/pmem/{id}`: persistent memory.
struct Pmem: Hashable {
    var id: String
    var path: String
    var isRoot: Bool
    var isReadOnly: Bool
    var limit: RateLimiterBody?

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(
            json, "PmemConfig", ["id", "path_on_host", "root_device", "read_only", "rate_limiter"])
        id = try members.required("id", Value.text)
        path = try members.required("path_on_host", Value.text)
        isRoot = try members.value("root_device", or: false, Value.truth)
        isReadOnly = try members.value("read_only", or: false, Value.truth)
        limit = try members.optional("rate_limiter") { (json) throws(BodyError) in try RateLimiterBody(json) }
    }

    /// Checks what can be checked before there is a machine: the file, above all.
    func check() throws(Fault) {
        let refusal = "Pmem config error: Unable to create the virtio-pmem device: "
        do throws(SystemError) { _ = try MappedFile.open(path, isReadOnly: isReadOnly) } catch {
            throw Fault(
                "\(refusal)Error accessing backing file: \(osError(error.errno)) \(path)"
                    + (error.hint.map { ": \($0)" } ?? ""))
        }
    }

    var file: MachineConfiguration.MemoryFile {
        var file = MachineConfiguration.MemoryFile(path: path, isReadOnly: isReadOnly, limit: limit.limiter)
        file.id = id
        return file
    }

    var json: JSON {
        [
            "id": JSON(id), "path_on_host": JSON(path), "root_device": .bool(isRoot), "read_only": .bool(isReadOnly),
            "rate_limiter": limit.json,
        ]
    }

    /// `PATCH`: what is not named stays as it is.
    struct Update: Hashable {
        var id: String
        var limit: RateLimiterBody?

        init(_ json: JSON) throws(BodyError) {
            let members = try Members(json, "PmemDeviceUpdateConfig", ["id", "rate_limiter"])
            id = try members.required("id", Value.text)
            limit = try members.optional("rate_limiter") { (json) throws(BodyError) in try RateLimiterBody(json) }
        }
    }
}
