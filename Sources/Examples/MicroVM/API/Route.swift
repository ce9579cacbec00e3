import Machines
import OCI

/// Finds out what a request asks for: method, path, body.
struct Route {
    let action: Action
    /// What in the request is on its way out, as the log has it; the answer says that there is something.
    let deprecation: String?

    var isDeprecated: Bool { deprecation != nil }

    /// - Parameter parts: those of the request's path, where they are known.
    /// - Throws: ``Fault`` for a request that means nothing.
    init(_ request: HTTPRequest, _ parts: [String]? = nil) throws(Fault) {
        let place = Place(request.method, parts ?? request.pathParts)
        let action: Action?
        switch (request.method, request.body) {
        case (.get, nil): action = try Self.get(place)
        case (.put, let body?): action = try Self.put(place, body)
        case (.patch, let body): action = try Self.patch(place, body)
        case (.delete, nil): action = try Self.delete(place)
        case (.put, nil): throw Fault("Empty PUT request.")
        case (.get, _?): throw Fault("GET request cannot have a body.")
        case (.delete, _?): throw Fault("Empty Delete request.")
        }
        guard let action else { throw place.unknown }
        self.action = action
        deprecation =
            switch action {
            case .changeMachine(let update) where update.template != nil:
                "\(request.method.rawValue) /machine-config: cpu_template field is deprecated."
            case .setVsock(let vsock) where vsock.hasID: "PUT /vsock: vsock_id field is deprecated."
            case .configureMetadata(let settings) where settings.version == .v1:
                "PUT /mmds/config: V1 is deprecated. Use V2 instead."
            case .loadSnapshot(let loading) where loading.isDeprecated:
                "PUT /snapshot/load: mem_file_path and enable_diff_snapshots fields are deprecated."
            default: nil
            }
    }

    /// Where a request goes to.
    private struct Place {
        let method: HTTPRequest.Method
        let first: String
        let rest: [String]

        init(_ method: HTTPRequest.Method, _ parts: [String]) {
            self.method = method
            first = parts.first ?? ""
            rest = Array(parts.dropFirst())
        }

        var unknown: Fault { Fault("Invalid request method and/or path: \(method.rawValue) \(first).") }

        /// The resource that the path names.
        func id() throws(Fault) -> String {
            guard let id = rest.first, !id.isEmpty else { throw Fault("The ID cannot be empty.") }
            guard id.isAlphanumeric(or: "_") else {
                throw Fault("API Resource IDs can only contain alphanumeric characters and underscores.")
            }
            return id
        }
    }

    // MARK: - Methods

    private static func get(_ place: Place) throws(Fault) -> Action? {
        switch (place.first, place.rest.first) {
        case ("", _): return .describeInstance
        case ("version", _): return .describeVersion
        case ("machine-config", _): return .describeMachine
        case ("vm", "config"): return .describeAll
        case ("balloon", nil): return .describeBalloon
        case ("balloon", "statistics"): return .describeStatistics
        case ("balloon", "hinting"):
            let what = place.rest.dropFirst().first ?? ""
            guard what == "status" else { throw Fault("Unrecognized GET request path `/hinting/\(what)`.") }
            return .describeHinting
        case ("balloon", let what?): throw Fault("Unrecognized GET request path `\(what)`.")
        case ("mmds", _): return .describeMetadata
        case ("hotplug", "memory"): return .describeMemoryHotplug
        default: return nil
        }
    }

    private static func put(_ place: Place, _ body: [UInt8]) throws(Fault) -> Action? {
        switch place.first {
        case "actions": return try read(body, action)
        case "boot-source":
            return try read(body) { (json) throws(BodyError) in .setBootSource(try BootSource(json)) }
        case "machine-config":
            return try read(body) { (json) throws(BodyError) in
                .changeMachine(try MachineSettings.Update(json, isWhole: true))
            }
        case "drives":
            let id = try place.id()
            let drive = try read(body) { (json) throws(BodyError) in try Drive(json) }
            guard id == drive.id else { throw Self.differentIDs }
            return .setDrive(drive)
        case "network-interfaces":
            let id = try place.id()
            let card = try read(body) { (json) throws(BodyError) in try NetworkInterface(json) }
            guard id == card.id else { throw Self.differentIDs(id, card.id) }
            return .setNetwork(card)
        case "vsock": return try read(body) { (json) throws(BodyError) in .setVsock(try VsockDevice(json)) }
        case "balloon": return try read(body) { (json) throws(BodyError) in .setBalloon(try BalloonDevice(json)) }
        case "entropy": return try read(body) { (json) throws(BodyError) in .setEntropy(try EntropyDevice(json)) }
        case "serial": return try read(body) { (json) throws(BodyError) in .setSerial(try SerialDevice(json)) }
        case "logger": return try read(body) { (json) throws(BodyError) in .setLogger(try LoggerSettings(json)) }
        case "metrics": return try read(body) { (json) throws(BodyError) in .setMetrics(try MetricsSettings(json)) }
        case "cpu-config":
            return try read(body) { (json) throws(BodyError) in .setProcessors(try ProcessorSettings(json)) }
        case "snapshot":
            switch place.rest.first {
            case "create":
                return try read(body) { (json) throws(BodyError) in .createSnapshot(try SnapshotCreation(json)) }
            case "load":
                return try read(body) { (json) throws(BodyError) in .loadSnapshot(try SnapshotLoading(json)) }
            case let what?:
                throw Fault("Invalid request method and/or path: PUT /snapshot/\(what).")
            case nil: throw Fault("Missing snapshot operation type.")
            }
        case "mmds":
            switch place.rest.first {
            case nil: return try read(body) { (json) throws(BodyError) in .setMetadata(json) }
            case "config":
                return try read(body) { (json) throws(BodyError) in .configureMetadata(try MetadataSettings(json)) }
            case let what?: throw Fault("Unrecognized PUT request path `\(what)`.")
            }
        case "pmem":
            let id = try place.id()
            let pmem = try read(body) { (json) throws(BodyError) in try Pmem(json) }
            guard id == pmem.id else { throw Self.differentIDs }
            return .setPmem(pmem)
        case "hotplug" where place.rest.first == "memory":
            return try read(body) { (json) throws(BodyError) in .setMemoryHotplug(try MemoryHotplug(json)) }
        default: return nil
        }
    }

    private static func patch(_ place: Place, _ body: [UInt8]?) throws(Fault) -> Action? {
        if place.first == "balloon", place.rest.first == "hinting" { return try hinting(place, body) }
        guard let body else { throw emptyPatch }
        switch place.first {
        case "machine-config":
            let update = try read(body) { (json) throws(BodyError) in
                try MachineSettings.Update(json, isWhole: false)
            }
            if update.isEmpty { throw emptyPatch }
            return .changeMachine(update)
        case "drives":
            let id = try place.id()
            let update = try read(body) { (json) throws(BodyError) in try Drive.Update(json) }
            guard id == update.id else { throw Self.differentIDs }
            return .changeDrive(update)
        case "network-interfaces":
            let id = try place.id()
            let update = try read(body) { (json) throws(BodyError) in try NetworkInterface.Update(json) }
            guard id == update.id else { throw Self.differentIDs(id, update.id) }
            return .changeNetwork(update)
        case "balloon" where place.rest.first == "statistics":
            return .changeStatistics(interval: try read(body, BalloonDevice.interval))
        case "balloon": return .changeBalloon(amount: try read(body, BalloonDevice.amount))
        case "vm": return try read(body, state)
        case "mmds": return try read(body) { (json) throws(BodyError) in .changeMetadata(json) }
        case "pmem":
            let id = try place.id()
            let update = try read(body) { (json) throws(BodyError) in try Pmem.Update(json) }
            guard id == update.id else { throw Self.differentIDs }
            return .changePmem(update)
        case "hotplug" where place.rest.first == "memory":
            return .changeMemoryHotplug(requested: try read(body, MemoryHotplug.requested))
        default: return nil
        }
    }

    private static func delete(_ place: Place) throws(Fault) -> Action? {
        switch place.first {
        case "drives": return .unplug(.disk(try place.id()))
        case "network-interfaces": return .unplug(.network(try place.id()))
        case "pmem": return .unplug(.persistentMemory(try place.id()))
        default: return nil
        }
    }

    private static func hinting(_ place: Place, _ body: [UInt8]?) throws(Fault) -> Action {
        let what = place.rest.dropFirst().first ?? ""
        switch what {
        case "start":
            guard let body else { return .startHinting(acknowledges: true) }
            return .startHinting(acknowledges: try read(body, BalloonDevice.acknowledges))
        case "stop": return .stopHinting
        default: throw Fault("Unrecognized PATCH request path `/hinting/\(what)`.")
        }
    }

    // MARK: - Bodies

    private enum Kind: String, CaseIterable {
        case flush = "FlushMetrics"
        case start = "InstanceStart"
        case keys = "SendCtrlAltDel"
    }

    private static func action(_ json: JSON) throws(BodyError) -> Action {
        let kind: Kind = try Members(json, "ActionBody", ["action_type"]).required("action_type", Value.name)
        return switch kind {
        case .flush: .flushMetrics
        case .start: .start
        case .keys: .pressControlAltDelete
        }
    }

    private enum State: String, CaseIterable {
        case paused = "Paused"
        case resumed = "Resumed"
    }

    private static func state(_ json: JSON) throws(BodyError) -> Action {
        let state: State = try Members(json, "Vm", ["state"]).required("state", Value.name)
        return state == .paused ? .pause : .resume
    }

    private static func read<T>(_ body: [UInt8], _ read: (JSON) throws(BodyError) -> T) throws(Fault) -> T {
        do throws(BodyError) { return try read(try JSON(body: body)) } catch {
            throw Fault(error, in: body)
        }
    }

    private static let emptyPatch = Fault("Empty PATCH request.")
    private static let differentIDs = Fault("The id from the path does not match the id from the body!")

    private static func differentIDs(_ path: String, _ body: String) -> Fault {
        Fault("The id from the path [\(path)] does not match the id from the body [\(body)]!")
    }
}
