#if arch(x86_64)
    import KVM
    import Testing
    import Virtio

    @testable import Machines

    @Suite struct SnapshotFormatTests {
        private static var file: StateFile {
            var file = StateFile()
            for (index, kind) in StateFile.Section.allCases.enumerated() {
                file.sections[kind] = [UInt8](repeating: UInt8(index), count: 10 * index)
            }
            return file
        }

        private func refusal(_ bytes: [UInt8]) -> SnapshotError? {
            do throws(SnapshotError) {
                _ = try StateFile(bytes)
                return nil
            } catch { return error }
        }

        @Test func theChecksumIsTheOneThatOthersKnow() {
            // The check value of CRC-64/XZ in the catalogue of CRCs.
            #expect(CRC64.checksum(Array("123456789".utf8)) == 0x995d_c9bb_df19_39fa)
            #expect(CRC64.checksum([]) == 0)
        }

        @Test func sectionsAreReadAsTheyWereWritten() throws {
            #expect(try StateFile(Self.file.encoded) == Self.file)
        }

        @Test func everyFlippedBitIsNoticed() {
            let whole = Self.file.encoded
            for place in whole.indices {
                for bit in 0..<8 {
                    var bytes = whole
                    bytes[place] ^= 1 << UInt8(bit)
                    switch (place, refusal(bytes)) {
                    case (..<8, .foreign?), (8..., .damaged?), (16..<24, .truncated?): break
                    case (_, let other): Issue.record("bit \(bit) of byte \(place): \(String(describing: other))")
                    }
                }
            }
        }

        @Test func everyLengthIsNoticed() {
            let whole = Self.file.encoded
            for count in 1..<whole.count {
                guard case .truncated? = refusal(Array(whole.prefix(count))) else {
                    Issue.record("\(count) bytes are taken")
                    continue
                }
            }
            #expect(refusal([]) == .foreign)
            #expect(refusal(whole + [0]) == .damaged)
        }

        /// Changed and sealed again, as another program would have written it.
        private func sealed(_ bytes: [UInt8]) -> [UInt8] {
            var bytes = bytes
            bytes.store(UInt64(bytes.count), at: 16)
            bytes.store(CRC64.checksum(bytes.dropLast(8)), at: bytes.count - 8)
            return bytes
        }

        @Test func othersAreNamed() {
            #expect(refusal(Array("#!/bin/sh\nexit 0\n# and so on for a while".utf8)) == .foreign)
            var bytes = Self.file.encoded
            bytes.store(UInt32(3 << 16 | 1 << 8), at: 8)
            #expect(refusal(sealed(bytes)) == .otherVersion("3.1.0"))
            // Before there were checksums of the memory.
            bytes.store(UInt32(1 << 16), at: 8)
            #expect(refusal(sealed(bytes)) == .otherVersion("1.0.0"))
            #expect(
                "\(SnapshotError.otherVersion("1.0.0"))".hasSuffix("the format 1.0.0, and this program knows 2.0.0"))
            bytes = Self.file.encoded
            bytes.store(UInt32.max, at: 12)
            #expect(refusal(sealed(bytes)).map { "\($0)" }?.contains("malformed") == true)
            // A name that is not known, one twice, and a length behind the end.
            bytes = Self.file.encoded
            bytes[24] = 0x5a
            #expect(refusal(sealed(bytes)).map { "\($0)" }?.contains("ZONF") == true)
            bytes[24] = 0x0a
            #expect(refusal(sealed(bytes)).map { "\($0)" }?.contains(#""\x0aONF""#) == true)
            bytes = Self.file.encoded
            bytes.replaceSubrange(40..<44, with: Array("CONF".utf8))
            #expect(refusal(sealed(bytes)).map { "\($0)" }?.contains("twice") == true)
            bytes = Self.file.encoded
            bytes.store(UInt64.max, at: 32)
            #expect(refusal(sealed(bytes)).map { "\($0)" }?.contains("behind the end") == true)
        }

        @Test func eachPageHasItsOwnChecksum() {
            func sums(_ bytes: [UInt8]) -> [UInt64] { bytes.withUnsafeBytes { PageChecksums.sums(of: $0) } }
            func sum(_ words: [UInt32]) -> UInt64 {
                // A word counts as often as there are words from it on.
                let second = words.enumerated().reduce(0) { $0 + UInt64($1.element) * UInt64(words.count - $1.offset) }
                return words.reduce(0) { $0 + UInt64($1) } &+ second &* 0x3c6e_f372_fe94_f82a
            }
            var pages: [UInt8] = []
            var expected: [UInt64] = []
            for count in 0..<4 {
                #expect(sums(pages) == expected, "\(count) pages")
                let words = (0..<1024).map { _ in count == 3 ? UInt32.max : UInt32.random(in: 0...(.max)) }
                for word in words { pages.add(word) }
                expected.append(sum(words))
            }
            #expect(sums(pages) == expected)
            #expect(sums([UInt8](repeating: 0, count: 4096)) == [PageChecksums.ofZeros])
            // One bit, and two of the same weight.
            for bit in stride(from: 0, to: 8 * 4096, by: 31) {
                var page = Array(pages.prefix(4096))
                page[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(sums(page) != [expected[0]], "\(bit)")
                page[(bit / 8 + 8) % 4096] ^= 1 << UInt8(bit % 8)
                #expect(sums(page) != [expected[0]], "\(bit)")
            }
        }

        @Test func checksumsAreReadAsTheyWereWritten() throws {
            var sums = PageChecksums()
            let (size, page) = (UInt64(6 << 20), [UInt8](repeating: 1, count: 4096))
            #expect(try PageChecksums(decoding: sums.encoded(), size: size) == sums)
            for offset in [0, 4 << 20, 6 << 20 - 4096] {
                page.withUnsafeBytes { sums.update($0, at: UInt64(offset)) }
            }
            let ofPage = page.withUnsafeBytes { PageChecksums.sums(of: $0) }
            #expect(sums[0] == ofPage[0] && sums[1] == PageChecksums.ofZeros && sums[700] == PageChecksums.ofZeros)
            #expect(sums.firstDifference(from: 0, ofPage + [PageChecksums.ofZeros]) == nil)
            #expect(sums.firstDifference(from: 1023, ofPage) == 1023)
            #expect(sums.firstDifference(from: 1535, [PageChecksums.ofZeros]) == 1535)
            #expect(sums.firstOfData(in: 1..<1100) == 1024)
            #expect(sums.firstOfData(in: 1..<1024) == nil)
            let bytes = sums.encoded()
            #expect(try PageChecksums(decoding: bytes, size: size) == sums)
            #expect(throws: StateError.self) { try PageChecksums(decoding: bytes, size: 4 << 20) }
            for count in stride(from: 0, to: bytes.count, by: 97) {
                #expect(throws: StateError.self) { try PageChecksums(decoding: Array(bytes.prefix(count)), size: size) }
            }
            // The second place again.
            var twice = bytes
            twice.store(UInt32(0), at: 8 + 4 + 4 + 4096)
            #expect(throws: StateError.self) { try PageChecksums(decoding: twice, size: size) }
        }

        @Test func aConfigurationIsReadAsItWasWritten() throws {
            var all = MachineConfiguration(kernel: "/boot/vmlinux")
            all.bootProtocol = .pvh
            all.initialRAMDisk = "initrd"
            all.commandLine = "console=ttyS0 \u{e4}"
            (all.processors, all.maximumProcessors, all.threadsPerCore) = (2, 8, 2)
            (all.memory, all.maximumMemory, all.pageSize) = (256 << 20, 1 << 30, .huge2M)
            all.spareDevices = 3
            var limit = RateLimiter(bandwidth: TokenBucket(size: 1, refillTime: 2, oneTimeBurst: 3))
            var disk = MachineConfiguration.Disk(path: "disk", isReadOnly: true, queues: 4, limit: limit)
            (disk.id, disk.engine) = ("root", .ioUring)
            all.disks = [disk, .init(path: "other")]
            limit.operations = TokenBucket(size: 4, refillTime: 5)
            var card = MachineConfiguration.NetworkCard(tap: "tap0", address: [2, 0, 0, 0, 0, 1], queues: 2)
            (card.id, card.mtu, card.receiveLimit, card.transmitLimit) = ("eth0", 1400, limit, RateLimiter())
            all.networks = [card, .init(.socket("passt.socket"))]
            var file = MachineConfiguration.MemoryFile(path: "pmem", isReadOnly: true, limit: limit)
            file.id = "p"
            all.persistentMemory = [file, .init(path: "plain")]
            all.vsock = .init(cid: 7, path: "vsock")
            all.sharedDirectories = [.init(path: "/srv", tag: "files", isReadOnly: true)]
            (all.hasEntropy, all.entropyLimit) = (false, limit)
            var balloon = MachineConfiguration.BalloonChoice(
                target: 1 << 20, deflatesOnOOM: false, reportsFreePages: false)
            (balloon.hintsFreePages, balloon.statisticsInterval) = (true, 9)
            all.balloon = balloon
            var template = ProcessorTemplate()
            (template.neededCapabilities, template.ignoredCapabilities) = ([7], [9, 8])
            template.leaves = [.init(1, 2, flags: 3, [.init(.ecx, .init(mask: 6, value: 2))])]
            template.registers = [.init(0x10, .init(mask: .max, value: 5))]
            all.processorTemplate = template
            (all.hasKeyboard, all.acceptsEmulation) = (true, true)
            #expect(try MachineConfiguration(decoding: all.encoded()) == all)
            let plain = MachineConfiguration(kernel: "k")
            #expect(try MachineConfiguration(decoding: plain.encoded()) == plain)
            for count in 0..<all.encoded().count {
                #expect(throws: StateError.self) {
                    try MachineConfiguration(decoding: Array(all.encoded().prefix(count)))
                }
            }
        }

        @Test func oldDevicesAreReadAsTheyWereWritten() throws {
            var serial = SerialPort.State()
            (serial.received, serial.interruptEnable, serial.isFIFOEnabled, serial.lineControl) = ([1, 2], 3, true, 4)
            (serial.modemControl, serial.scratch, serial.divisor, serial.isTransmitPending) = (5, 6, 7, true)
            serial.isHigh = true
            var keyboard = Keyboard.State()
            (keyboard.waiting, keyboard.commandByte, keyboard.controllerCommand) = ([0xfa], 9, 0x60)
            keyboard.keyboardCommand = 0xed
            var hotplug = HotplugController.State()
            (hotplug.events, hotplug.processors, hotplug.newProcessors) = (1, 3, 2)
            (hotplug.memory, hotplug.newMemory, hotplug.devices) = ([.init(start: 1 << 32, size: 1 << 27)], 1, 5)
            (hotplug.changedDevices, hotplug.leavingDevices, hotplug.newRequests) = (6, 4, 1)
            let state = LegacyDeviceState(serial: serial, keyboard: keyboard, hotplug: hotplug)
            #expect(try LegacyDeviceState(decoding: state.encoded()) == state)
            // What the host has not taken stays with the one that was saved, and who waited for room has it.
            serial.output = [UInt8](repeating: 0x61, count: SerialPort.outputSize)
            serial.isTransmitPending = false
            let full = LegacyDeviceState(serial: serial, keyboard: keyboard, hotplug: hotplug)
            #expect(try LegacyDeviceState(decoding: full.encoded()) == state)
            serial.received = [UInt8](repeating: 0, count: 17)
            let wrong = LegacyDeviceState(serial: serial, keyboard: keyboard, hotplug: hotplug)
            #expect(throws: StateError.self) { try LegacyDeviceState(decoding: wrong.encoded()) }
        }

        @Test func whatAProcessorLacksIsNamed() {
            func vendor(_ text: String) -> CPUIDEntry {
                let bytes = Array(text.utf8)
                return CPUIDEntry(
                    function: 0, eax: 0x1f, ebx: bytes.load(UInt32.self, at: 0), ecx: bytes.load(UInt32.self, at: 8),
                    edx: bytes.load(UInt32.self, at: 4))
            }
            let amd = vendor("AuthenticAMD")
            func leaf(_ function: UInt32, _ index: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0) -> CPUIDEntry {
                CPUIDEntry(
                    function: function, index: index, flags: function == 7 ? .indexMatters : [], ebx: ebx, ecx: ecx)
            }
            let saved = [amd, leaf(1, ecx: 1 << 28 | 1 << 31 | 1 << 24), leaf(7, ebx: 1 << 5 | 1 << 6), leaf(7, 1)]
            #expect(ProcessorBaseline.missing(saved, saved).isEmpty)
            // More is no harm; the bits that the monitor sets are not the processor's.
            #expect(ProcessorBaseline.missing(saved, [amd, leaf(1, ecx: 1 << 28), leaf(7, ebx: .max)]).isEmpty)
            #expect(
                ProcessorBaseline.missing(saved, [amd, leaf(1), leaf(7, ebx: 1 << 5)])
                    == ["avx (leaf 0x1 ECX bit 28)", "leaf 0x7.0 EBX bit 6"])
            #expect(
                ProcessorBaseline.missing(saved, [amd, leaf(1, ecx: 1 << 28)])
                    == ["avx2 (leaf 0x7.0 EBX bit 5)", "leaf 0x7.0 EBX bit 6"])
            #expect(
                ProcessorBaseline.missing(saved, [vendor("GenuineIntel")])
                    == ["a processor of AuthenticAMD, and this one is of GenuineIntel"])
        }
    }
#endif
