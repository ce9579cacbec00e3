import Virtio

extension SerialPort.State {
    func encode(_ encoder: inout StateEncoder) {
        encoder.write(received)
        encoder.write(interruptEnable)
        encoder.write(isFIFOEnabled)
        encoder.write(lineControl)
        encoder.write(modemControl)
        encoder.write(scratch)
        encoder.write(divisor)
        // A guest that waits for room has it in the restored machine, where no output is kept.
        encoder.write(isTransmitPending || output.count >= SerialPort.outputSize)
        encoder.write(isHigh)
    }

    init(_ decoder: inout StateDecoder) throws(StateError) {
        received = try decoder.readBlock()
        guard received.count <= SerialPort.fifoSize else {
            throw .malformed("a serial port that received \(received.count) bytes")
        }
        interruptEnable = try decoder.read()
        isFIFOEnabled = try decoder.readFlag()
        lineControl = try decoder.read()
        modemControl = try decoder.read()
        scratch = try decoder.read()
        divisor = try decoder.read()
        isTransmitPending = try decoder.readFlag()
        isHigh = try decoder.readFlag()
    }
}

extension Keyboard.State {
    func encode(_ encoder: inout StateEncoder) {
        encoder.write(waiting)
        encoder.write(commandByte)
        encoder.write(controllerCommand)
        encoder.write(keyboardCommand)
    }

    init(_ decoder: inout StateDecoder) throws(StateError) {
        waiting = try decoder.readBlock()
        guard waiting.count <= Keyboard.mostWaiting else {
            throw .malformed("a keyboard with \(waiting.count) bytes that wait")
        }
        commandByte = try decoder.read()
        controllerCommand = try decoder.readOptional()
        keyboardCommand = try decoder.readOptional()
    }
}

extension HotplugController.State {
    func encode(_ encoder: inout StateEncoder) {
        encoder.write(events)
        encoder.write(processors)
        encoder.write(newProcessors)
        encoder.write(memory) { encoder, piece in
            encoder.write(piece.start)
            encoder.write(piece.size)
        }
        encoder.write(newMemory)
        encoder.write(devices)
        encoder.write(changedDevices)
        encoder.write(leavingDevices)
        encoder.write(newRequests)
    }

    init(_ decoder: inout StateDecoder) throws(StateError) {
        self.init()
        events = try decoder.read()
        processors = try decoder.read()
        newProcessors = try decoder.read()
        memory = try decoder.readList(limit: HotplugPlan.mostMemorySlots) { (decoder) throws(StateError) in
            HotplugController.Piece(start: try decoder.read(), size: try decoder.read())
        }
        newMemory = try decoder.read()
        devices = try decoder.read()
        changedDevices = try decoder.read()
        leavingDevices = try decoder.read()
        newRequests = try decoder.read()
    }
}

/// What a PC has besides, as one section.
struct LegacyDeviceState: Hashable, Sendable {
    private static let version: UInt32 = 0x4c44_0002

    var serial: SerialPort.State
    var keyboard: Keyboard.State
    var hotplug: HotplugController.State

    init(serial: SerialPort.State, keyboard: Keyboard.State, hotplug: HotplugController.State) {
        self.serial = serial
        self.keyboard = keyboard
        self.hotplug = hotplug
    }

    func encoded() -> [UInt8] {
        var encoder = StateEncoder(version: Self.version)
        serial.encode(&encoder)
        keyboard.encode(&encoder)
        hotplug.encode(&encoder)
        return encoder.bytes
    }

    init(decoding bytes: [UInt8]) throws(StateError) {
        var decoder = try StateDecoder(bytes, version: Self.version)
        serial = try SerialPort.State(&decoder)
        keyboard = try Keyboard.State(&decoder)
        hotplug = try HotplugController.State(&decoder)
        try decoder.finish()
    }
}
