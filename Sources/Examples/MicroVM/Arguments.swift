import Linux
import Machines
import Virtio

/// The command line of `bulkhead-vm run`, read.
///
/// By hand: swift-argument-parser links FoundationEssentials, which every start would pay for with a millisecond and three
/// megabytes, and its options know no parts like those of `--disk`.
struct Arguments {
    var machine = MachineConfiguration(kernel: "")
    private(set) var consoles: [ConsoleChoice] = []
    var isVerbose = false
    /// Where a debugger reaches the guest.
    private(set) var debugger: DebugAddress?
    /// The options of each passt, by the place of its card among the machine's.
    private(set) var passts: [Int: [String]] = [:]
    /// The filters of this program's threads.
    private(set) var confinement = Confinement.Choice.own

    init(_ words: ArraySlice<String>) throws(Failure) {
        var words = words
        while let word = words.popFirst() {
            let (option, attached) = Self.split(word)
            if try takeFlag(option, attached, &words) { continue }
            guard let value = attached ?? words.popFirst() else {
                throw Failure(.usage, "\(option) needs a value; try `bulkhead-vm --help`")
            }
            try take(option, value)
        }
        try finishConsoles()
        if machine.kernel.isEmpty { throw Failure(.usage, "--kernel is missing; try `bulkhead-vm --help`") }
    }

    /// `--option=value` is one word for two.
    private static func split(_ word: String) -> (String, String?) {
        guard word.hasPrefix("--"), let equals = word.firstIndex(of: "=") else { return (word, nil) }
        return (String(word[..<equals]), String(word[word.index(after: equals)...]))
    }

    /// Options that need no value.
    private mutating func takeFlag(
        _ option: String, _ attached: String?, _ words: inout ArraySlice<String>
    ) throws(Failure) -> Bool {
        switch option {
        case "--verbose": isVerbose = true
        case "--no-seccomp": confinement = .none
        case "--no-entropy": machine.hasEntropy = false
        case "--accept-emulation": machine.acceptsEmulation = true
        case "--balloon":
            var balloon = MachineConfiguration.BalloonChoice()
            // A number that follows is its size; what follows else is the next option.
            let size = attached ?? words.first.flatMap { Self.size($0) == nil ? nil : words.removeFirst() }
            if let size { balloon.target = try Self.size(option, size) }
            machine.balloon = balloon
            return true
        default: return false
        }
        if attached != nil { throw Failure(.usage, "\(option) takes no value") }
        return true
    }

    private mutating func take(_ option: String, _ value: String) throws(Failure) {
        switch option {
        case "--kernel": machine.kernel = value
        case "--initrd": machine.initialRAMDisk = value
        case "--append": machine.commandLine = value
        case "--boot": machine.bootProtocol = try Self.bootProtocol(option, value)
        case "--cpus": try setProcessors(option, value)
        case "--memory": (machine.memory, machine.maximumMemory) = try Self.memory(option, value)
        case "--disk": machine.disks.append(try Self.disk(value))
        case "--net": try addNetwork(value)
        case "--pmem": machine.persistentMemory.append(try Self.memoryFile(value))
        case "--vsock": machine.vsock = try Self.vsock(value)
        case "--gdb": debugger = try Self.debugger(value)
        case "--share": machine.sharedDirectories.append(try Self.share(value))
        case "--console": add(try ConsoleChoice(option, value))
        case "--seccomp-filter": confinement = .file(value)
        case "--config": try ConfigurationFile(path: value).apply(to: &self)
        default: throw Failure(.usage, "unknown option \(quoted(option)); try `bulkhead-vm --help`")
        }
    }

    // MARK: - Consoles

    /// Takes a console; one of the same kind that was said before gives way to it.
    mutating func add(_ console: ConsoleChoice) {
        consoles.removeAll { $0.kind == console.kind }
        consoles.append(console)
    }

    private mutating func finishConsoles() throws(Failure) {
        if consoles.isEmpty { consoles = [ConsoleChoice(.serial, .standard)] }
        guard consoles.count(where: { $0.end == .standard }) <= 1 else {
            throw Failure(.usage, "--console: only one can lead to this terminal")
        }
        // Without a word about it, the kernel speaks where somebody listens.
        let isDefault = machine.commandLine == MachineConfiguration(kernel: "").commandLine
        if isDefault, !consoles.contains(where: { $0.kind == .serial }) {
            machine.commandLine = "console=hvc0 panic=-1"
        }
    }

    // MARK: - Values

    static func bootProtocol(_ option: String, _ text: String) throws(Failure) -> BootProtocol {
        switch text {
        case "auto": return .automatic
        case "linux64": return .linux64
        case "pvh": return .pvh
        default: throw Failure(.usage, "\(option): \(quoted(text)) is none of auto, linux64 and pvh")
        }
    }

    private static func number(_ option: String, _ text: String) throws(Failure) -> Int {
        guard let number = Int(text), number > 0 else {
            throw Failure(.usage, "\(option): \(quoted(text)) is not a positive number")
        }
        return number
    }

    /// MiB, or a number with one of the units K, M, G and T.
    private static func size(_ text: String) -> UInt64? {
        let units: [Character: UInt64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        guard let last = text.last else { return nil }
        let unit = units[Character(last.uppercased())]
        guard let number = UInt64(unit == nil ? Substring(text) : text.dropLast()) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit ?? 1 << 20)
        return overflow ? nil : bytes
    }

    static func size(_ option: String, _ text: String) throws(Failure) -> UInt64 {
        guard let bytes = size(text) else {
            throw Failure(.usage, "\(option): \(quoted(text)) is no size, as 512M or 2G are")
        }
        return bytes
    }

    /// What there is at first, and behind `,max=` what there may be while the machine runs.
    private static func memory(_ option: String, _ text: String) throws(Failure) -> (UInt64, UInt64?) {
        guard let comma = text.firstIndex(of: ",") else { return (try size(option, text), nil) }
        guard case ("max", let most?) = keyAndValue(String(text[text.index(after: comma)...])) else {
            throw Failure(.usage, "\(option): behind the comma of \(quoted(text)) is no max=")
        }
        return (try size(option, String(text[..<comma])), try size("\(option): max", most))
    }

    private mutating func setProcessors(_ option: String, _ text: String) throws(Failure) {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)[...]
        machine.processors = try Self.number(option, parts.removeFirst())
        (machine.maximumProcessors, machine.threadsPerCore) = (nil, 1)
        for part in parts {
            switch Self.keyAndValue(part) {
            case ("max", let value?) where machine.maximumProcessors == nil:
                machine.maximumProcessors = try Self.number("--cpus: max", value)
            case ("threads", let value?): machine.threadsPerCore = try Self.number("--cpus: threads", value)
            default: throw Failure(.usage, "\(option): \(quoted(part)) is none of max=N and threads=N")
            }
        }
    }

    private static func disk(_ text: String) throws(Failure) -> MachineConfiguration.Disk {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)[...]
        let first = parts.removeFirst()
        var disk =
            if case ("socket", let path?) = keyAndValue(first) {
                MachineConfiguration.Disk(server: .socket(path))
            } else { MachineConfiguration.Disk(path: first) }
        for part in parts {
            switch keyAndValue(part) {
            case ("ro", nil): disk.isReadOnly = true
            case ("queues", let value?): disk.queues = try number("--disk: queues", value)
            case ("bandwidth", let value?): disk.limit.bandwidth = try perSecond("--disk: bandwidth", size: value)
            case ("iops", let value?): disk.limit.operations = try perSecond("--disk: iops", count: value)
            default:
                throw Failure(
                    .usage, "--disk: \(quoted(part)) is none of ro, queues=N, bandwidth=SIZE and iops=N")
            }
        }
        return disk
    }

    private static func memoryFile(_ text: String) throws(Failure) -> MachineConfiguration.MemoryFile {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)[...]
        var file = MachineConfiguration.MemoryFile(path: parts.removeFirst())
        for part in parts {
            guard part == "ro" else { throw Failure(.usage, "--pmem: \(quoted(part)) is not ro") }
            file.isReadOnly = true
        }
        return file
    }

    private mutating func addNetwork(_ text: String) throws(Failure) {
        var card = MachineConfiguration.NetworkCard(tap: "")
        var limit = RateLimiter()
        var passt: [String]?
        for part in text.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
            switch Self.keyAndValue(part) {
            case ("tap", let value?): card.tap = value
            case ("socket", let value?): card.end = .socket(value)
            case ("passt", nil): passt = []
            case _ where passt != nil && part.hasPrefix("-"): passt?.append(part)
            case ("mac", let value?): card.address = try Self.address("--net", value)
            case ("mtu", let value?): card.mtu = try Self.mtu("--net: mtu", value)
            case ("queues", let value?): card.queues = try Self.number("--net: queues", value)
            case ("bandwidth", let value?): limit.bandwidth = try Self.perSecond("--net: bandwidth", size: value)
            case ("pps", let value?): limit.operations = try Self.perSecond("--net: pps", count: value)
            default:
                throw Failure(
                    .usage,
                    "--net: \(quoted(part)) is none of tap=NAME, socket=PATH, passt, mac=ADDRESS, mtu=N, queues=N, "
                        + "bandwidth=SIZE and pps=N")
            }
        }
        (card.receiveLimit, card.transmitLimit) = (limit, limit)
        add(card, passt: passt)
    }

    /// Adds a card; behind a passt of its own, where there are options for one.
    mutating func add(_ card: MachineConfiguration.NetworkCard, passt options: [String]?) {
        var card = card
        if let options {
            passts[machine.networks.count] = options
            card.end = .connection(Passt.notYet)
            card.mtu = card.mtu ?? Passt.mtu
        }
        machine.networks.append(card)
    }

    private static func mtu(_ option: String, _ text: String) throws(Failure) -> UInt16 {
        guard let mtu = UInt16(text) else { throw Failure(.usage, "\(option): \(quoted(text)) is not 68 to 65535") }
        return mtu
    }

    private static func perSecond(_ option: String, size text: String) throws(Failure) -> TokenBucket {
        TokenBucket(perSecond: try size(option, text))
    }

    private static func perSecond(_ option: String, count text: String) throws(Failure) -> TokenBucket {
        TokenBucket(perSecond: UInt64(try number(option, text)))
    }

    /// Six bytes as `02:00:00:00:00:01`.
    static func address(_ option: String, _ text: String) throws(Failure) -> [UInt8] {
        guard let bytes = hardwareAddress(text) else {
            throw Failure(.usage, "\(option): \(quoted(text)) is no address, as 02:00:00:00:00:01 is")
        }
        guard bytes[0] & 1 == 0 else { throw Failure(.usage, "\(option): \(quoted(text)) is the address of a group") }
        return bytes
    }

    private static func vsock(_ text: String) throws(Failure) -> MachineConfiguration.VsockPort {
        let parts = text.split(separator: ",", maxSplits: 1)
        guard parts.count == 2, let cid = UInt64(parts[0]) else {
            throw Failure(.usage, "--vsock: \(quoted(text)) is not CID,PATH")
        }
        return MachineConfiguration.VsockPort(cid: cid, path: String(parts[1]))
    }

    /// A port behind a colon, or the path of a socket.
    private static func debugger(_ text: String) throws(Failure) -> DebugAddress {
        guard text.hasPrefix(":") else {
            guard (1...107).contains(text.utf8.count) else {
                throw Failure(.usage, "--gdb: a Unix socket's path has 1 to 107 bytes")
            }
            return .path(text)
        }
        guard let port = UInt16(text.dropFirst()), port > 0 else {
            throw Failure(.usage, "--gdb: \(quoted(text)) is no port, as :1234 is")
        }
        return .port(port)
    }

    private static func share(_ text: String) throws(Failure) -> MachineConfiguration.SharedDirectory {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)[...]
        var share = MachineConfiguration.SharedDirectory(path: parts.removeFirst(), tag: "")
        for part in parts {
            switch keyAndValue(part) {
            case ("tag", let value?): share.tag = value
            case ("ro", nil): share.isReadOnly = true
            default: throw Failure(.usage, "--share: \(quoted(part)) is none of tag=NAME and ro")
            }
        }
        return share
    }

    static func keyAndValue(_ text: String) -> (String, String?) {
        guard let equals = text.firstIndex(of: "=") else { return (text, nil) }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
}

extension TokenBucket {
    /// So much a second. The bucket holds a tenth of it: a full one for a whole second would let twice as much pass in the
    /// first.
    init(perSecond amount: UInt64) {
        let size = max(amount / 10, 1)
        let (high, low) = size.multipliedFullWidth(by: 1_000_000_000)
        self.init(size: size, refillTime: amount == 0 ? 0 : amount.dividingFullWidth((high, low)).quotient)
    }
}
