import GuestMemory
import Testing

@testable import Machines

@Suite struct BootParameterTests {
    private func parameters(
        _ bootProtocol: BootProtocol, memory: UInt64 = 128 << 20, commandLine: String = "quiet", header: [UInt8] = []
    ) -> BootParameters {
        BootParameters(
            kernel: LoadedKernel(
                entry: 0x100000, bootProtocol: bootProtocol, claim: 0x100000..<0x200000, header: header,
                commandLineLimit: 100),
            initialRAMDisk: InitialRAMDisk(address: 0x7000000, size: 0x1234), commandLine: commandLine,
            map: AddressMap(memory: memory), rootPointer: 0xe0000)
    }

    @Test func theZeroPageTellsLinuxAll() {
        let page = parameters(.linux64).zeroPage
        #expect(page.load(UInt64.self, at: 0x70) == 0xe0000)
        #expect(page.load(UInt16.self, at: 0x1fe) == 0xaa55)
        #expect(page[0x210] == 0xff)
        #expect(page.load(UInt32.self, at: 0x218) == 0x7000000)
        #expect(page.load(UInt32.self, at: 0x21c) == 0x1234)
        #expect(page.load(UInt32.self, at: 0x228) == 0x20000)
        #expect(page[0x1e8] == 3)
        #expect(page.load(UInt64.self, at: 0x2d0 + 40) == 0x100000)
        #expect(page.load(UInt64.self, at: 0x2d0 + 48) == 127 << 20)
        #expect(page.load(UInt32.self, at: 0x2d0 + 56) == 1)
    }

    @Test func aBzImagesHeaderIsKept() {
        var header = [UInt8](repeating: 0, count: 0x7b)
        header.store(UInt32(0x1234_5678), at: 0x260 - 0x1f1)
        let page = parameters(.linux64, header: header).zeroPage
        #expect(page.load(UInt32.self, at: 0x260) == 0x1234_5678)
        #expect(page.load(UInt16.self, at: 0x206) == 0)
    }

    @Test func memoryAboveTheHoleIsToldOf() {
        let map = AddressMap(memory: 5 << 30)
        #expect(map.lowEnd == 3 << 30)
        #expect(map.regions.map(\.size) == [3 << 30, 2 << 30])
        #expect(map.ranges.last == AddressMap.Range820(start: 4 << 30, size: 2 << 30, type: 1))
        #expect(AddressMap(memory: 3 << 30).regions.count == 1)
    }

    @Test func hotPlugMemoryIsTheDevicesToTellOf() {
        let plain = AddressMap(memory: 5 << 30)
        let map = AddressMap(memory: 5 << 30, hotplug: .init(size: 640 << 20))
        #expect(map.regions.map(\.start.rawValue) == [0, 4 << 30, 6 << 30])
        #expect(map.regions.map(\.blockSize) == [nil, nil, 2 << 20] && map.regions.last?.size == 640 << 20)
        #expect(map.ranges == plain.ranges)
        // What is added comes behind it.
        #expect(plain.addedMemory == 6 << 30 && map.addedMemory == 7 << 30)
        #expect(
            AddressMap(memory: 64 << 20, hotplug: .init(size: 8 << 30, slot: 8 << 30, block: 8 << 30)).hotplugStart == 8
                << 30)
    }

    @Test func pvhHasItsStartInfo() throws {
        let memory = try GuestMemory(size: 128 << 20)
        try parameters(.pvh).write(to: memory)
        let info = try memory.bytes(at: GuestAddress(AddressMap.startInfo), count: 56)
        #expect(info.load(UInt32.self, at: 0) == 0x336e_c578)
        #expect(info.load(UInt32.self, at: 12) == 1)
        #expect(info.load(UInt64.self, at: 24) == 0x20000)
        #expect(info.load(UInt64.self, at: 32) == 0xe0000)
        #expect(info.load(UInt32.self, at: 48) == 3)
        #expect(try memory.load(UInt64.self, at: GuestAddress(info.load(UInt64.self, at: 16))) == 0x7000000)
        #expect(try memory.bytes(at: GuestAddress(0x20000), count: 6) == Array("quiet\0".utf8))
    }

    @Test func theCommandLineHasALimit() throws {
        let memory = try GuestMemory(size: 128 << 20)
        try parameters(.linux64, commandLine: String(repeating: "a", count: 100)).write(to: memory)
        #expect(throws: MachineError(.commandLine, .image(.commandLineTooLong(count: 101, limit: 100)))) {
            try parameters(.linux64, commandLine: String(repeating: "a", count: 101)).write(to: memory)
        }
    }

    @Test func theFirstGibibyteIsMappedAsItIs() {
        let tables = BootParameters.pageTables
        #expect(tables.load(UInt64.self, at: 0) == 0xa003)
        #expect(tables.load(UInt64.self, at: 0x1000) == 0xb003)
        #expect(tables.load(UInt64.self, at: 0x2000) == 0x83)
        #expect(tables.load(UInt64.self, at: 0x2ff8) == (1 << 30) - (2 << 20) + 0x83)
    }
}
