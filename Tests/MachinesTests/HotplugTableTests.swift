import Glibc
import Linux
import TestSupport
import Testing

@testable import Machines

@Suite struct HotplugTableTests {
    private let scratch = Scratch()

    private static func places(_ range: Range<Int>) -> [ACPITables.DevicePlace] {
        range.map { .init(address: 0xc000_1000 + UInt64($0) * 0x1000, interrupt: UInt32(5 + $0)) }
    }

    private static let everything = ACPITables(
        processors: 1, devices: places(0..<0),
        hotplug: HotplugPlan(
            maximumProcessors: 32, devices: places(0..<19), memorySlots: 16,
            generation: AML.device("VGEN", [AML.name("_HID", AML.string("BULK0001"))])))

    private static func table(_ name: String, _ tables: ACPITables) throws -> [UInt8] {
        try #require(tables.placed.first { $0.bytes.starts(with: name.utf8) }).bytes
    }

    @Test func nothingIsSaidOfWhatCannotCome() throws {
        var tables = ACPITables(processors: 2, devices: Self.places(0..<3))
        let plain = tables.placed
        tables.hotplug.maximumProcessors = 2
        #expect(tables.placed == plain)
    }

    @Test func processorsThatMayComeAreCapableOfIt() throws {
        var tables = ACPITables(processors: 2, devices: [])
        tables.hotplug.maximumProcessors = 4
        let table = try Self.table("APIC", tables)
        let flags = (0..<4).map { table.load(UInt32.self, at: 44 + 8 * $0 + 4) }
        #expect(flags == [1, 1, 2, 2])
        let ids = (0..<4).map { table[47 + 8 * $0] }
        #expect(ids == [0, 1, 2, 3])
    }

    @Test func everythingFits() throws {
        // What the comment at the tables' placement says.
        let placed = Self.everything.placed
        let end = try #require(placed.map { $0.address + UInt64($0.bytes.count) }.max())
        #expect(end - AddressMap.acpi < 12 << 10)
        #expect(end <= ResetVector.address)
    }

    /// ACPICA's disassembler reads the table, which no code of ours does, and its compiler takes what it read.
    @Test(.needs(.program("iasl"))) func anotherReadsTheTable() throws {
        let table = try scratch.file("dsdt.aml", try Self.table("DSDT", Self.everything))
        let text = try scratch.file("dsdt.dsl", [])
        let log = try scratch.file("log", [])
        func run(_ command: String) throws {
            let status = system("cd \(scratch.path) && iasl \(command) >\(log) 2>&1")
            let said = try readText(log)
            #expect(status == 0, "\(said)")
        }
        try run("-d \(table)")
        let code = Self.words(try readText(text))
        for expected in [
            "OperationRegion (HPRG, SystemMemory, 0xC0014000, 0x1000) Field (HPRG, DWordAcc, NoLock, Preserve) "
                + "{ HPEV, 32, HPPR, 32, HPPC, 32, HPMP, 32, HPMC, 32, HPDP, 32, HPDC, 32, HPDE, 32, HPEJ, 32, Offset (0x40), MB00, 64, ML00, 64, MS00, 64,",
            "Device (CP1F) { Name (_HID, \"ACPI0007\") Name (_UID, 0x1F)",
            "Method (_STA, 0, Serialized) { If ((HPPR & 0x80000000)) { Return (0x0F) } Return (Zero) }",
            "Device (ME0F) { Name (_HID, EisaId (\"PNP0C80\")) Name (_UID, 0x0F)",
            "Method (_CRS, 0, Serialized) { Return (HPMR (MB0F, ML0F, MS0F)) }",
            "CreateQWordField (Local0, 0x0E, HPFA) CreateQWordField (Local0, 0x16, HPLA)", "HPSZ = Arg2",
            "Device (SL12) { Name (_HID, \"ACPI0004\")", "If ((HPDP & 0x00040000)) { Return (0x0F) }",
            "Method (_EJ0, 1, Serialized)",
            "HPEJ = 0x12 } Device (BUS0) { Name (_ADR, Zero) ",
            "Method (_EVT, 1, Serialized) { Local0 = HPEV If ((Local0 & One)) { Local1 = HPPC If ((Local1 & 0x02)) "
                + "{ Notify (CP01, One) }",
            "If ((Local0 & 0x02)) { Local1 = HPMC If ((Local1 & One)) { Notify (ME00, One) }",
            "If ((Local0 & 0x04)) { Local1 = HPDC If ((Local1 & One)) { Notify (SL00, One) }",
            "Local1 = HPDE If ((Local1 & One)) { Notify (SL00, 0x03) }", "If ((Local0 & 0x08)) { Notify (VGEN, 0x80) }",
            "Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive, ,,) { 0x00000003, }",
        ] {
            let isThere = code.contains(expected)
            #expect(isThere, "\(expected)")
        }
        let saysThatTheFirstCame = code.contains("Notify (CP00")
        #expect(!saysThatTheFirstCame)
        try run("-p again \(text)")
        unlink("\(scratch.path)/again.aml")
    }

    /// A source text without its comments, with one space between any two words.
    private static func words(_ text: String) -> String {
        var words: [Substring] = []
        var isComment = false
        for line in text.split(whereSeparator: \.isNewline) {
            for word in line.split(separator: " ") {
                if word.hasPrefix("//") { break }
                if word.hasPrefix("/*") { isComment = true }
                if !isComment { words.append(word) }
                if word.contains("*/") {
                    isComment = false
                    // What stands right behind.
                    let rest = word.drop { $0 != "/" }.dropFirst()
                    if !rest.isEmpty { words.append(rest) }
                }
            }
        }
        return words.joined(separator: " ").replacing(" )", with: ")")
    }
}
