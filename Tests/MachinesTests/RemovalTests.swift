#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing
    import Virtio

    @testable import Machines

    extension MachineTests {
        /// Devices that go while a machine runs; the guests are a few instructions.
        @Suite(.serialized) struct RemovalTests {
            private let scratch = Scratch()

            private static let waitForEver: [UInt8] = [0xf4, 0xeb, 0xfd]

            private func configuration(_ code: [UInt8] = []) throws -> MachineConfiguration {
                let kernel = TestELF(code: code + Self.waitForEver, pvhEntry: 0x100000)
                var configuration = MachineConfiguration(kernel: try scratch.file("kernel", kernel.bytes))
                configuration.memory = 16 << 20
                configuration.acceptsEmulation = true
                configuration.spareDevices = 2
                return configuration
            }

            private func disk(_ id: String) throws -> MachineConfiguration.Disk {
                var disk = MachineConfiguration.Disk(path: try scratch.hole(id, size: 4096))
                disk.id = id
                return disk
            }

            /// Whether this process has a file open.
            private func isOpen(_ path: String) throws -> Bool {
                try #require(names(in: "/proc/self/fd")).contains { number in
                    guard let target = realpath("/proc/self/fd/\(number)", nil) else { return false }
                    defer { free(target) }
                    return String(cString: target) == path
                }
            }

            private func part(_ body: () throws(MachineError) -> Void) -> MachineError.Part? {
                do throws(MachineError) { try body() } catch { return error.part }
                return nil
            }

            @Test func whatNobodyDrivesGoesAtOnce() throws {
                var configuration = try configuration()
                let (boot, one) = (try disk("boot"), try disk("one"))
                configuration.disks = [boot]
                let machine = try Machine(configuration)
                #expect(part { () throws(MachineError) in try machine.remove(.disk("boot")) } == .disk)
                try machine.start()
                try machine.addDisk(one)
                #expect(machine.disk("one") != nil && machine.hotplug.state.devices == 0b111)
                #expect(try isOpen(one.path))
                for name: DeviceName in [.disk("none"), .network("one"), .disk("")] {
                    let expected: MachineError.Part = if case .network = name { .network } else { .disk }
                    #expect(part { () throws(MachineError) in try machine.remove(name) } == expected)
                }
                #expect(try machine.remove(.disk("one")) == .done)
                #expect(machine.disk("one") == nil && machine.hotplug.state.devices == 0b011)
                #expect(machine.removedDevices().map(\.name) == [.disk("one")])
                #expect(machine.removedDevices().isEmpty)
                #expect(try !isOpen(one.path))
                #expect(part { () throws(MachineError) in try machine.remove(.disk("one")) } == .disk)
                // A device that was there from the beginning, and its place is used again when no other is left.
                #expect(try machine.remove(.disk("boot")) == .done)
                #expect(machine.removedDevices().count == 1)
                #expect(try !isOpen(boot.path))
                for id in ["a", "b", "c"] { try machine.addDisk(try disk(id)) }
                #expect(part { () throws(MachineError) in try machine.addDisk(one) } == .machine)
                #expect(machine.placedDevices.map(\.slot.number) == [1, 3, 2, 0])
                #expect(machine.hotplug.state.devices == 0b1111)
            }

            @Test func aMachineThatDoesNotGrowKeepsWhatItHas() throws {
                var configuration = try configuration()
                configuration.spareDevices = 0
                configuration.disks = [try disk("boot")]
                let machine = try Machine(configuration)
                try machine.start()
                #expect(part { () throws(MachineError) in try machine.remove(.disk("boot")) } == .disk)
                #expect(machine.disk("boot") != nil)
            }

            @Test func whatGoesIsClosed() throws {
                let machine = try Machine(try configuration())
                try machine.start()
                let disk = try disk("some")
                for _ in 0..<5 {
                    let pair = try SocketPair(.stream)
                    var card = MachineConfiguration.NetworkCard(.connection(pair.first.rawValue))
                    card.id = "card"
                    try machine.addNetwork(card)
                    try machine.addDisk(disk)
                    #expect(machine.network("card") != nil)
                    let other = pair.takeSecond()
                    #expect(try machine.remove(.network("card")) == .done)
                    #expect(try machine.remove(.disk("some")) == .done)
                    #expect(machine.removedDevices().count == 2)
                    // The other end of the cable sees the end.
                    #expect(try other.next().isEmpty)
                    #expect(try !isOpen(disk.path))
                }
            }

            @Test func persistentMemoryComesAndGoes() throws {
                func file(_ id: String, size: Int) throws -> MachineConfiguration.MemoryFile {
                    var file = MachineConfiguration.MemoryFile(path: try scratch.hole(id, size: size))
                    file.id = id
                    return file
                }
                func address(_ machine: Machine, _ id: String) -> UInt64? { machine.persistentMemory(id)?.address }
                var configuration = try configuration()
                configuration.persistentMemory = [try file("a", size: 3 << 20), try file("b", size: 1)]
                let machine = try Machine(configuration)
                try machine.start()
                // From the end of the guest's addresses on.
                let a = try #require(address(machine, "a"))
                #expect(((a + (4 << 20)) & (a + (4 << 20) - 1)) == 0 && a >= 1 << 35)
                #expect(address(machine, "b") == a - (2 << 20))
                try machine.addPersistentMemory(try file("c", size: 5 << 20))
                #expect(address(machine, "c") == a - (8 << 20))
                let none = MachineConfiguration.MemoryFile(path: "/none")
                #expect(
                    part { () throws(MachineError) in try machine.addPersistentMemory(none) } == .persistentMemory)
                #expect(try machine.remove(.persistentMemory("b")) == .done)
                #expect(machine.removedDevices().count == 1)
                #expect(try !isOpen("\(scratch.path)/b"))
                // What needs more than the gap is behind the others; what fits is in it.
                try machine.addPersistentMemory(try file("d", size: 3 << 20))
                #expect(address(machine, "d") == a - (12 << 20))
                #expect(try machine.remove(.persistentMemory("d")) == .done)
                try machine.addPersistentMemory(try file("e", size: 2 << 20))
                #expect(address(machine, "e") == a - (2 << 20))
                try machine.pause()
                let files = SnapshotFiles(
                    state: try scratch.file("state", []), memory: try scratch.file("memory", []))
                try machine.save(to: files)
                let snapshot = try Snapshot(readingFrom: files.state)
                let twin = try Machine(restoring: snapshot, memory: .file(files.memory))
                for id in ["a", "c", "e"] { #expect(address(twin, id) == address(machine, id)) }
                try twin.start()
                try twin.resume()
                #expect(try twin.remove(.persistentMemory("c")) == .done)
                // A file of another size is none that the guest knows; one that has gone is named.
                try #require(truncate("\(scratch.path)/a", 5 << 20) == 0)
                var error = #expect(throws: MachineError.self) {
                    try Machine(restoring: snapshot, memory: .file(files.memory))
                }
                #expect(error.map { "\($0)" }?.contains("(persistent memory)") == true)
                var changed = snapshot
                changed.configuration.persistentMemory[0].path = "/none"
                error = #expect(throws: MachineError.self) {
                    try Machine(restoring: changed, memory: .file(files.memory))
                }
                #expect(error?.part == .persistentMemory)
            }

            // MARK: - Guests that drive a device

            /// mov eax, [address], by way of ebx, until it is not zero.
            private static func poll(_ address: UInt32) -> [UInt8] {
                [0xbb] + bytes(address) + [0x8b, 3, 0x85, 0xc0, 0x74, 0xfa]
            }
            /// mov dword [address], value
            private static func store(_ address: UInt32, _ value: UInt32) -> [UInt8] {
                [0xbb] + bytes(address) + [0xc7, 3] + bytes(value)
            }
            private static func bytes(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(value >> (8 * $0) & 0xff) } }
            private static func say(_ letter: Character) -> [UInt8] {
                [0x66, 0xba, 0xf8, 0x03, 0xb0, letter.asciiValue!, 0xee]
            }
            /// wait: in al, 0x3fd; test al, 1; jz wait; in al, 0x3f8.
            private static let hear: [UInt8] = [
                0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf7, 0x66, 0xba, 0xf8, 0x03, 0xec,
            ]
            private static let device: UInt32 = 0xc000_2000
            private static let hotplug: UInt32 = 0xc001_4000
            /// Takes a device in the second place, and hears that it is asked for.
            private static let drive =
                poll(hotplug + 0x18) + store(device + 0x70, 3) + say("d") + poll(hotplug + 0x1c) + say("a") + hear

            @Test(arguments: [(device + 0x70, 0), (hotplug + 0x20, 1)] as [(UInt32, UInt32)])
            func whatIsDrivenGoesWhenItsGuestLetsGo(_ address: UInt32, _ value: UInt32) throws {
                let input = try Pipe()
                let output = try Pipe()
                let machine = try Machine(
                    try configuration(Self.drive + Self.store(address, value) + Self.say("g")),
                    console: SerialEnds(
                        input: try input.readEnd.duplicate(), output: try output.writeEnd.duplicate()))
                func said(_ letter: Character) throws {
                    #expect(try output.readEnd.next(upTo: 1) == [letter.asciiValue!])
                }
                try machine.start()
                let disk = try disk("one")
                try machine.addDisk(disk)
                try said("d")
                #expect(try machine.remove(.disk("one")) == .asked)
                try said("a")
                // It stays with a guest that does not answer, and is asked for again.
                #expect(machine.removedDevices().isEmpty && machine.disk("one") != nil)
                #expect(machine.hotplug.state.newRequests == 0)
                #expect(try machine.remove(.disk("one")) == .asked)
                #expect(machine.hotplug.state.newRequests == 0b10 && machine.hotplug.state.devices == 0b11)
                #expect(try isOpen(disk.path))
                // A guest that stands still hears of it later.
                try machine.pause()
                #expect(try machine.remove(.disk("one")) == .asked)
                try machine.resume()
                try input.writeEnd.write("x")
                try machine.withRemovalEvent { try $0.waitReadable() }
                try said("g")
                #expect(machine.removedDevices().map(\.name) == [.disk("one")])
                #expect(machine.hotplug.state.devices == 0b01 && machine.hotplug.state.leavingDevices == 0)
                #expect(try !isOpen(disk.path))
                try machine.addDisk(disk)
                #expect(machine.placedDevices.map(\.slot.number) == [0, 2])
            }

            @Test func aMachineIsSavedWithTheGapsThatWereLeft() throws {
                var configuration = try configuration()
                configuration.disks = [try disk("boot"), try disk("stays")]
                configuration.maximumProcessors = 2
                let machine = try Machine(configuration)
                try machine.start()
                try machine.addDisk(try disk("a"))
                try machine.addDisk(try disk("b"))
                try machine.remove(.disk("boot"))
                try machine.remove(.disk("a"))
                try machine.pause()
                // What nobody drives comes and goes now, too; processors and memory don't.
                let passing = try disk("passing")
                try machine.addDisk(passing)
                #expect(try isOpen(passing.path) && machine.disk("passing") != nil)
                #expect(try machine.remove(.disk("passing")) == .done)
                #expect(try machine.removedDevices().map(\.name).last == .disk("passing") && !isOpen(passing.path))
                #expect(part { () throws(MachineError) in try machine.addProcessors(1) } == .processors)
                let files = SnapshotFiles(
                    state: try scratch.file("state", []), memory: try scratch.file("memory", []))
                try machine.save(to: files)
                let added = try disk("c")
                do {
                    let snapshot = try Snapshot(readingFrom: files.state)
                    #expect(snapshot.configuration.disks.map(\.id) == ["stays"] && snapshot.additions.count == 1)
                    let twin = try Machine(restoring: snapshot, memory: .file(files.memory))
                    #expect(twin.placedDevices.map(\.slot.number) == machine.placedDevices.map(\.slot.number))
                    #expect(twin.disk("boot") == nil && twin.disk("a") == nil && twin.disk("b") != nil)
                    try twin.start()
                    try twin.resume()
                    try twin.addDisk(added)
                    try twin.addDisk(try disk("d"))
                    #expect(part { () throws(MachineError) in try twin.addDisk(added) } == .machine)
                    #expect(Set(twin.placedDevices.map(\.slot.number)) == [0, 1, 2, 3, 4])
                    #expect(try twin.remove(.disk("stays")) == .done)
                }
                #expect(try !isOpen(added.path))
                // Places that can't be.
                let snapshot = try Snapshot(readingFrom: files.state)
                for layout in [
                    DeviceLayout(count: 5, places: [1, 2, 2]), DeviceLayout(count: 4, places: [1, 2, 4]),
                    DeviceLayout(count: 20, places: [1, 2, 4]), DeviceLayout(count: 5, places: [1, 2]),
                ] {
                    #expect(!layout.isSound(3))
                    let wrong = Snapshot(
                        snapshot.configuration, note: [], mark: snapshot.mark, regions: snapshot.regions,
                        chips: snapshot.chips, processors: snapshot.processors, legacy: snapshot.legacy,
                        additions: snapshot.additions, layout: layout, transports: snapshot.transports)
                    #expect(throws: MachineError.self) { try Machine(restoring: wrong, memory: .file(files.memory)) }
                    #expect(throws: SnapshotError.self) { try Snapshot(decoding: wrong.encoded()) }
                }
            }
        }
    }
#endif
