import GuestMemory

/// The tables by which a guest's kernel learns what its machine has; ACPI specification 6.4, chapter 5.
///
/// The machine is one of reduced hardware: it has none of ACPI's old registers, and is switched off and reset by writes
/// to a port each.
struct ACPITables {
    /// Processors that are there when the machine begins.
    var processors: Int
    /// Where the registers of each virtio device that stays are, and its interrupt's line, in the order in which the
    /// guest is to find them.
    var devices: [DevicePlace]
    /// What may come while the machine runs.
    var hotplug = HotplugPlan()
    /// Whether there is a keyboard behind a controller of the old kind.
    var hasKeyboard = false

    struct DevicePlace: Hashable {
        var address: UInt64
        var interrupt: UInt32

        /// What tells a kernel of it that has no ACPI.
        var argument: String { "virtio_mmio.device=4K@0x\(String(address, radix: 16)):\(interrupt)" }
    }

    /// A table and where it is.
    struct Placed: Hashable {
        var address: UInt64
        var bytes: [UInt8]
    }

    /// All tables, the root pointer first.
    ///
    /// - Precondition: they fit between ``AddressMap/acpi`` and ``ResetVector/address``; those of 32 processors and 19 devices need 4 KiB,
    ///   and 12 KiB where all of them and 16 pieces of memory may come later.
    var placed: [Placed] {
        var next = AddressMap.acpi + 64
        var tables: [Placed] = []
        func place(_ bytes: [UInt8]) -> UInt64 {
            let address = next
            tables.append(Placed(address: address, bytes: bytes))
            // Aligned to what a cache line is.
            next += (UInt64(bytes.count) + 63) / 64 * 64
            return address
        }
        let description = place(differentiated)
        let fixed = place(fixedDescription(description))
        let interrupts = place(interruptDescription)
        var list: [UInt8] = []
        for address in [fixed, interrupts] { list.add(address) }
        let root = place(Self.table("XSDT", revision: 1, list))
        precondition(next <= ResetVector.address, "the tables fit below the firmware's code")
        return [Placed(address: AddressMap.acpi, bytes: Self.rootPointer(root))] + tables
    }

    func write(to memory: GuestMemory) throws(GuestMemoryError) {
        for table in placed { try memory.write(table.bytes, at: GuestAddress(table.address)) }
    }

    // MARK: - Tables

    private static let maker: [UInt8] = Array("BULKHD".utf8)

    /// What all bytes add up to with it is zero.
    private static func checksum(_ bytes: some Sequence<UInt8>) -> UInt8 { 0 &- bytes.reduce(0, &+) }

    /// A table behind the header that all have; section 5.2.6.
    private static func table(_ signature: String, revision: UInt8, _ body: [UInt8]) -> [UInt8] {
        var bytes = Array(signature.utf8)
        bytes.add(UInt32(36 + body.count))
        bytes += [revision, 0]
        bytes += maker
        bytes += Array("MICROVM ".utf8)
        bytes.add(UInt32(1))
        bytes += Array("BULK".utf8)
        bytes.add(UInt32(1))
        bytes += body
        bytes[9] = checksum(bytes)
        return bytes
    }

    /// RSDP; section 5.2.5.3.
    private static func rootPointer(_ table: UInt64) -> [UInt8] {
        var bytes = Array("RSD PTR ".utf8) + [0] + maker + [2]
        bytes.add(UInt32(0))
        bytes.add(UInt32(36))
        bytes.add(table)
        bytes += [0, 0, 0, 0]
        // The first 20 bytes are what ACPI 1 had, with a sum of their own.
        bytes[8] = checksum(bytes[0..<20])
        bytes[32] = checksum(bytes)
        return bytes
    }

    /// FADT; section 5.2.9.
    private func fixedDescription(_ description: UInt64) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: 276 - 36)
        func at(_ offset: Int) -> Int { offset - 36 }
        body.store(UInt32(description), at: at(40))
        // No VGA, no clock of CMOS: a kernel looks for neither.
        body.store(UInt16(1 << 2 | 1 << 5 | (hasKeyboard ? 1 << 1 : 0)), at: at(109))
        // Reduced hardware, a reset register, and no power and sleep buttons of the old kind.
        body.store(UInt32(1 << 20 | 1 << 10 | 1 << 5 | 1 << 4), at: at(112))
        body.replaceSubrange(at(116)..<at(128), with: port(PowerControl.reset))
        body[at(128)] = PowerControl.resetValue
        // 6.4.
        body[at(131)] = 4
        body.store(description, at: at(140))
        body.replaceSubrange(at(244)..<at(256), with: port(PowerControl.sleepControl))
        body.replaceSubrange(at(256)..<at(268), with: port(PowerControl.sleepStatus))
        body.replaceSubrange(at(268)..<at(276), with: Array("BULKHEAD".utf8))
        return Self.table("FACP", revision: 6, body)
    }

    /// A port of one byte as a generic address; section 5.2.3.2.
    private func port(_ offset: UInt64) -> [UInt8] {
        var bytes: [UInt8] = [1, 8, 0, 1]
        bytes.add(AddressMap.powerPorts + offset)
        return bytes
    }

    /// MADT; section 5.2.12.
    private var interruptDescription: [UInt8] {
        var body: [UInt8] = []
        body.add(UInt32(AddressMap.localAPIC))
        body.add(UInt32(0))
        for index in 0..<processors {
            body += [0, 8, UInt8(index), UInt8(index)]
            body.add(UInt32(1))
        }
        for index in processors..<max(processors, hotplug.maximumProcessors) {
            // Not there, but may come: a kernel makes room for it.
            body += [0, 8, UInt8(index), UInt8(index)]
            body.add(UInt32(1 << 1))
        }
        body += [1, 12, 0, 0]
        body.add(UInt32(AddressMap.ioapic))
        body.add(UInt32(0))
        return Self.table("APIC", revision: 5, body)
    }

    /// DSDT: devices, and that the machine can be switched off.
    private var differentiated: [UInt8] {
        var nodes = [serialPort, panicDevice]
        if hasKeyboard { nodes.append(keyboard) }
        nodes += devices.enumerated().map { virtioDevice($0.offset, $0.element) }
        nodes += hotplugNodes
        let off = AML.package([PowerControl.offType, 0, 0, 0].map { AML.integer(UInt64($0)) })
        return Self.table("DSDT", revision: 2, AML.scope("\\_SB_", nodes) + AML.name("\\_S5_", off))
    }

    /// Without this node the port would have no interrupt: reduced hardware has no lines that are known beforehand.
    private var serialPort: [UInt8] {
        AML.device(
            "COM1",
            [
                AML.name("_HID", AML.eisaID("PNP0501")), AML.name("_UID", AML.integer(0)),
                AML.name(
                    "_CRS",
                    AML.resources([
                        AML.ports(UInt16(AddressMap.serialPort), UInt8(SerialPort.size)),
                        AML.interrupt(AddressMap.serialInterrupt),
                    ])),
            ])
    }

    private var keyboard: [UInt8] {
        AML.device(
            "KBD0",
            [
                AML.name("_HID", AML.eisaID("PNP0303")), AML.name("_UID", AML.integer(0)),
                AML.name(
                    "_CRS",
                    AML.resources([
                        AML.ports(UInt16(AddressMap.keyboardData), 1), AML.ports(UInt16(AddressMap.keyboardCommand), 1),
                        AML.interrupt(AddressMap.keyboardInterrupt),
                    ])),
            ])
    }

    /// By the name under which Linux has a driver for it, QEMU's.
    private var panicDevice: [UInt8] {
        AML.device(
            "PEVT",
            [
                AML.name("_HID", AML.string("QEMU0001")), AML.name("_UID", AML.integer(0)),
                AML.name("_CRS", AML.resources([AML.ports(UInt16(AddressMap.panicPort), 1)])),
            ])
    }

    /// Virtio over MMIO; LNRO0005 is the identity that the kernels' drivers know.
    func virtioDevice(_ index: Int, _ place: DevicePlace) -> [UInt8] {
        let digits = String(index + 0x100, radix: 16).suffix(2).uppercased()
        return AML.device(
            "VR\(digits)",
            [
                AML.name("_HID", AML.string("LNRO0005")), AML.name("_UID", AML.integer(UInt64(index))),
                AML.name("_CCA", AML.integer(1)),
                AML.name(
                    "_CRS",
                    AML.resources([
                        AML.memory(UInt32(place.address), UInt32(0x1000)), AML.interrupt(place.interrupt),
                    ])),
            ])
    }
}
