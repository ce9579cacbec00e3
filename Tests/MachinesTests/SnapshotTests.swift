#if arch(x86_64)
    import Glibc
    import GuestMemory
    import Linux
    import OCI
    import TestSupport
    import Testing

    @testable import Machines
    @testable import Virtio

    extension MachineTests {
        /// Machines that count, saved and restored: even a KVM of software runs them.
        @Suite(.serialized) struct SnapshotTests {
            private let scratch = Scratch()

            private func machine(_ change: (inout MachineConfiguration) -> Void = { _ in }) throws -> Machine {
                var configuration = MachineConfiguration(
                    kernel: try scratch.file("kernel", TestELF(code: CountingGuest.code).bytes))
                configuration.memory = 16 << 20
                configuration.acceptsEmulation = true
                change(&configuration)
                return try Machine(configuration)
            }

            private func files(_ name: String) throws -> SnapshotFiles {
                SnapshotFiles(
                    state: try scratch.file("\(name).state", []), memory: try scratch.file("\(name).memory", []))
            }

            private func restore(_ files: SnapshotFiles, tracks: Bool = false) throws -> Machine {
                var snapshot = try Snapshot(readingFrom: files.state)
                snapshot.configuration.tracksDirtyPages = tracks
                return try Machine(restoring: snapshot, memory: .file(files.memory))
            }

            @Test func aGuestGoesOnWhereItWasSaved() throws {
                let files = try files("one")
                let saved = try machine { $0.processors = 2 }
                try saved.start()
                #expect(try CountingGuest.goesOn(saved))
                #expect(throws: MachineError.self) { try saved.save(to: files) }
                try saved.pause()
                let count = try CountingGuest.count(saved)
                try saved.save(to: files, note: Array("by hand".utf8))
                try saved.resume()
                #expect(try CountingGuest.goesOn(saved))
                saved.stop()
                _ = saved.wait()

                #expect(try Snapshot(readingFrom: files.state).note == Array("by hand".utf8))
                let machine = try restore(files)
                #expect(machine.isPaused)
                #expect(try CountingGuest.count(machine) == count)
                try machine.start()
                #expect(try CountingGuest.isStill(machine))
                try machine.resume()
                #expect(try CountingGuest.goesOn(machine))
                #expect(try CountingGuest.count(machine) > count)
                machine.stop()
                #expect(machine.wait() == .stopped)
                // The guest's own writes are its own.
                let again = try restore(files)
                #expect(try CountingGuest.count(again) == count)
            }

            /// A paused machine and its files.
            private func saved(
                _ name: String, _ change: (inout MachineConfiguration) -> Void = { _ in }
            ) throws -> (machine: Machine, files: SnapshotFiles) {
                let (machine, files) = (try machine(change), try files(name))
                try machine.start()
                #expect(try CountingGuest.goesOn(machine))
                try machine.pause()
                try machine.save(to: files)
                return (machine, files)
            }

            private func refusal(_ files: SnapshotFiles) -> String {
                do {
                    _ = try restore(files)
                    return "none"
                } catch { return "\(error)" }
            }

            /// Whether two saves have the same memory, but for their marks.
            private func isSame(_ one: SnapshotFiles, _ other: SnapshotFiles) -> Bool {
                let (mark, end) = (GenerationID.saveAddress, GenerationID.saveAddress + UInt64(GenerationID.size))
                return system(
                    "cmp -n \(mark) \(one.memory) \(other.memory) && cmp -i \(end) \(one.memory) \(other.memory)") == 0
            }

            @Test func aChangedFileIsRefused() throws {
                let (_, files) = try saved("flip") { $0.hotplugMemory = .init(size: 128 << 20) }
                let whole = try readFile(files.state)
                func refuses(_ bytes: [UInt8]) -> Bool { (try? Snapshot(decoding: bytes)) == nil }
                #expect(!refuses(whole))
                // Each section is met; all bits are those of the format's own tests.
                for place in stride(from: 0, to: whole.count, by: 397) {
                    var bytes = whole
                    bytes[place] ^= 1 << UInt8(place % 8)
                    #expect(refuses(bytes), "byte \(place)")
                }
                for count in stride(from: 0, to: whole.count, by: 911) { #expect(refuses(Array(whole.prefix(count)))) }
                // Whole sections that end early, sealed as if they were right.
                let file = try StateFile(whole)
                for kind in StateFile.Section.allCases where kind != .note {
                    let content = try file.section(kind)
                    for count in Set([4, content.count - 1]) where count < content.count {
                        var cut = file
                        cut.sections[kind] = Array(content.prefix(count))
                        #expect(refuses(cut.encoded), "\(kind) of \(count)")
                    }
                    var without = file
                    without.sections[kind] = nil
                    #expect(refuses(without.encoded), "\(kind)")
                }
            }

            @Test func memoryThatIsNotTheStatesIsRefused() throws {
                let (machine, one) = try saved("a")
                let two = try files("b")
                try machine.save(to: two)
                let mixed = SnapshotFiles(state: one.state, memory: two.memory)
                #expect(refusal(mixed).contains("it was not saved together with this state"))
                #expect(refusal(.init(state: one.state, memory: "/nowhere/memory")).contains("ENOENT"))
                try #require(truncate(two.memory, 8 << 20) == 0)
                #expect(refusal(two).contains("has 8388608 bytes instead of 16777216"))
                #expect(refusal(.init(state: one.memory, memory: one.memory)).contains("no snapshot of a machine"))
                #expect(refusal(.init(state: "/nowhere/state", memory: one.memory)).contains("ENOENT"))
                #expect(refusal(one) == "none")
            }

            @Test func disksThatAreNotTheSameAreRefused() throws {
                let disk = try scratch.hole("disk", size: 1 << 20)
                let (machine, files) = try saved("d") { $0.disks = [.init(path: disk)] }
                machine.stop()
                _ = machine.wait()
                #expect(refusal(files) == "none")
                try #require(truncate(disk, 2 << 20) == 0)
                #expect(refusal(files).contains("device 0 (disk)"), "\(refusal(files))")
                var snapshot = try Snapshot(readingFrom: files.state)
                snapshot.configuration.disks[0].path = "\(scratch.path)/none"
                #expect(throws: MachineError.self) { try Machine(restoring: snapshot, memory: .file(files.memory)) }
                // Without its disk it is another machine.
                snapshot.configuration.disks = []
                #expect(throws: MachineError.self) { try Machine(restoring: snapshot, memory: .file(files.memory)) }
            }

            @Test func anotherProcessorIsRefused() throws {
                let (_, files) = try saved("p")
                let snapshot = try Snapshot(readingFrom: files.state)
                // Bit 11 of the leaf's ECX is a debugging interface that KVM gives nobody.
                var other = snapshot.processors[0]
                let leaf = try #require(other.cpuid.firstIndex { $0.function == 1 })
                other.cpuid[leaf].ecx |= 1 << 11
                let changed = Snapshot(
                    snapshot.configuration, note: [], mark: snapshot.mark, regions: snapshot.regions,
                    chips: snapshot.chips, processors: [other], legacy: snapshot.legacy, additions: [],
                    transports: snapshot.transports)
                let error = #expect(throws: MachineError.self) {
                    try Machine(restoring: changed, memory: .file(files.memory))
                }
                #expect(error?.reason == .snapshot(.otherProcessor(["leaf 0x1 ECX bit 11"])))
            }

            @Test func whatWasWrittenSinceMakesTheRest() throws {
                let (machine, files) = try saved("full") { $0.tracksDirtyPages = true }
                let (onto, thin) = (try self.files("onto"), try self.files("thin"))
                try #require(system("cp \(files.memory) \(onto.memory) && : >\(thin.memory)") == 0)
                for _ in 0..<2 {
                    try machine.resume()
                    #expect(try CountingGuest.goesOn(machine))
                    try machine.pause()
                    // What a device writes counts, too.
                    try machine.memory.store(UInt64.random(in: 1...(.max)), at: GuestAddress(0xc0_0000))
                    try machine.save(.diff, to: onto)
                    try machine.save(to: files)
                    #expect(isSame(onto, files))
                }
                #expect(try CountingGuest.count(machine) == CountingGuest.count(try restore(files)))
                try machine.save(.diff, to: thin)
                var status = stat()
                try #require(stat(thin.memory, &status) == 0)
                #expect(status.st_size == 16 << 20 && status.st_blocks <= 4 * 8, "\(status.st_blocks)")
            }

            @Test func aDiffNeedsNoLog() throws {
                let (machine, files) = try saved("base")
                let onto = try self.files("later")
                try #require(system("cp \(files.memory) \(onto.memory)") == 0)
                try machine.resume()
                #expect(try CountingGuest.goesOn(machine))
                try machine.pause()
                try machine.save(.diff, to: onto)
                try machine.save(to: files)
                #expect(isSame(onto, files))
                // A machine that was restored has written little, and all of that is in its diff.
                let clone = try restore(files)
                try clone.start()
                try clone.resume()
                #expect(try CountingGuest.goesOn(clone))
                try clone.pause()
                try #require(system(": >\(onto.memory)") == 0)
                try clone.save(.diff, to: onto)
                var status = stat()
                try #require(stat(onto.memory, &status) == 0)
                #expect(status.st_blocks < 32 * 8, "\(status.st_blocks)")
            }

            /// Does what a driver asks for.
            private func withDevice(_ machine: Machine, _ body: (Memory) throws -> Void) throws {
                let device = try #require(machine.hotplugMemory)
                try device.lock.locked { () throws in try body(device) }
            }

            @Test func hotPlugMemoryIsSavedAsItIs() throws {
                let (machine, _) = try saved("cold") {
                    $0.hotplugMemory = .init(size: 256 << 20)
                    $0.tracksDirtyPages = true
                }
                let start = AddressMap(machine.configuration).hotplugStart
                func place(_ block: UInt64) -> GuestAddress { GuestAddress(start + block << 21 + 4096) }
                try #require(machine.hotplugMemory).setRequestedSize(256 << 20)
                try withDevice(machine) { device in
                    try device.plug(3..<5)
                    // Blocks of two slots.
                    try device.plug(63..<66)
                }
                #expect(machine.pluggable?.shown.map(\.slot) == [512, 513])
                for block in [3, 4, 63, 64, 65] as [UInt64] { try machine.memory.store(block, at: place(block)) }
                #expect(throws: GuestMemoryError.self) { try machine.memory.store(UInt8(1), at: place(5)) }
                let (files, onto) = (try files("hot"), try self.files("onto"))
                try machine.save(to: files)
                var status = stat()
                try #require(stat(files.memory, &status) == 0)
                #expect(status.st_size == 272 << 20 && status.st_blocks < 16 << 11, "\(status.st_blocks)")

                let twin = try restore(files)
                #expect(twin.hotplugMemory?.pluggedSize == 10 << 20 && twin.hotplugMemory?.requestedSize == 256 << 20)
                #expect(twin.pluggable?.shown.map(\.slot) == [512, 513])
                for block in [3, 4, 63, 64, 65] as [UInt64] {
                    #expect(try twin.memory.load(UInt64.self, at: place(block)) == block)
                }
                for block in [0, 5, 62, 66, 127] as [UInt64] {
                    #expect(throws: GuestMemoryError.self) { try twin.memory.load(UInt8.self, at: place(block)) }
                }
                try twin.start()
                try twin.resume()
                #expect(try CountingGuest.goesOn(twin))

                // What went is gone, and what came is in the diff.
                try #require(system("cp \(files.memory) \(onto.memory)") == 0)
                try machine.memory.store(UInt64(77), at: place(65))
                try withDevice(machine) { device in
                    try device.unplug(63..<65)
                    try device.unplug(3..<4)
                    try device.plug(3..<4)
                }
                try machine.save(.diff, to: onto)
                try machine.save(to: files)
                #expect(isSame(onto, files))
                let later = try restore(onto)
                #expect(try later.memory.load(UInt64.self, at: place(65)) == 77)
                #expect(try later.memory.load(UInt64.self, at: place(3)) == 0)
                #expect(try later.memory.load(UInt64.self, at: place(4)) == 4)
                // Without a log, from where it was restored.
                try later.start()
                try later.memory.store(UInt64(78), at: place(65))
                try withDevice(later) { device in
                    try device.unplug(4..<5)
                    try device.plug(20..<21)
                }
                try later.memory.store(UInt64(20), at: place(20))
                try later.save(.diff, to: onto)
                let last = try restore(onto)
                #expect(try last.memory.load(UInt64.self, at: place(65)) == 78)
                #expect(try last.memory.load(UInt64.self, at: place(20)) == 20)
                #expect(throws: GuestMemoryError.self) { try last.memory.load(UInt8.self, at: place(4)) }
                try withDevice(machine) { try $0.unplugAll() }
                #expect(machine.pluggable?.shown.isEmpty == true && machine.hotplugMemory?.pluggedSize == 0)
            }

            @Test func aSlotThatTheHostRefusesLeavesNothing() throws {
                let machine = try machine { $0.hotplugMemory = .init(size: 256 << 20) }
                let start = AddressMap(machine.configuration).hotplugStart
                // Something else is where the second slot would be.
                let page = try GuestMemory(size: 4096)
                try page.withRegion(0) { region in
                    try machine.vm.setMemory(
                        slot: 400, at: start + 128 << 20, .init(start: region.hostAddress, count: 4096))
                }
                try withDevice(machine) { device in
                    #expect(throws: SystemError.self) { try device.plug(60..<70) }
                }
                #expect(machine.pluggable?.shown.isEmpty == true && machine.hotplugMemory?.pluggedSize == 0)
                #expect(machine.memory.usableRanges(region: 1) == [])
                try machine.vm.removeMemory(slot: 400)
                try withDevice(machine) { try $0.plug(60..<70) }
                #expect(machine.memory.usableRanges(region: 1) == [60 << 21..<70 << 21])
            }

            @Test func aSaveThatFailsLeavesTheOldOne() throws {
                let (machine, files) = try saved("old") { $0.tracksDirtyPages = true }
                let before = try self.files("before")
                try #require(system("cp \(files.state) \(before.state) && cp \(files.memory) \(before.memory)") == 0)
                try machine.resume()
                #expect(try CountingGuest.goesOn(machine))
                try machine.pause()
                for wrong in [
                    SnapshotFiles(state: files.state, memory: "\(scratch.path)/none/memory"),
                    SnapshotFiles(state: "\(scratch.path)/none/state", memory: files.memory),
                    SnapshotFiles(state: scratch.path, memory: files.memory),
                    SnapshotFiles(state: files.state, memory: "/dev/full"),
                    SnapshotFiles(state: files.state, memory: files.state),
                ] { #expect(throws: MachineError.self) { try machine.save(.diff, to: wrong) } }
                #expect(
                    system("cmp \(files.state) \(before.state) && cmp \(files.memory) \(before.memory)") == 0)
                #expect(system("ls \(scratch.path) | grep -q saving") != 0)
                // Nothing of what was written is forgotten by that.
                let whole = try self.files("whole")
                try machine.save(.diff, to: files)
                try machine.save(to: whole)
                #expect(isSame(files, whole))
                try machine.resume()
                #expect(try CountingGuest.goesOn(machine))
            }

            @Test func aMachineThatGrewIsSavedAsItIs() throws {
                let disk = try scratch.hole("added", size: 1 << 20)
                let (machine, _) = try saved("small") {
                    $0.maximumProcessors = 3
                    $0.maximumMemory = 272 << 20
                    $0.spareDevices = 2
                }
                try machine.resume()
                try machine.addProcessors(1)
                try machine.addMemory(128 << 20)
                try machine.addDisk(.init(path: disk))
                try machine.pause()
                let files = try files("grown")
                try machine.save(to: files)
                let twin = try restore(files)
                #expect(twin.processors.count == 2 && twin.memory.size == 144 << 20 && twin.transports.count == 2)
                #expect(twin.hotplug.state.memory == machine.hotplug.state.memory)
                try twin.start()
                try twin.resume()
                #expect(try CountingGuest.goesOn(twin))
                // It may grow as far as the other might.
                try twin.addProcessors(1)
                #expect(throws: MachineError.self) { try twin.addProcessors(1) }
                try twin.addMemory(128 << 20)
                #expect(throws: MachineError.self) { try twin.addMemory(128 << 20) }
                try twin.addDevice(try Entropy())
                #expect(throws: MachineError.self) { try twin.addDisk(.init(path: disk)) }
                // Nobody but its maker could make that one again.
                try twin.pause()
                let error = #expect(throws: MachineError.self) { try twin.save(to: files) }
                #expect(error.map { "\($0)" }?.contains("a device came while the machine ran") == true)
            }

            /// Another process, or here a thread, that knows Firecracker's message and the kernel's
            /// `Documentation/admin-guide/mm/userfaultfd.rst`.
            @Test(.needs(.root)) func aHandlerFillsTheMemoryIn() throws {
                let (saved, files) = try saved("uffd") { $0.hotplugMemory = .init(size: 128 << 20) }
                let count = try CountingGuest.count(saved)
                let hot = GuestAddress(AddressMap(saved.configuration).hotplugStart + 7 << 21)
                try #require(saved.hotplugMemory).setRequestedSize(128 << 20)
                try withDevice(saved) { try $0.plug(7..<8) }
                try saved.memory.store(UInt64(7), at: hot)
                try saved.save(to: files)
                let path = try scratch.file("socket", [])
                unlink(path)
                let listener = try UnixSocket.listen(at: path)
                let handler = try MachineThread("handler") { FaultServer.serve(listener, files.memory) }
                do {
                    let machine = try Machine(
                        restoring: try Snapshot(readingFrom: files.state), memory: .handler(path))
                    #expect(try CountingGuest.count(machine) == count)
                    #expect(try machine.memory.load(UInt64.self, at: hot) == 7)
                    try machine.start()
                    try machine.resume()
                    #expect(try CountingGuest.goesOn(machine))
                }
                // The machine is gone, and the handler hears of it.
                handler.join()
            }

            @Test func onlyAPausedMachineIsSaved() throws {
                let (machine, files) = (try machine(), try files("none"))
                #expect(throws: MachineError.self) { try machine.save(to: files) }
                try machine.start()
                try machine.pause()
                machine.stop()
                _ = machine.wait()
                #expect(throws: MachineError.self) { try machine.save(to: files) }
                #expect(try readFile(files.state).isEmpty)
            }
        }
    }

    /// Answers page faults from a file until the machine is gone.
    private enum FaultServer {
        /// `UFFDIO_COPY`.
        private static let copy: UInt = 0xc028_aa03
        /// `UFFD_EVENT_PAGEFAULT`.
        private static let pageFault: UInt8 = 0x12

        static func serve(_ listener: borrowing Descriptor, _ path: String) {
            do {
                let socket = try UnixSocket.accept(on: listener)
                var received: Descriptor?
                let text = String(decoding: try UnixSocket.receive(from: socket, descriptor: &received), as: UTF8.self)
                let regions = try #require(try JSON(parsing: text).arrayValue)
                func numbers(_ name: String) -> [UInt64] {
                    regions.compactMap { $0[name]?.integerValue(as: UInt64.self) }
                }
                #expect(numbers("size") == [16 << 20, 128 << 20] && numbers("offset") == [0, 16 << 20])
                #expect(numbers("page_size") == [4096, 4096])
                let bases = numbers("base_host_virt_addr")
                guard let faults = received.take() else { throw SystemError("receive", .invalidArgument) }
                let file = try Descriptor.open(path, .readOnly)
                while true {
                    var polled = [
                        pollfd(fd: faults.rawValue, events: Int16(POLLIN), revents: 0),
                        pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0),
                    ]
                    guard poll(&polled, 2, 60_000) > 0, polled[1].revents == 0 else { return }
                    try answer(faults, file) { page in
                        if page &- bases[0] < 16 << 20 { page - bases[0] } else { page - bases[1] + 16 << 20 }
                    }
                }
            } catch { Issue.record(error) }
        }

        private static func answer(
            _ faults: borrowing Descriptor, _ file: borrowing Descriptor, _ offset: (UInt64) -> UInt64
        ) throws {
            guard let message = try? faults.read(upTo: 32), message.first == pageFault else { return }
            let page = message.load(UInt64.self, at: 16) & ~4095
            let number = file.rawValue
            var bytes = [UInt8](repeating: 0, count: 4096)
            #expect(bytes.withUnsafeMutableBytes { pread(number, $0.baseAddress, 4096, off_t(offset(page))) } == 4096)
            let target = faults.rawValue
            bytes.withUnsafeBytes { source in
                var request: [UInt64] = [page, UInt64(UInt(bitPattern: source.baseAddress)), 4096, 0, 0]
                _ = request.withUnsafeMutableBytes { ioctl(target, copy, $0.baseAddress!) }
            }
        }
    }
#endif
