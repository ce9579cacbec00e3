import Linux
import OCI

/// Firecracker's configuration file: all of a machine in one JSON document.
struct FirecrackerFile {
    /// What the document asks for, in the order in which it is done.
    let actions: [Action]

    init(path: String) throws(Failure) {
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(path, limit: 1 << 20) } catch {
            throw Failure(.refused, "Unable to open or read from the configuration file: \(osError(error.errno))")
        }
        do throws(BodyError) { try self.init(try JSON(body: bytes)) } catch {
            throw Failure(
                .badConfiguration, "Configuration for VMM from one single json failed: Invalid JSON: \(error.message)")
        }
    }

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(
            json, "VmmConfig",
            [
                "balloon", "drives", "boot-source", "cpu-config", "logger", "machine-config", "metrics", "mmds-config",
                "network-interfaces", "vsock", "entropy", "pmem", "memory-hotplug", "serial",
            ])
        var actions: [Action] = []
        func take(_ name: String, _ read: (JSON) throws(BodyError) -> Action) throws(BodyError) {
            if let action = try members.optional(name, read) { actions.append(action) }
        }
        func each(_ name: String, _ read: (JSON) throws(BodyError) -> Action) throws(BodyError) {
            actions += try members.optional(name) { (json) throws(BodyError) in try Value.list(json, read) } ?? []
        }
        try take("logger") { (json) throws(BodyError) in .setLogger(try LoggerSettings(json)) }
        try take("metrics") { (json) throws(BodyError) in .setMetrics(try MetricsSettings(json)) }
        try take("machine-config") { (json) throws(BodyError) in
            .changeMachine(try MachineSettings.Update(json, isWhole: true))
        }
        try take("cpu-config") { (json) throws(BodyError) in
            // In place, or a file of its own.
            guard case .string(let path) = json else { return .setProcessors(try ProcessorSettings(json)) }
            let bytes: [UInt8]
            do throws(SystemError) { bytes = try readFile(path, limit: 1 << 20) } catch {
                throw BodyError("unable to open or read from the CPU template file: \(error)")
            }
            return .setProcessors(try ProcessorSettings(try JSON(body: bytes)))
        }
        actions.append(
            try members.required("boot-source") { (json) throws(BodyError) in .setBootSource(try BootSource(json)) })
        _ = try members.required("drives") { (json) throws(BodyError) in json }
        try each("drives") { (json) throws(BodyError) in .setDrive(try Drive(json)) }
        try each("network-interfaces") { (json) throws(BodyError) in .setNetwork(try NetworkInterface(json)) }
        try take("vsock") { (json) throws(BodyError) in .setVsock(try VsockDevice(json)) }
        try take("balloon") { (json) throws(BodyError) in .setBalloon(try BalloonDevice(json)) }
        try take("mmds-config") { (json) throws(BodyError) in .configureMetadata(try MetadataSettings(json)) }
        try take("entropy") { (json) throws(BodyError) in .setEntropy(try EntropyDevice(json)) }
        try take("serial") { (json) throws(BodyError) in .setSerial(try SerialDevice(json)) }
        try take("memory-hotplug") { (json) throws(BodyError) in .setMemoryHotplug(try MemoryHotplug(json)) }
        try each("pmem") { (json) throws(BodyError) in .setPmem(try Pmem(json)) }
        self.actions = actions
    }
}
