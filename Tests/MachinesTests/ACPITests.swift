import Testing

@testable import Machines

@Suite struct ACPITests {
    private let devices = (0..<19).map {
        ACPITables.DevicePlace(address: 0xc000_1000 + UInt64($0) * 0x1000, interrupt: UInt32(5 + $0))
    }

    private func tables(_ processors: Int = 32) -> [String: [UInt8]] {
        var all: [String: [UInt8]] = [:]
        for table in ACPITables(processors: processors, devices: devices).placed.dropFirst() {
            all[String(decoding: table.bytes[..<4], as: UTF8.self)] = table.bytes
        }
        return all
    }

    @Test func everySumIsZero() {
        for processors in [1, 2, 32] {
            let placed = ACPITables(processors: processors, devices: devices).placed
            for table in placed { #expect(table.bytes.reduce(0, &+) == 0) }
            #expect(placed[0].bytes[..<20].reduce(0, &+) == 0)
            for table in placed.dropFirst() {
                #expect(Int(table.bytes.load(UInt32.self, at: 4)) == table.bytes.count)
            }
        }
    }

    @Test func theTablesFitAndDoNotOverlap() {
        let placed = ACPITables(processors: 32, devices: devices).placed.sorted { $0.address < $1.address }
        #expect(placed[0].address == AddressMap.acpi)
        for (table, next) in zip(placed, placed.dropFirst()) {
            #expect(table.address + UInt64(table.bytes.count) <= next.address)
        }
        #expect(placed.last.map { $0.address + UInt64($0.bytes.count) <= AddressMap.highMemory } == true)
    }

    @Test func theRootLeadsToEveryTable() throws {
        let placed = ACPITables(processors: 2, devices: devices).placed
        func at(_ address: UInt64) throws -> [UInt8] {
            try #require(placed.first { $0.address == address }).bytes
        }
        #expect(Array(placed[0].bytes[..<8]) == Array("RSD PTR ".utf8))
        let root = try at(placed[0].bytes.load(UInt64.self, at: 24))
        #expect(Array(root[..<4]) == Array("XSDT".utf8))
        let fixed = try at(root.load(UInt64.self, at: 36))
        #expect(Array(fixed[..<4]) == Array("FACP".utf8))
        #expect(try Array(at(root.load(UInt64.self, at: 44))[..<4]) == Array("APIC".utf8))
        #expect(try Array(at(fixed.load(UInt64.self, at: 140))[..<4]) == Array("DSDT".utf8))
    }

    @Test func theMachineCanBeSwitchedOff() throws {
        let fixed = try #require(tables()["FACP"])
        #expect(fixed.count == 276)
        #expect(fixed[8] == 6)
        #expect(fixed.load(UInt32.self, at: 112) & (1 << 20 | 1 << 10) == 1 << 20 | 1 << 10)
        // Ports of a byte each.
        for (offset, port): (Int, UInt64) in [(116, 0x604), (244, 0x600), (256, 0x601)] {
            #expect(Array(fixed[offset..<offset + 4]) == [1, 8, 0, 1])
            #expect(fixed.load(UInt64.self, at: offset + 4) == port)
        }
        #expect(fixed[128] == 0x42)
    }

    @Test func everyProcessorHasALocalAPIC() throws {
        let table = try #require(tables(32)["APIC"])
        #expect(table.load(UInt32.self, at: 36) == 0xfee0_0000)
        var (place, ids, chips): (Int, [UInt8], [UInt32]) = (44, [], [])
        while place < table.count {
            if table[place] == 0 { ids.append(table[place + 3]) }
            if table[place] == 1 { chips.append(table.load(UInt32.self, at: place + 4)) }
            place += Int(table[place + 1])
        }
        #expect(place == table.count)
        #expect(ids == Array(0..<32))
        #expect(chips == [0xfec0_0000])
    }

    @Test func theDevicesAreDescribed() throws {
        let code = Array(try #require(tables()["DSDT"])[36...])
        let nodes = AMLReader.devices(code)
        #expect(nodes.count == 21)
        let port = try #require(nodes["COM1"])
        // PNP0501.
        #expect(port.names["_HID"] == [0x0c, 0x41, 0xd0, 0x05, 0x01])
        #expect(port.interrupts == [4])
        #expect(port.ports == [0x3f8])
        for (index, device) in devices.enumerated() {
            let name = "VR" + String(index + 0x100, radix: 16).suffix(2).uppercased()
            let node = try #require(nodes[name])
            #expect(node.names["_HID"] == [0x0d] + Array("LNRO0005".utf8) + [0])
            #expect(node.names["_CCA"] == [1])
            #expect(node.memory == [UInt32(device.address)])
            #expect(node.interrupts == [device.interrupt])
        }
        #expect(nodes["PEVT"]?.ports == [0x505])
        // Name (_S5, Package () { 5, 0, 0, 0 }), at the root.
        #expect(Array(code.suffix(14)) == [8, 0x5c] + Array("_S5_".utf8) + [0x12, 7, 4, 0x0a, 5, 0, 0, 0])
    }

    @Test func longTermsSayTheirLength() {
        for count in [1, 61, 62, 63, 64, 4090, 4095, 70000] {
            let term = AML.scope("\\_SB_", [[UInt8](repeating: 0xa3, count: count)])
            #expect(AMLReader.length(term, at: 1).total == term.count - 1)
        }
    }
}

/// Reads what ``AML`` writes, by the specification's words alone.
enum AMLReader {
    struct Node {
        var names: [String: [UInt8]] = [:]
        var ports: [UInt16] = []
        var memory: [UInt32] = []
        var interrupts: [UInt32] = []
    }

    /// A package's length: with itself, and how many bytes it takes.
    static func length(_ code: [UInt8], at place: Int) -> (total: Int, bytes: Int) {
        let more = Int(code[place] >> 6)
        if more == 0 { return (Int(code[place]), 1) }
        var total = Int(code[place] & 0xf)
        for index in 0..<more { total |= Int(code[place + 1 + index]) << (4 + 8 * index) }
        return (total, 1 + more)
    }

    static func devices(_ code: [UInt8]) -> [String: Node] {
        var nodes: [String: Node] = [:]
        walk(code, 0, code.count, nil, &nodes)
        return nodes
    }

    private static func walk(_ code: [UInt8], _ start: Int, _ end: Int, _ owner: String?, _ nodes: inout [String: Node])
    {
        var place = start
        while place < end {
            switch code[place] {
            case 0x10:
                let (total, bytes) = length(code, at: place + 1)
                walk(code, place + 1 + bytes + 5, place + 1 + total, owner, &nodes)
                place += 1 + total
            case 0x5b where code[place + 1] == 0x82:
                let (total, bytes) = length(code, at: place + 2)
                let name = String(decoding: code[place + 2 + bytes..<place + 6 + bytes], as: UTF8.self)
                nodes[name] = Node()
                walk(code, place + 6 + bytes, place + 2 + total, name, &nodes)
                place += 2 + total
            case 0x08:
                let isRoot = code[place + 1] == 0x5c
                let first = place + (isRoot ? 2 : 1)
                let name = String(decoding: code[first..<first + 4], as: UTF8.self)
                let size = valueSize(code, first + 4)
                let value = Array(code[first + 4..<first + 4 + size])
                if let owner {
                    nodes[owner]?.names[name] = value
                    if name == "_CRS" { resources(value, &nodes[owner]!) }
                }
                place = first + 4 + size
            default:
                Issue.record("an opcode that is not known: \(code[place]) at \(place)")
                return
            }
        }
        #expect(place == end)
    }

    private static func valueSize(_ code: [UInt8], _ place: Int) -> Int {
        switch code[place] {
        case 0x00, 0x01, 0xff: 1
        case 0x0a: 2
        case 0x0b: 3
        case 0x0c: 5
        case 0x0e: 9
        case 0x0d: code[place...].firstIndex(of: 0)! - place + 1
        case 0x11, 0x12: 1 + length(code, at: place + 1).total
        default: code.count - place
        }
    }

    private static func resources(_ buffer: [UInt8], _ node: inout Node) {
        let (total, bytes) = length(buffer, at: 1)
        #expect(total + 1 == buffer.count)
        let sizeBytes = valueSize(buffer, 1 + bytes)
        var place = 1 + bytes + sizeBytes
        let size = buffer[1 + bytes] == 0x0a ? Int(buffer[2 + bytes]) : -1
        #expect(size == buffer.count - place)
        while buffer[place] != 0x79 {
            switch buffer[place] {
            case 0x47:
                node.ports.append(buffer.load(UInt16.self, at: place + 2))
                place += 8
            case 0x86:
                node.memory.append(buffer.load(UInt32.self, at: place + 4))
                place += 12
            case 0x89:
                node.interrupts.append(buffer.load(UInt32.self, at: place + 5))
                place += 9
            default:
                Issue.record("a resource that is not known")
                return
            }
        }
        #expect(place == buffer.count - 2)
    }
}
