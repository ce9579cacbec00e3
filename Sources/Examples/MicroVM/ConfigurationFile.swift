import Linux
import Machines
import OCI
import Virtio

/// A machine as JSON, by the names of the options:
///
/// ```json
/// {
///     "kernel": "vmlinuz", "initrd": "initramfs.cpio", "append": "console=ttyS0", "boot": "auto",
///     "cpus": 2, "maxCpus": 4, "threadsPerCore": 1, "memory": "256M", "maxMemory": "1G",
///     "disks": [{"path": "root.img", "readOnly": true, "queues": 1, "bandwidth": "100M", "iops": 1000}],
///     "nets": [{"tap": "tap0", "mac": "02:00:00:00:00:01", "queues": 1, "bandwidth": "10M", "pps": 10000},
///              {"passt": ["--tcp-ports=8080:80"]}, {"socket": "passt.socket", "mtu": 65520}],
///     "pmem": [{"path": "data.img", "readOnly": true}],
///     "vsock": {"cid": 3, "path": "vm.sock"},
///     "shares": [{"path": "/srv/files", "tag": "files", "readOnly": true}],
///     "balloon": "64M", "entropy": true, "console": ["virtio", "serial,file=boot.log"]
/// }
/// ```
///
/// Only `kernel` has to be there. A name that is not known is an error: it would else be one that is misspelt.
struct ConfigurationFile {
    private let path: String
    private let document: JSON

    init(path: String) throws(Failure) {
        self.path = path
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(path, limit: 1 << 20) } catch {
            throw Failure(.refused, "--config: \(error)")
        }
        do throws(DocumentError) { document = try JSON(parsing: bytes) } catch {
            throw Failure(.usage, "--config \(quoted(path)): \(error)")
        }
    }

    func apply(to arguments: inout Arguments) throws(Failure) {
        for (name, value) in try members(document, "the document") {
            switch name {
            case "kernel": arguments.machine.kernel = try text(value, name)
            case "initrd": arguments.machine.initialRAMDisk = try text(value, name)
            case "append": arguments.machine.commandLine = try text(value, name)
            case "boot":
                arguments.machine.bootProtocol = try Arguments.bootProtocol(where_(name), try text(value, name))
            case "cpus": arguments.machine.processors = try number(value, name)
            case "maxCpus": arguments.machine.maximumProcessors = try number(value, name)
            case "threadsPerCore": arguments.machine.threadsPerCore = try number(value, name)
            case "memory": arguments.machine.memory = try size(value, name)
            case "maxMemory": arguments.machine.maximumMemory = try size(value, name)
            case "disks":
                for (index, element) in try list(value, name).enumerated() {
                    arguments.machine.disks.append(try disk(element, "\(name)[\(index)]"))
                }
            case "nets":
                for (index, element) in try list(value, name).enumerated() {
                    try addNetwork(element, "\(name)[\(index)]", to: &arguments)
                }
            case "pmem":
                for (index, element) in try list(value, name).enumerated() {
                    arguments.machine.persistentMemory.append(try memoryFile(element, "\(name)[\(index)]"))
                }
            case "shares":
                for (index, element) in try list(value, name).enumerated() {
                    arguments.machine.sharedDirectories.append(try share(element, "\(name)[\(index)]"))
                }
            case "vsock": arguments.machine.vsock = try vsock(value, name)
            case "balloon": arguments.machine.balloon = .init(target: try size(value, name))
            case "entropy": arguments.machine.hasEntropy = try truth(value, name)
            case "console":
                for console in value.arrayValue ?? [value] {
                    arguments.add(try ConsoleChoice(where_(name), try text(console, name)))
                }
            case "acceptEmulation": arguments.machine.acceptsEmulation = try truth(value, name)
            default: throw unknown(name)
            }
        }
    }

    private func disk(_ value: JSON, _ place: String) throws(Failure) -> MachineConfiguration.Disk {
        var disk = MachineConfiguration.Disk(path: "")
        for (name, value) in try members(value, place) {
            switch name {
            case "path": disk.path = try text(value, "\(place).path")
            case "socket": disk.server = .socket(try text(value, "\(place).socket"))
            case "readOnly": disk.isReadOnly = try truth(value, "\(place).readOnly")
            case "queues": disk.queues = try number(value, "\(place).queues")
            case "bandwidth": disk.limit.bandwidth = try bucket(value, "\(place).bandwidth", size)
            case "iops": disk.limit.operations = try bucket(value, "\(place).iops", number)
            default: throw unknown("\(place).\(name)")
            }
        }
        return disk
    }

    private func memoryFile(_ value: JSON, _ place: String) throws(Failure) -> MachineConfiguration.MemoryFile {
        var file = MachineConfiguration.MemoryFile(path: "")
        for (name, value) in try members(value, place) {
            switch name {
            case "path": file.path = try text(value, "\(place).path")
            case "readOnly": file.isReadOnly = try truth(value, "\(place).readOnly")
            default: throw unknown("\(place).\(name)")
            }
        }
        return file
    }

    private func share(_ value: JSON, _ place: String) throws(Failure) -> MachineConfiguration.SharedDirectory {
        var share = MachineConfiguration.SharedDirectory(path: "", tag: "")
        for (name, value) in try members(value, place) {
            switch name {
            case "path": share.path = try text(value, "\(place).path")
            case "tag": share.tag = try text(value, "\(place).tag")
            case "readOnly": share.isReadOnly = try truth(value, "\(place).readOnly")
            default: throw unknown("\(place).\(name)")
            }
        }
        return share
    }

    private func addNetwork(_ value: JSON, _ place: String, to arguments: inout Arguments) throws(Failure) {
        var card = MachineConfiguration.NetworkCard(tap: "")
        var limit = RateLimiter()
        var passt: [String]?
        for (name, value) in try members(value, place) {
            switch name {
            case "tap": card.tap = try text(value, "\(place).tap")
            case "socket": card.end = .socket(try text(value, "\(place).socket"))
            case "passt":
                var options: [String] = []
                for (index, element) in try list(value, "\(place).passt").enumerated() {
                    options.append(try text(element, "\(place).passt[\(index)]"))
                }
                passt = options
            case "mac":
                card.address = try Arguments.address(where_("\(place).mac"), try text(value, "\(place).mac"))
            case "mtu": card.mtu = try number(value, "\(place).mtu") as UInt16
            case "queues": card.queues = try number(value, "\(place).queues")
            case "bandwidth": limit.bandwidth = try bucket(value, "\(place).bandwidth", size)
            case "pps": limit.operations = try bucket(value, "\(place).pps", number)
            default: throw unknown("\(place).\(name)")
            }
        }
        (card.receiveLimit, card.transmitLimit) = (limit, limit)
        arguments.add(card, passt: passt)
    }

    /// So much a second, or a bucket of a size that fills in some time, in milliseconds, with more for the beginning.
    private func bucket(
        _ value: JSON, _ place: String, _ amount: (JSON, String) throws(Failure) -> UInt64
    ) throws(Failure) -> TokenBucket {
        var (size, milliseconds, burst): (UInt64, UInt64, UInt64) = (0, 1000, 0)
        if case .object = value {
            for (name, value) in try members(value, place) {
                switch name {
                case "size": size = try amount(value, "\(place).size")
                case "refillTime": milliseconds = try number(value, "\(place).refillTime")
                case "oneTimeBurst": burst = try amount(value, "\(place).oneTimeBurst")
                default: throw unknown("\(place).\(name)")
                }
            }
        } else {
            let bucket = TokenBucket(perSecond: try amount(value, place))
            guard bucket.size > 0, bucket.refillTime > 0 else { throw wrong(place, "a limit above zero") }
            return bucket
        }
        let (nanoseconds, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        guard size > 0, nanoseconds > 0, !overflow else {
            throw wrong(place, "a limit: it has a size and a refillTime in milliseconds, both above zero")
        }
        return TokenBucket(size: size, refillTime: nanoseconds, oneTimeBurst: burst)
    }

    private func vsock(_ value: JSON, _ place: String) throws(Failure) -> MachineConfiguration.VsockPort {
        var port = MachineConfiguration.VsockPort(cid: 0, path: "")
        for (name, value) in try members(value, place) {
            switch name {
            case "cid": port.cid = try number(value, "\(place).cid")
            case "path": port.path = try text(value, "\(place).path")
            default: throw unknown("\(place).\(name)")
            }
        }
        return port
    }

    // MARK: - Values

    private func where_(_ place: String) -> String { "--config \(quoted(path)): \(place)" }

    private func wrong(_ place: String, _ wanted: String) -> Failure {
        Failure(.usage, "\(where_(place)) is not \(wanted)")
    }

    private func unknown(_ place: String) -> Failure { Failure(.usage, "\(where_(place)) is not known") }

    private func members(_ value: JSON, _ place: String) throws(Failure) -> [(String, JSON)] {
        guard case .object(let members) = value else { throw wrong(place, "an object") }
        return members.map { ($0.name, $0.value) }
    }

    private func list(_ value: JSON, _ place: String) throws(Failure) -> [JSON] {
        guard let list = value.arrayValue else { throw wrong(place, "a list") }
        return list
    }

    private func text(_ value: JSON, _ place: String) throws(Failure) -> String {
        guard let text = value.stringValue else { throw wrong(place, "a string") }
        return text
    }

    private func truth(_ value: JSON, _ place: String) throws(Failure) -> Bool {
        guard let truth = value.boolValue else { throw wrong(place, "true or false") }
        return truth
    }

    private func number<Value: FixedWidthInteger>(_ value: JSON, _ place: String) throws(Failure) -> Value {
        guard let number = value.integerValue(as: Value.self) else { throw wrong(place, "a number that fits") }
        return number
    }

    /// MiB as a number, or a text as on the command line.
    private func size(_ value: JSON, _ place: String) throws(Failure) -> UInt64 {
        if let text = value.stringValue { return try Arguments.size(where_(place), text) }
        let mebibytes: UInt64 = try number(value, place)
        guard mebibytes <= .max >> 20 else { throw wrong(place, "a size that fits") }
        return mebibytes << 20
    }
}
