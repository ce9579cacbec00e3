import GuestMemory
import Testing

@testable import Machines

@Suite struct LoaderTests {
    private let scratch = Scratch()
    private let map = AddressMap(memory: 64 << 20)

    private func load(
        _ bytes: [UInt8], _ wanted: BootProtocol = .automatic
    ) throws(MachineError) -> (LoadedKernel, GuestMemory) {
        let memory = try! GuestMemory(map.regions)
        let file = try ImageFile(try! scratch.file("kernel", bytes), .kernel)
        return (try LoadedKernel.load(file, wanted, into: memory, map), memory)
    }

    private func refusal(_ bytes: [UInt8], _ wanted: BootProtocol = .automatic) -> ImageError? {
        do throws(MachineError) { _ = try load(bytes, wanted) } catch {
            if case .image(let image) = error.reason { return image }
        }
        return nil
    }

    private func isUnsupported(_ error: ImageError?) -> Bool {
        if case .unsupported = error { return true }
        return false
    }

    // MARK: - bzImage

    @Test func aBzImageIsEnteredAt64Bits() throws {
        let image = TestBzImage(code: [1, 2, 3])
        let (kernel, memory) = try load(image.bytes)
        #expect(kernel.entry == 0x100200)
        #expect(kernel.bootProtocol == .linux64)
        #expect(kernel.claim == 0x100000..<0x1100000)
        #expect(kernel.lastRAMDiskByte == 0x7fff_ffff)
        #expect(kernel.header.count == 0x202 + 0x6a - 0x1f1)
        #expect(try memory.bytes(at: GuestAddress(0x100200), count: 3) == [1, 2, 3])
    }

    @Test func aBzImageCutShortIsRefusedAtEveryLength() {
        let bytes = TestBzImage().bytes
        for count in 0..<bytes.count {
            let error = refusal(Array(bytes[..<count]))
            if count < 0x206 {
                #expect(error == .notAKernel, "\(count)")
            } else {
                guard case .truncated = error else {
                    Issue.record("\(count): \(String(describing: error))")
                    continue
                }
            }
        }
    }

    @Test func kernelsThatCanNotBeStartedAreRefused() {
        #expect(isUnsupported(refusal(TestBzImage(version: 0x20b).bytes)))
        #expect(isUnsupported(refusal(TestBzImage(flags: 0).bytes)))
        #expect(isUnsupported(refusal(TestBzImage(loadFlags: 0).bytes)))
        #expect(isUnsupported(refusal(TestBzImage().bytes, .pvh)))
        #expect(refusal([]) == .notAKernel)
        #expect(refusal(Array("#!/bin/sh\n".utf8)) == .notAKernel)
    }

    @Test func aKernelNeedsRoomToUnpackItself() {
        let size: UInt64 = 49 << 20
        #expect(
            refusal(TestBzImage(neededSize: UInt32(size)).bytes) == .outsideMemory(start: 0x100_0000, size: size))
        #expect(refusal(TestBzImage(neededSize: 48 << 20).bytes) == nil)
        guard case .outsideMemory = refusal(TestBzImage(preferredAddress: .max).bytes) else {
            Issue.record("an address at the end of the space")
            return
        }
    }

    // MARK: - ELF

    @Test func anELFFileIsEnteredAsItAsks() throws {
        let (direct, memory) = try load(TestELF(code: [1, 2, 3], memorySize: 0x2000, entry: 0x100001).bytes)
        #expect(direct.entry == 0x100001)
        #expect(direct.bootProtocol == .linux64)
        #expect(direct.claim == 0x100000..<0x102000)
        #expect(try memory.bytes(at: GuestAddress(0x100000), count: 4) == [1, 2, 3, 0])

        let both = TestELF(code: [1, 2, 3], pvhEntry: 0x100002).bytes
        #expect(try load(both).0.entry == 0x100002)
        #expect(try load(both).0.bootProtocol == .pvh)
        #expect(try load(both, .linux64).0.entry == 0x100000)
        #expect(isUnsupported(refusal(TestELF().bytes, .pvh)))
    }

    @Test func anELFFileCutShortIsRefusedAtEveryLength() {
        let bytes = TestELF(code: [1, 2, 3], pvhEntry: 0x100002).bytes
        for count in 4..<bytes.count {
            guard case .truncated = refusal(Array(bytes[..<count])) else {
                Issue.record("\(count) bytes were taken")
                continue
            }
        }
    }

    @Test func badELFFilesAreRefused() {
        #expect(isUnsupported(refusal(TestELF(machine: 183).bytes)))
        #expect(isUnsupported(refusal(TestELF(type: 1).bytes)))
        #expect(isUnsupported(refusal(TestELF(classByte: 1).bytes)))
        // An entry that nothing was loaded to.
        #expect(isUnsupported(refusal(TestELF(entry: 0x200000).bytes)))
        #expect(isUnsupported(refusal(TestELF(pvhEntry: 0x1000).bytes)))
        // More in the file than in memory.
        #expect(isUnsupported(refusal(TestELF(code: [1, 2, 3], memorySize: 2).bytes)))
        // Where the machine's own structures are, past memory, around the end of the space.
        for address: UInt64 in [0, 0xff000, 64 << 20, .max - 1] {
            guard case .outsideMemory = refusal(TestELF(code: [1, 2, 3], address: address).bytes) else {
                Issue.record("\(address) was taken")
                continue
            }
        }
        #expect(
            refusal(TestELF(memorySize: .max).bytes) == .outsideMemory(start: 0x100000, size: .max))
    }

    @Test func everyBitOfAHeaderMayBeWrong() throws {
        // It is taken or refused, and never ends the program.
        for bytes in [TestELF(pvhEntry: 0x100000).bytes, TestBzImage().bytes] {
            for index in 0..<min(bytes.count, 0x290) {
                for bit in 0..<8 {
                    var changed = bytes
                    changed[index] ^= 1 << bit
                    _ = refusal(changed)
                }
            }
        }
    }

    // MARK: - Initial RAM disk

    private func disk(_ size: Int, limit: UInt64 = .max) throws(MachineError) -> InitialRAMDisk {
        let kernel = LoadedKernel(
            entry: 0x100000, bootProtocol: .linux64, claim: 0x100000..<0x1000001, lastRAMDiskByte: limit)
        let memory = try! GuestMemory(map.regions)
        let file = try ImageFile(try! scratch.hole("initrd", size: size), .initialRAMDisk)
        return try InitialRAMDisk.load(file, beside: kernel, into: memory, map)
    }

    @Test func theRAMDiskIsAsHighAsCanBe() throws {
        #expect(try disk(5000) == InitialRAMDisk(address: (64 << 20) - 8192, size: 5000))
        #expect(try disk(4096, limit: 0x1ffffff) == InitialRAMDisk(address: 0x1fff000, size: 4096))
    }

    @Test func aRAMDiskThatDoesNotFitIsRefused() throws {
        let room = (64 << 20) - 0x1001000
        #expect(try disk(room).address == 0x1001000)
        #expect(
            throws: MachineError(
                .initialRAMDisk, .image(.doesNotFit(size: UInt64(room + 1), room: UInt64(room))))
        ) { try disk(room + 1) }
        #expect(throws: MachineError(.initialRAMDisk, .image(.doesNotFit(size: 4096, room: 0)))) {
            try disk(4096, limit: 0x1000000)
        }
        #expect(throws: MachineError(.initialRAMDisk, .image(.truncated(needs: 1, size: 0)))) { try disk(0) }
    }

    @Test func whatIsNoFileIsRefused() {
        #expect(throws: MachineError.self) { _ = try ImageFile("/nonexistent/kernel", .kernel) }
        #expect(throws: MachineError(.kernel, .configuration("\"/dev/zero\" is not a regular file"))) {
            _ = try ImageFile("/dev/zero", .kernel)
        }
    }

    // MARK: - Debian's own

    @Test(.enabled(if: debianKernel != nil, "needs the kernel that scripts/setup testvm unpacks"))
    func debiansKernelIsTaken() throws {
        let paths = try #require(debianKernel)
        let map = AddressMap(memory: 256 << 20)
        let memory = try GuestMemory(map.regions)
        let image = try LoadedKernel.load(ImageFile(paths.image, .kernel), .automatic, into: memory, map)
        #expect(image.entry == 0x100200)
        #expect(image.bootProtocol == .linux64)
        let elf = try LoadedKernel.load(ImageFile(paths.elf, .kernel), .automatic, into: memory, map)
        #expect(elf.bootProtocol == .pvh)
        #expect(elf.claim.lowerBound == 0x100_0000)
        let direct = try LoadedKernel.load(ImageFile(paths.elf, .kernel), .linux64, into: memory, map)
        #expect(direct.entry == 0x100_0000)
    }
}
