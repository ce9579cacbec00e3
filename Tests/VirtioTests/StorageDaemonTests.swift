import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

private let read: UInt32 = 0
private let write: UInt32 = 1
private let flush: UInt32 = 4

/// A disk that somebody else's program really serves.
@Suite(.needs(.program("qemu-storage-daemon"))) struct StorageDaemonTests {
    private func machine(_ daemon: StorageDaemon, queueCount: UInt16 = 1) throws -> FakeMachine {
        let frontend = try VhostUserFrontend(connectingTo: daemon.socket, timeout: 60_000_000_000)
        let memory = try GuestMemory(
            [GuestRegion.Plan(start: GuestAddress(0), size: 32 << 20, backing: .shared)], spare: 1)
        return try FakeMachine(try VhostUserBlock(frontend, queueCount: queueCount), memory: memory)
    }

    private func expectPattern(
        _ machine: FakeMachine, sector: UInt64, queue: Int = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let answer = try machine.request(read, sector: sector, in: [512, 512], queue: queue)
        #expect(answer.status == 0 && answer.length == 1025, sourceLocation: sourceLocation)
        let expected = (0..<2).flatMap {
            [UInt8](repeating: UInt8(truncatingIfNeeded: (Int(sector) + $0) &* 7), count: 512)
        }
        #expect(answer.data == expected, sourceLocation: sourceLocation)
    }

    @Test("what the guest writes is in the file, in every layout that both know")
    func readsAndWrites() throws {
        for layout in [[], .indirectDescriptors, .eventIndex] as [Features] {
            let daemon = try StorageDaemon(size: 1 << 20)
            let machine = try machine(daemon)
            let event = try #require(machine.line.event)
            try machine.boot(layout.union(Features(rawValue: 0xff_ffff)))
            #expect(machine.configuration(0, as: UInt64.self) == 2048)
            let indirect = layout.contains(.indirectDescriptors)
            try expectPattern(machine, sector: 3)
            #expect(try event.counter.take() > 0)
            let data = (0..<2048).map { UInt8(truncatingIfNeeded: $0 &* 13) }
            let answer = try machine.request(
                write, sector: 2044, out: [Array(data[..<100]), Array(data[100...])], indirect: indirect)
            #expect(answer.status == 0 && answer.length == 1)
            #expect(try machine.request(flush).status == 0)
            #expect(try daemon.bytes(sector: 2044, count: 2048) == data)
            #expect(machine.status.isDisjoint(with: .needsReset))
            #expect(machine.line.take() == 0)
        }
    }

    @Test("a queue goes on where it was after a pause, with more memory, and from the beginning after a reset")
    func pausesAndResets() throws {
        let daemon = try StorageDaemon(size: 1 << 20)
        let machine = try machine(daemon)
        try machine.boot()
        for sector in 0..<5 { try expectPattern(machine, sector: UInt64(sector)) }
        machine.transport.pause()
        // A driver at the pause's time.
        let room = machine.room(512)
        try machine.queues[0].add(machine.place(bytes(read, UInt32(0), UInt64(9))), room, machine.room(1))
        try machine.queues[0].kick()
        machine.transport.resume()
        var used: UInt32?
        try machine.run {
            used = try machine.queues[0].takeUsed()?.length
            return used != nil
        }
        #expect(used == 513)
        #expect(try machine.contents(room) == daemon.bytes(sector: 9, count: 512))
        try expectPattern(machine, sector: 17)
        try machine.memory.append(
            GuestRegion.Plan(start: GuestAddress(1 << 30), size: 1 << 20, backing: .shared)
        ) { (_, _) throws(SystemError) in }
        machine.transport.memoryGrew()
        try expectPattern(machine, sector: 18)
        try machine.boot()
        try expectPattern(machine, sector: 19)
        #expect(machine.status.isDisjoint(with: .needsReset))
    }

    @Test("each queue works; a disk that may not be written says so")
    func queues() throws {
        let daemon = try StorageDaemon(size: 1 << 20, isWritable: false, queues: 2)
        let machine = try machine(daemon, queueCount: 2)
        #expect((machine.device as? VhostUserBlock)?.isReadOnly == true)
        try machine.boot()
        #expect(machine.configuration(34, as: UInt16.self) == 2)
        for queue in 0..<2 { try expectPattern(machine, sector: UInt64(queue), queue: queue) }
        #expect(try machine.request(write, out: [[UInt8](repeating: 1, count: 512)]).status == 1)
    }

    @Test("its configuration is read again when that is asked for, and the driver is told")
    func refreshes() throws {
        let daemon = try StorageDaemon(size: 1 << 20)
        let machine = try machine(daemon)
        try machine.boot()
        try #require(machine.device as? VhostUserBlock).refreshConfiguration()
        #expect(machine.configuration(0, as: UInt64.self) == 2048)
        #expect(machine.line.take() == 1 && machine.read(.interruptStatus) == 3)
        try expectPattern(machine, sector: 1)
    }

    @Test("when it is killed the device needs a reset, and the driver can still speak to its registers")
    func isKilled() throws {
        let daemon = try StorageDaemon(size: 1 << 20)
        let machine = try machine(daemon)
        try machine.boot()
        try expectPattern(machine, sector: 1)
        daemon.end()
        try machine.run { machine.status.contains(.needsReset) }
        machine.write(.status, 0)
        #expect(machine.status == [])
        try machine.boot()
        #expect(machine.status.contains(.needsReset))
    }
}
