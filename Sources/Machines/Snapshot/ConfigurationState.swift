import GuestMemory
import Linux
import Virtio

extension MachineConfiguration {
    private static let version: UInt32 = 0x4d43_0003

    /// All of it but what a restore says anew: whether dirty pages are logged.
    func encoded() -> [UInt8] {
        var encoder = StateEncoder(version: Self.version)
        encoder.write(kernel)
        encoder.write(bootProtocol.rawValue)
        encoder.write(initialRAMDisk)
        encoder.write(commandLine)
        encoder.write(UInt32(processors))
        encoder.write(UInt32(threadsPerCore))
        encoder.write(memory)
        encoder.write(pageSize.number)
        encoder.write(maximumProcessors.map { UInt32($0) })
        encoder.write(maximumMemory)
        encoder.write(UInt32(spareDevices))
        encoder.write(disks) { $1.encode(&$0) }
        encoder.write(networks) { $1.encode(&$0) }
        encoder.write(persistentMemory) { $1.encode(&$0) }
        encoder.write(vsock != nil)
        if let vsock {
            encoder.write(vsock.cid)
            encoder.write(vsock.path)
        }
        encoder.write(sharedDirectories) { encoder, share in
            encoder.write(share.path)
            encoder.write(share.tag)
            encoder.write(share.isReadOnly)
        }
        encoder.write(hasEntropy)
        entropyLimit.encode(&encoder)
        encoder.write(balloon != nil)
        balloon?.encode(&encoder)
        encoder.write(hasKeyboard)
        encoder.write(processorTemplate != nil)
        processorTemplate?.encode(&encoder)
        encoder.write(acceptsEmulation)
        return encoder.bytes
    }

    init(decoding bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: Self.version)
        self.init(kernel: try decoder.readText())
        let name = try decoder.readText()
        guard let known = BootProtocol(rawValue: name) else { throw .malformed("the boot protocol \(quoted(name))") }
        bootProtocol = known
        initialRAMDisk = try decoder.readOptionalText()
        commandLine = try decoder.readText()
        processors = Int(try decoder.read() as UInt32)
        threadsPerCore = Int(try decoder.read() as UInt32)
        memory = try decoder.read()
        pageSize = try GuestRegion.PageSize(number: try decoder.read())
        maximumProcessors = (try decoder.readOptional() as UInt32?).map { Int($0) }
        maximumMemory = try decoder.readOptional()
        spareDevices = Int(try decoder.read() as UInt32)
        disks = try decoder.readList(limit: Self.mostDevices) { (decoder) throws(StateError) in try Disk(&decoder) }
        networks = try decoder.readList(limit: Self.mostDevices) { (decoder) throws(StateError) in
            try NetworkCard(&decoder)
        }
        persistentMemory = try decoder.readList(limit: Self.mostDevices) { (decoder) throws(StateError) in
            try MemoryFile(&decoder)
        }
        if try decoder.readFlag() { vsock = VsockPort(cid: try decoder.read(), path: try decoder.readText()) }
        sharedDirectories = try decoder.readList(limit: Self.mostDevices) { (decoder) throws(StateError) in
            SharedDirectory(
                path: try decoder.readText(), tag: try decoder.readText(), isReadOnly: try decoder.readFlag())
        }
        hasEntropy = try decoder.readFlag()
        entropyLimit = try RateLimiter(&decoder)
        if try decoder.readFlag() { balloon = try BalloonChoice(&decoder) }
        hasKeyboard = try decoder.readFlag()
        if try decoder.readFlag() { processorTemplate = try ProcessorTemplate(&decoder) }
        acceptsEmulation = try decoder.readFlag()
        try decoder.finish()
    }
}

extension GuestRegion.PageSize {
    fileprivate var number: UInt8 {
        switch self {
        case .normal: 0
        case .transparentHuge: 1
        case .huge2M: 2
        }
    }

    fileprivate init(number: UInt8) throws(StateError) {
        guard number < 3 else { throw .malformed("pages of number \(number)") }
        self = [.normal, .transparentHuge, .huge2M][Int(number)]
    }
}

extension MachineConfiguration.Disk {
    func encode(_ encoder: inout StateEncoder) {
        encoder.write(path)
        encoder.write(isReadOnly)
        encoder.write(UInt16(queues))
        limit.encode(&encoder)
        let number: UInt8 =
            switch engine {
            case .automatic: 0
            case .synchronous: 1
            case .ioUring: 2
            }
        encoder.write(number)
        encoder.write(id)
    }

    init(_ decoder: inout StateDecoder) throws(StateError) {
        self.init(
            path: try decoder.readText(), isReadOnly: try decoder.readFlag(),
            queues: Int(try decoder.read() as UInt16), limit: try RateLimiter(&decoder))
        let number: UInt8 = try decoder.read()
        guard number < 3 else { throw .malformed("a disk's engine of number \(number)") }
        engine = [.automatic, .synchronous, .ioUring][Int(number)]
        id = try decoder.readText()
    }
}

extension MachineConfiguration.NetworkCard {
    func encode(_ encoder: inout StateEncoder) {
        switch end {
        case .tap(let name):
            encoder.write(0 as UInt8)
            encoder.write(name)
        case .socket(let path):
            encoder.write(1 as UInt8)
            encoder.write(path)
        // A machine with such a card is not saved: the number means nothing elsewhere.
        case .connection: preconditionFailure("a card's descriptor was to be saved")
        }
        encoder.write(address ?? [])
        encoder.write(UInt16(queues))
        receiveLimit.encode(&encoder)
        transmitLimit.encode(&encoder)
        encoder.write(mtu)
        encoder.write(id)
    }

    init(_ decoder: inout StateDecoder) throws(StateError) {
        let kind: UInt8 = try decoder.read()
        let name = try decoder.readText()
        switch kind {
        case 0: self.init(.tap(name))
        case 1: self.init(.socket(name))
        default: throw .malformed("the end of a network card's cable of number \(kind)")
        }
        let bytes = try decoder.readBlock()
        address = bytes.isEmpty ? nil : bytes
        queues = Int(try decoder.read() as UInt16)
        receiveLimit = try RateLimiter(&decoder)
        transmitLimit = try RateLimiter(&decoder)
        mtu = try decoder.readOptional()
        id = try decoder.readText()
    }
}

extension MachineConfiguration.MemoryFile {
    func encode(_ encoder: inout StateEncoder) {
        encoder.write(path)
        encoder.write(isReadOnly)
        limit.encode(&encoder)
        encoder.write(id)
    }

    init(_ decoder: inout StateDecoder) throws(StateError) {
        self.init(path: try decoder.readText(), isReadOnly: try decoder.readFlag(), limit: try RateLimiter(&decoder))
        id = try decoder.readText()
    }
}

extension MachineConfiguration.BalloonChoice {
    fileprivate func encode(_ encoder: inout StateEncoder) {
        encoder.write(target)
        encoder.write(deflatesOnOOM)
        encoder.write(reportsFreePages)
        encoder.write(hintsFreePages)
        encoder.write(statisticsInterval)
    }

    fileprivate init(_ decoder: inout StateDecoder) throws(StateError) {
        self.init(
            target: try decoder.read(), deflatesOnOOM: try decoder.readFlag(),
            reportsFreePages: try decoder.readFlag())
        hintsFreePages = try decoder.readFlag()
        statisticsInterval = try decoder.read()
    }
}

/// For the processors that come later: those that are there have their state.
extension ProcessorTemplate {
    /// More than any processor has of anything.
    private static let most = 1 << 16

    fileprivate func encode(_ encoder: inout StateEncoder) {
        encoder.write(neededCapabilities) { $0.write($1) }
        encoder.write(ignoredCapabilities.sorted()) { $0.write($1) }
        encoder.write(leaves) { encoder, leaf in
            encoder.write(leaf.leaf)
            encoder.write(leaf.subleaf)
            encoder.write(leaf.flags)
            encoder.write(leaf.changes) { encoder, change in
                encoder.write(change.register.rawValue)
                encoder.write(change.bitmap.mask)
                encoder.write(change.bitmap.value)
            }
        }
        encoder.write(registers) { encoder, register in
            encoder.write(register.index)
            encoder.write(register.bitmap.mask)
            encoder.write(register.bitmap.value)
        }
    }

    fileprivate init(_ decoder: inout StateDecoder) throws(StateError) {
        self.init()
        neededCapabilities = try decoder.readList(limit: Self.most) { (decoder) throws(StateError) in
            try decoder.read() as UInt32
        }
        ignoredCapabilities = Set(
            try decoder.readList(limit: Self.most) { (decoder) throws(StateError) in try decoder.read() as UInt32 })
        leaves = try decoder.readList(limit: Self.most) { (decoder) throws(StateError) in
            Leaf(
                try decoder.read(), try decoder.read(), flags: try decoder.read(),
                try decoder.readList(limit: 4) { (decoder) throws(StateError) in
                    let name = try decoder.readText()
                    guard let register = Register(rawValue: name) else {
                        throw .malformed("a template's register \(quoted(name))")
                    }
                    return Change(register, Bitmap(mask: try decoder.read(), value: try decoder.read()))
                })
        }
        registers = try decoder.readList(limit: Self.most) { (decoder) throws(StateError) in
            ModelRegister(try decoder.read(), Bitmap(mask: try decoder.read(), value: try decoder.read()))
        }
    }
}

/// Limits begin anew: full buckets, and what is extra once.
extension RateLimiter {
    fileprivate func encode(_ encoder: inout StateEncoder) {
        for bucket in [bandwidth, operations] {
            encoder.write(bucket != nil)
            guard let bucket else { continue }
            encoder.write(bucket.size)
            encoder.write(bucket.refillTime)
            encoder.write(bucket.oneTimeBurst)
        }
    }

    fileprivate init(_ decoder: inout StateDecoder) throws(StateError) {
        func bucket() throws(StateError) -> TokenBucket? {
            guard try decoder.readFlag() else { return nil }
            return TokenBucket(
                size: try decoder.read(), refillTime: try decoder.read(), oneTimeBurst: try decoder.read())
        }
        self.init(bandwidth: try bucket(), operations: try bucket())
    }
}
