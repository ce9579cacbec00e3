import GuestMemory

/// What a kernel without ACPI learns its machine's processors and interrupts by: a floating pointer and a configuration
/// table; Intel's MultiProcessor Specification 1.4, chapter 4.
///
/// Each line of the IOAPIC is said to be the ISA bus's of the same number, edge-triggered and high.
struct MultiProcessorTable {
    /// Processors that are there when the machine begins: each's local APIC has its number.
    var processors: Int

    /// The pointer and, right behind it, the table.
    ///
    /// They lie where kernels look: in the last KiB of memory below 640 KiB, which those of 32 processors fill to nine tenths.
    var bytes: [UInt8] {
        let table = table
        var bytes = Array("_MP_".utf8)
        bytes.add(UInt32(AddressMap.firmwareStart) + 16)
        // Its length in units of 16 bytes, and no features: there is a table, and the 8259s' interrupts come by way of the
        // first local APIC.
        bytes += [1, Self.version, 0, 0, 0, 0, 0, 0]
        bytes[10] = Self.checksum(bytes)
        return bytes + table
    }

    func write(to memory: GuestMemory) throws(GuestMemoryError) {
        try memory.write(bytes, at: GuestAddress(AddressMap.firmwareStart))
    }

    // MARK: - Parts

    private static let version: UInt8 = 4
    /// Of the local APICs, which are integrated ones, and of the IOAPIC.
    private static let controllerVersion: UInt8 = 0x14

    /// What all bytes add up to with it is zero.
    private static func checksum(_ bytes: [UInt8]) -> UInt8 { 0 &- bytes.reduce(0, &+) }

    private var ioapic: UInt8 { UInt8(processors) }

    private var table: [UInt8] {
        let entries = processorEntries + [bus, controller] + lines + localLines
        var bytes = Array("PCMP".utf8)
        bytes.add(UInt16(44 + entries.reduce(0) { $0 + $1.count }))
        bytes += [Self.version, 0]
        bytes += Array("BULKHEADMICROVM     ".utf8)
        // No table of the maker's.
        bytes += [0, 0, 0, 0, 0, 0]
        bytes.add(UInt16(entries.count))
        bytes.add(UInt32(AddressMap.localAPIC))
        // No extended entries.
        bytes += [0, 0, 0, 0]
        for entry in entries { bytes += entry }
        bytes[7] = Self.checksum(bytes)
        return bytes
    }

    private var processorEntries: [[UInt8]] {
        (0..<processors).map { number in
            // Usable; and the one that starts the others.
            var entry: [UInt8] = [0, UInt8(number), Self.controllerVersion, number == 0 ? 3 : 1]
            // A sixth-generation processor with FPU and local APIC. CPUID has the truth.
            entry.add(UInt32(0x600))
            entry.add(UInt32(0x201))
            return entry + [UInt8](repeating: 0, count: 8)
        }
    }

    private var bus: [UInt8] { [1, 0] + Array("ISA   ".utf8) }

    private var controller: [UInt8] {
        var entry: [UInt8] = [2, ioapic, Self.controllerVersion, 1]
        entry.add(UInt32(AddressMap.ioapic))
        return entry
    }

    private var lines: [[UInt8]] {
        (0...UInt8(AddressMap.deviceInterrupts.upperBound)).map { [3, 0, 0, 0, 0, $0, ioapic, $0] }
    }

    /// The first line of each local APIC is the 8259s', the second one NMI.
    private var localLines: [[UInt8]] { [[4, 3, 0, 0, 0, 0, 0, 0], [4, 1, 0, 0, 0, 0, 0xff, 1]] }
}
