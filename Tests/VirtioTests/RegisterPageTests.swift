import GuestMemory
import Testing

@testable import Virtio

/// Registers as memory that a guest reads, and acknowledgements that come late.
@Suite struct RegisterPageTests {
    private let pages: RegisterPages
    private let machine: FakeMachine

    init() throws {
        pages = try RegisterPages(count: 3)
        machine = try FakeMachine(try Entropy(queueSize: 32), registers: pages.page(1))
    }

    /// What a guest sees in its device's page.
    private subscript(register: MMIORegister) -> UInt32 {
        pages.memory.load(fromByteOffset: 0x1000 + Int(register.rawValue), as: UInt32.self)
    }

    private func request() throws {
        try machine.queues[0].submit(machine.room(16))
        #expect(try machine.queues[0].takeAllUsed().count == 1)
    }

    @Test func aPageIsOneDevicesAlone() throws {
        try machine.boot()
        #expect(self[.magicValue] == 0x7472_6976 && self[.deviceID] == 4)
        for place in [0, 2] {
            #expect(pages.memory[place * 0x1000..<(place + 1) * 0x1000].allSatisfy { $0 == 0 })
        }
    }

    @Test func everyRegisterIsThereAtAnyTime() throws {
        func compare(_ moment: String) {
            for offset in stride(from: UInt64(0), to: 0x1000, by: 4) {
                let register = MMIORegister(rawValue: offset)
                #expect(self[register] == machine.read(register), "\(moment): \(offset)")
            }
        }
        compare("reset")
        machine.write(.deviceFeaturesSelect, 1)
        #expect(self[.deviceFeatures] & 1 == 1, "VERSION_1")
        machine.negotiate(.version1)
        #expect(self[.status] == 11)
        machine.write(.queueSize, 16)
        machine.write(.queueReady, 1)
        #expect(self[.queueReady] == 1 && self[.queueSizeMax] == 32)
        machine.write(.queueSelect, 1)
        #expect(self[.queueReady] == 0 && self[.queueSizeMax] == 0)
        compare("a queue is ready")
        try machine.boot()
        try request()
        #expect(self[.status] == 15 && self[.interruptStatus] == 1)
        compare("interrupted")
        machine.write(.interruptAcknowledge, 1)
        #expect(self[.interruptStatus] == 0)
        // A buffer outside of memory: the device's own doing, in no access of the driver's.
        try machine.queues[0].submit(
            FakeBuffer(address: GuestAddress(1 << 40), count: 8, isWritable: true))
        #expect(DeviceStatus(rawValue: UInt8(self[.status])).contains(.needsReset) && self[.interruptStatus] == 2)
        compare("in need of a reset")
    }

    @Test func aLateAcknowledgementTakesNothingAway() throws {
        try machine.boot()
        try request()
        // The driver has acknowledged it; nobody has told the device.
        machine.line.kept = [1]
        #expect(self[.interruptStatus] == 1)
        try request()
        #expect(self[.interruptStatus] == 1 && machine.line.kept == [], "the second one's")
        #expect(machine.line.take() == 2)
        machine.line.kept = [1]
        #expect(machine.read(.interruptStatus) == 0)
    }

    @Test func whatIsSavedKnowsLateAcknowledgements() throws {
        try machine.boot()
        try request()
        machine.transport.pause()
        #expect(machine.transport.save().interruptCause == .usedBuffer)
        machine.line.kept = [1]
        #expect(machine.transport.save().interruptCause == [])
    }

    @Test func whoIsGoneShowsNothing() throws {
        try machine.boot()
        machine.transport.shutDown()
        pages.page(1).clear()
        machine.write(.status, 1)
        machine.write(.queueSelect, 0)
        machine.write(.deviceFeaturesSelect, 0)
        machine.transport.write(0x100, 1, width: 4)
        #expect(pages.memory.allSatisfy { $0 == 0 })
    }
}
