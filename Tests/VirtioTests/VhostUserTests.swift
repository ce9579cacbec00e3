import Glibc
import GuestMemory
import Linux
import TestSupport
import Testing

@testable import Virtio

/// Requests by their numbers.
private enum Number {
    static let getFeatures: UInt32 = 1
    static let setFeatures: UInt32 = 2
    static let setOwner: UInt32 = 3
    static let setMemory: UInt32 = 5
    static let setSize: UInt32 = 8
    static let setAddresses: UInt32 = 9
    static let setBase: UInt32 = 10
    static let getBase: UInt32 = 11
    static let setKick: UInt32 = 12
    static let setCall: UInt32 = 13
    static let getProtocol: UInt32 = 15
    static let setProtocol: UInt32 = 16
    static let getQueues: UInt32 = 17
    static let enable: UInt32 = 18
    static let getConfiguration: UInt32 = 24
}

@Suite struct VhostUserTests {
    private static let timeout: UInt64 = 100_000_000
    /// What is asked before there is a device, and at each start.
    static let questions: [UInt32] = [
        Number.getFeatures, Number.getProtocol, Number.getQueues, Number.getConfiguration,
    ]
    static let startRequests: [UInt32] = [
        Number.setFeatures, Number.setMemory, Number.setSize, Number.setBase, Number.setAddresses, Number.setCall,
        Number.setKick, Number.enable,
    ]

    private func connect(
        _ options: FakeBackend.Options = .init(), timeout: UInt64 = 20_000_000_000
    ) throws -> (VhostUserFrontend, FakeBackend) {
        let (backend, socket) = try FakeBackend.connected(options)
        return (try VhostUserFrontend(Descriptor(owning: socket), timeout: timeout), backend)
    }

    /// A machine whose memory is in two pieces.
    private func machine(_ frontend: VhostUserFrontend, queueCount: UInt16 = 1) throws -> FakeMachine {
        let memory = try GuestMemory([
            GuestRegion.Plan(start: GuestAddress(0), size: 8 << 20, backing: .shared),
            GuestRegion.Plan(start: GuestAddress(1 << 32), size: 1 << 20, backing: .shared),
        ])
        return try FakeMachine(try VhostUserBlock(frontend, queueCount: queueCount), memory: memory)
    }

    // MARK: - What works

    @Test("a backend is asked for features, queues and configuration, and the driver reads what it said")
    func agrees() throws {
        let (frontend, backend) = try connect()
        #expect(
            backend.messages.map(\.request) == [
                Number.setOwner, Number.getFeatures, Number.getProtocol, Number.setProtocol, Number.getQueues,
                Number.getConfiguration,
            ])
        #expect(backend.messages[3].payload == bytes(UInt64(1 << 0 | 1 << 3 | 1 << 9)))
        let machine = try machine(frontend, queueCount: 2)
        // No packed ring, no order, which the backend does not have; more than one queue only with MQ.
        #expect(machine.offered.rawValue == 1 << 32 | 1 << 29 | 1 << 28 | 1 << 9 | 1 << 5 | 1 << 2)
        #expect(machine.read(.deviceID) == 2)
        #expect(machine.configuration(0, as: UInt64.self) == 2048)
        #expect(machine.configuration(8, as: UInt32.self) == 0xabab_abab)
        #expect(machine.configuration(34, as: UInt16.self) == 2)
        #expect((machine.device as? VhostUserBlock)?.isReadOnly == true)
    }

    @Test("the backend gets the memory and the queues, and both eventfds", arguments: [true, false])
    func isStarted(acknowledges: Bool) throws {
        var options = FakeBackend.Options()
        if !acknowledges { options.protocolFeatures &= ~(1 << 3) }
        let (frontend, backend) = try connect(options)
        let machine = try machine(frontend)
        let before = backend.messages.count
        try machine.boot(queueSize: 64)
        #expect(machine.status == [.acknowledge, .driver, .featuresOK, .driverOK])
        var messages = Array(backend.messages[before...])
        // Without acknowledgements a question shows that all was seen.
        if !acknowledges { #expect(messages.removeLast().request == Number.getFeatures) }
        #expect(messages.map(\.request) == Self.startRequests)
        try #require(messages.count == Self.startRequests.count)
        #expect(messages[0].payload == bytes(machine.transport.negotiatedFeatures.rawValue | 1 << 30))
        let base: UInt64 = 1 << 44
        #expect(
            messages[1].payload == bytes(UInt32(2), UInt32(0)) + bytes(UInt64(0), UInt64(8 << 20), base, UInt64(0))
                + bytes(UInt64(1) << 32, UInt64(1 << 20), base + 1 << 32, UInt64(0)))
        #expect(messages[1].descriptors == 2)
        #expect(messages[2].payload == bytes(UInt32(0), UInt32(64)))
        let queue = machine.queues[0]
        #expect(
            messages[4].payload == bytes(UInt32(0), UInt32(0), base + queue.descriptors.rawValue)
                + bytes(base + queue.device.rawValue, base + queue.driver.rawValue, UInt64(0)))
        #expect(messages[5].descriptors == 1 && messages[6].descriptors == 1)
        #expect(messages[7].payload == bytes(UInt32(0), UInt32(1)))
        // What the backend writes to is what the hypervisor reads: nothing of it passes the loop.
        let event = try #require(machine.line.event)
        _ = try event.counter.take()
        backend.interrupt()
        #expect(try event.counter.take() == 1)
        #expect(machine.line.take() == 0)
        #expect(try machine.loop.poll(timeoutMilliseconds: 0) == 0)
    }

    @Test("each queue goes to the backend; a pause takes it back, and a reset")
    func stops() throws {
        let (frontend, backend) = try connect()
        let machine = try machine(frontend, queueCount: 3)
        try machine.boot()
        var before = backend.messages.count
        machine.transport.pause()
        #expect(backend.messages[before...].map(\.request) == Array(repeating: Number.getBase, count: 3))
        before = backend.messages.count
        machine.transport.resume()
        let bases = backend.messages[before...].filter { $0.request == Number.setBase }
        #expect(bases.map(\.payload) == (0..<3).map { bytes(UInt32($0), UInt32(7)) })
        #expect(machine.status.isDisjoint(with: .needsReset))
        before = backend.messages.count
        machine.write(.status, 0)
        #expect(backend.messages[before...].map(\.request) == Array(repeating: Number.getBase, count: 3))
        before = backend.messages.count
        // The next driver begins at the beginning.
        try machine.boot()
        #expect(
            backend.messages[before...].filter { $0.request == Number.setBase }.map(\.payload)
                == (0..<3).map { bytes(UInt32($0), UInt32(0)) })
    }

    @Test("a used buffer is always shown as a cause, whatever is acknowledged; a changed configuration, until it is")
    func causes() throws {
        let (frontend, backend) = try connect()
        let pages = try RegisterPages(count: 1)
        let memory = try GuestMemory([GuestRegion.Plan(start: GuestAddress(0), size: 8 << 20, backing: .shared)])
        let device = try VhostUserBlock(frontend)
        let machine = try FakeMachine(device, memory: memory, registers: pages.page(0))
        try machine.boot()
        #expect(machine.read(.interruptStatus) == 1)
        backend.change { $0.sectors = 4096 }
        let generation = machine.read(.configurationGeneration)
        try device.refreshConfiguration()
        #expect(machine.line.take() == 1)
        #expect(machine.read(.interruptStatus) == 3)
        #expect(machine.configuration(0, as: UInt64.self) == 4096)
        #expect(machine.read(.configurationGeneration) != generation)
        machine.write(.interruptAcknowledge, 3)
        #expect(machine.read(.interruptStatus) == 1)
        machine.line.kept = [1]
        #expect(machine.read(.interruptStatus) == 1)
        machine.write(.status, 0)
        #expect(machine.read(.interruptStatus) == 1)
        // Another device in its place is as others are.
        pages.page(0).clear()
        #expect(machine.read(.interruptStatus) == 0)
        #expect(device.counts.configurationTime > 0 && device.counts.configurationFailures == 0)
    }

    @Test("the backend hears of memory that came, while no queue is at work")
    func memoryGrows() throws {
        let (frontend, backend) = try connect()
        let memory = try GuestMemory(
            [GuestRegion.Plan(start: GuestAddress(0), size: 8 << 20, backing: .shared)], spare: 8)
        let machine = try FakeMachine(try VhostUserBlock(frontend), memory: memory)
        try machine.boot()
        let before = backend.messages.count
        for index in 1..<9 {
            try memory.append(
                GuestRegion.Plan(start: GuestAddress(UInt64(index) << 30), size: 1 << 20, backing: .shared)
            ) { (_, _) throws(SystemError) in }
            machine.transport.memoryGrew()
        }
        let tables = backend.messages[before...].filter { $0.request == Number.setMemory }
        #expect(tables.map(\.descriptors) == Array(2...8))
        #expect(backend.messages[before].request == Number.getBase)
        // A ninth piece is one too many, which is a fault and not the end.
        #expect(machine.status.contains(.needsReset))
        #expect(machine.transport.fault?.description == "SET_MEM_TABLE: 9 pieces of memory are more than 8")
    }

    // MARK: - What does not

    @Test(
        "a backend that does not answer as it should when it is met is refused, and nothing stays open",
        arguments: questions, FakeBackend.Misbehaviour.allCases)
    func answersWrongly(_ request: UInt32, _ how: FakeBackend.Misbehaviour) throws {
        // Any number is an answer to these.
        if how == .refuses, request != Number.getConfiguration { return }
        var options = FakeBackend.Options()
        options.fault = (request, how)
        let (backend, socket) = try FakeBackend.connected(options)
        let error = #expect(throws: VhostUserError.self) {
            try VhostUserFrontend(
                Descriptor(owning: socket), timeout: how == .hangs ? Self.timeout : 20_000_000_000)
        }
        #expect(error?.request?.rawValue == request)
        expect(error, how)
        backend.join()
        expectNothingOpen(backend)
    }

    @Test(
        "a backend that fails at a start is a fault of the device; the guest goes on, and its next start tells the same",
        arguments: startRequests, FakeBackend.Misbehaviour.allCases)
    func startsWrongly(_ request: UInt32, _ how: FakeBackend.Misbehaviour) throws {
        let (frontend, backend) = try connect(timeout: how == .hangs ? Self.timeout : 20_000_000_000)
        let machine = try machine(frontend)
        backend.change { $0.fault = (request, how) }
        try machine.boot()
        #expect(machine.status.contains([.driverOK, .needsReset]))
        guard case .backend(let error)? = machine.transport.fault else {
            Issue.record("the fault is \(String(describing: machine.transport.fault))")
            return
        }
        #expect(error.request?.rawValue == request)
        expect(error, how)
        #expect((machine.device as? VhostUserBlock)?.counts.activationFailures == 1)
        #expect(machine.configuration(0, as: UInt64.self) == 2048)
        backend.change { $0.fault = nil }
        try machine.boot()
        // Who only said no is still there.
        #expect(machine.status.contains(.needsReset) == (how != .refuses))
        machine.transport.shutDown()
        frontend.withSocket { _ = shutdown($0.rawValue, CInt(SHUT_RDWR)) }
        backend.join()
        expectNothingOpen(backend)
    }

    @Test(
        "a backend that does not give a queue back has it no longer: going on is a fault, and nobody waits again",
        arguments: FakeBackend.Misbehaviour.allCases)
    func stopsWrongly(_ how: FakeBackend.Misbehaviour) throws {
        if how == .refuses { return }
        let (frontend, backend) = try connect(timeout: how == .hangs ? Self.timeout : 20_000_000_000)
        let machine = try machine(frontend)
        try machine.boot()
        backend.change { $0.fault = (Number.getBase, how) }
        machine.transport.pause()
        machine.transport.resume()
        guard case .backend(let error)? = machine.transport.fault else {
            Issue.record("the fault is \(String(describing: machine.transport.fault))")
            return
        }
        expect(error, how)
        backend.join()
        expectNothingOpen(backend)
    }

    @Test("a configuration that can't be read again leaves the old one")
    func refreshFails() throws {
        let (frontend, backend) = try connect()
        let machine = try machine(frontend)
        try machine.boot()
        let device = try #require(machine.device as? VhostUserBlock)
        backend.change { $0.fault = (Number.getConfiguration, .closes) }
        let error = #expect(throws: VhostUserError.self) { try device.refreshConfiguration() }
        #expect(error?.reason == .closed)
        #expect(device.counts.configurationFailures == 1)
        #expect(machine.configuration(0, as: UInt64.self) == 2048)
        machine.run()
        #expect(machine.status.contains(.needsReset))
    }

    @Test("the end of the backend is noticed by itself")
    func backendLeaves() throws {
        let (frontend, backend) = try connect()
        let machine = try machine(frontend)
        try machine.boot()
        backend.leave()
        try machine.run { machine.status.contains(.needsReset) }
        #expect(machine.transport.fault == .backend(VhostUserError(nil, .closed)))
        #expect(machine.read(.interruptStatus) == 3)
        #expect(machine.line.take() == 1)
        #expect(try machine.loop.poll(timeoutMilliseconds: 0) == 0)
    }

    @Test("a backend that lacks what is needed is refused by name")
    func lacks() throws {
        for (change, word) in [
            ({ $0.features &= ~(1 << 30) }, "configuration"), ({ $0.protocolFeatures &= ~(1 << 9) }, "configuration"),
            ({ $0.features &= ~(1 << 32) }, "virtio 1"),
        ] as [((inout FakeBackend.Options) -> Void, String)] {
            var options = FakeBackend.Options()
            change(&options)
            let error = #expect(throws: VhostUserError.self) { _ = try connect(options) }
            #expect(error?.description.contains(word) == true)
        }
        let (frontend, _) = try connect()
        #expect(throws: VhostUserError.self) { try VhostUserBlock(frontend, queueCount: 5) }
        let device = try VhostUserBlock(frontend)
        #expect(throws: VhostUserError.self) { try VhostUserBlock(frontend) }
        // Memory of this process alone.
        let machine = try FakeMachine(device)
        try machine.boot()
        #expect(machine.transport.fault?.description == "SET_MEM_TABLE: the guest's memory can't be shared")
    }

    @Test("the connection is free for another device when one has gone")
    func isFreed() throws {
        let (frontend, _) = try connect()
        do { _ = try VhostUserBlock(frontend) }
        #expect(try VhostUserBlock(frontend).queueSizes == [256])
    }

    @Test("where nobody listens, or nobody accepts, that is said at once or in time")
    func connects() throws {
        let folder = SharedFolder()
        let error = #expect(throws: VhostUserError.self) {
            try VhostUserFrontend(connectingTo: "\(folder.path)/none")
        }
        guard case .refused(let why)? = error?.reason else { return #expect(error?.reason == .closed) }
        #expect(why.errno == .noSuchFileOrDirectory && error?.request == nil)
        let listener = try UnixSocket.listen(at: "\(folder.path)/socket", backlog: 1)
        let late = #expect(throws: VhostUserError.self) {
            try VhostUserFrontend(connectingTo: "\(folder.path)/socket", timeout: Self.timeout)
        }
        #expect(late == VhostUserError(.getFeatures, .timedOut))
        _ = consume listener
    }

    @Test("the guest's memory can't be made smaller by who has its file")
    func sealed() throws {
        let memory = try GuestMemory([GuestRegion.Plan(start: GuestAddress(0), size: 1 << 20, backing: .shared)])
        #expect(memory.isShared)
        let number = try #require(memory.withRegion(0) { $0.rawDescriptor })
        #expect(ftruncate(number, 4096) == -1 && errno == EPERM)
        #expect(ftruncate(number, 2 << 20) == -1 && errno == EPERM)
        #expect(try !GuestMemory(size: 1 << 20).isShared)
    }

    @Test("its state is nobody's to take up")
    func state() throws {
        let (frontend, _) = try connect()
        let machine = try machine(frontend)
        try machine.boot()
        machine.transport.pause()
        #expect(throws: StateError.self) { try machine.transport.restore(machine.transport.save()) }
    }

    // MARK: - Parts

    private func expect(_ error: VhostUserError?, _ how: FakeBackend.Misbehaviour) {
        switch (how, error?.reason) {
        case (.closes, .closed), (.endsShort, .closed), (.hangs, .timedOut), (.refuses, .failed): break
        case (.answersAnother, .answer), (.answersUnmarked, .answer), (.answersOtherVersion, .answer),
            (.answersLong, .answer), (.answersShort, .answer), (.sendsDescriptors, .answer), (.refuses, .answer):
            break
        default: Issue.record("\(how) is \(String(describing: error))")
        }
    }

    /// The backend saw the end of the connection, and a descriptor that it sent is nobody's.
    private func expectNothingOpen(_ backend: FakeBackend) {
        #expect(backend.hasEnded)
        #expect(backend.isSentDescriptorClosed())
    }
}
