import Testing

@testable import Machines

/// The tables of kernels without ACPI, read as such a kernel does.
@Suite struct MultiProcessorTableTests {
    private static let sizes: [UInt8: Int] = [0: 20, 1: 8, 2: 8, 3: 8, 4: 8]

    @Test(arguments: [1, 2, 32]) func aKernelFindsProcessorsAndInterrupts(_ processors: Int) throws {
        let bytes = MultiProcessorTable(processors: processors).bytes
        #expect(bytes.count <= 1024)
        let pointer = Array(bytes[..<16])
        let table = Array(bytes[16...])
        #expect(pointer.starts(with: "_MP_".utf8) && table.starts(with: "PCMP".utf8))
        #expect(pointer.load(UInt32.self, at: 4) == 0x9fc10 && pointer[8] == 1)
        #expect(Int(table.load(UInt16.self, at: 4)) == table.count)
        #expect(pointer.reduce(0, &+) == 0 && table.reduce(0, &+) == 0)
        #expect(table.load(UInt32.self, at: 36) == 0xfee0_0000)

        var entries: [[UInt8]] = []
        var rest = table[44...]
        while let type = rest.first {
            let size = try #require(Self.sizes[type])
            entries.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        #expect(Int(table.load(UInt16.self, at: 34)) == entries.count)
        let cpus = entries.filter { $0[0] == 0 }
        #expect(cpus.map { Int($0[1]) } == Array(0..<processors))
        #expect(cpus.map { $0[3] } == [3] + [UInt8](repeating: 1, count: processors - 1))
        #expect(entries.filter { $0[0] == 1 }.map { $0[2...] } == [ArraySlice("ISA   ".utf8)])
        let controllers = entries.filter { $0[0] == 2 }
        #expect(controllers.count == 1 && controllers[0].load(UInt32.self, at: 4) == 0xfec0_0000)
        // No processor has its number.
        #expect(controllers[0][1] == processors)
        let lines = entries.filter { $0[0] == 3 }
        #expect(lines.map { $0[5] } == Array(0...23))
        #expect(lines.allSatisfy { $0[5] == $0[7] && $0[6] == controllers[0][1] })
    }

    @Test func argumentsComeBeforeInits() {
        var configuration = MachineConfiguration(kernel: "k")
        configuration.commandLine = "quiet  ro -- single -- x"
        configuration.addArguments(["a=1", "b"])
        #expect(configuration.commandLine == "quiet  ro a=1 b -- single -- x")
        configuration.commandLine = "quiet"
        configuration.addArguments([])
        #expect(configuration.commandLine == "quiet")
    }

    @Test func aDeviceIsNamedByItsPlace() {
        let place = ACPITables.DevicePlace(address: 0xc000_1000, interrupt: 5)
        #expect(place.argument == "virtio_mmio.device=4K@0xc0001000:5")
    }
}
