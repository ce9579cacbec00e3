/// What may be added to a machine while it runs.
struct HotplugPlan: Hashable {
    /// Processors in all; those that are there from the beginning count.
    var maximumProcessors = 0
    /// Places for virtio devices that come and go, behind those that stay. Some may be taken from the beginning.
    var devices: [ACPITables.DevicePlace] = []
    /// Pieces of memory.
    var memorySlots = 0
    /// The device `VGEN` as AML: the virtual machine's generation id. Nobody changes it without a restore, of which
    /// ``HotplugController/notifyGeneration()`` tells the guest.
    var generation: [UInt8] = []

    /// The most pieces of memory: each is one ``Machine/addMemory(_:)``.
    static let mostMemorySlots = 16
}

/// How a guest hears of what comes: a generic event device (ACPI specification 6.4, section 5.6.9), whose method asks
/// the ``HotplugController`` what happened and notifies the devices that it happened to.
///
/// ```
/// Device (HPLG) { _HID "ACPI0013", _EVT (line) { Local0 = HPEV; if (Local0 & 1) … Notify (CP01, 1) … } }
/// Device (CP01) { _HID "ACPI0007", _STA () { if (HPPR & 2) return 0xf … } }
/// Device (ME00) { _HID "PNP0C80", _STA, _CRS () { return HPMR (MB00, ML00, MS00) } }
/// Device (SL03) { _HID "ACPI0004", _STA, _EJ0 () { HPEJ = 3 }, Device (BUS0) { _ADR 0, Device (VR03) { _HID "LNRO0005" } } }
/// ```
extension ACPITables {
    /// There, enabled, shown, working.
    private static let isThere: UInt64 = 0xf
    /// What a notification says: look at the device, let go of it, the generation id has changed; section 5.6.6 and the
    /// "Virtual Machine Generation ID" document.
    private static let deviceCheck: UInt64 = 1
    private static let ejectRequest: UInt64 = 3
    private static let generationChanged: UInt64 = 0x80

    private var growsProcessors: Bool { hotplug.maximumProcessors > processors }

    /// Nothing where nothing may come.
    var hotplugNodes: [[UInt8]] {
        guard
            growsProcessors || !hotplug.devices.isEmpty || hotplug.memorySlots > 0 || !hotplug.generation.isEmpty
        else { return [] }
        var nodes = [
            AML.memoryRegion("HPRG", AddressMap.hotplug, HotplugController.size), AML.fields("HPRG", registers),
        ]
        if growsProcessors { nodes += (0..<hotplug.maximumProcessors).map(processor) }
        if hotplug.memorySlots > 0 { nodes.append(memoryResources) }
        nodes += (0..<hotplug.memorySlots).map(memoryDevice)
        nodes += hotplug.devices.enumerated().map { slot($0.offset, $0.element) }
        if !hotplug.generation.isEmpty { nodes.append(hotplug.generation) }
        nodes.append(eventDevice)
        return nodes
    }

    private static func hexadecimal(_ prefix: String, _ index: Int) -> String {
        prefix + String(index + 0x100, radix: 16).suffix(2).uppercased()
    }

    /// ``HotplugController``'s registers.
    private var registers: [AML.Field] {
        var fields: [AML.Field] = [
            .named("HPEV", 32), .named("HPPR", 32), .named("HPPC", 32), .named("HPMP", 32), .named("HPMC", 32),
            .named("HPDP", 32), .named("HPDC", 32), .named("HPDE", 32), .named("HPEJ", 32),
        ]
        fields.append(.gap(8 * Int(HotplugController.firstSlot) - 32 * fields.count))
        for slot in 0..<hotplug.memorySlots {
            for prefix in ["MB", "ML", "MS"] { fields.append(.named(Self.hexadecimal(prefix, slot), 64)) }
        }
        return fields
    }

    /// Whether a bit of a register says that the device is there.
    private func status(_ register: String, _ index: Int) -> [UInt8] {
        AML.method(
            "_STA",
            [
                AML.when(
                    AML.and(AML.value(register), AML.integer(1 << UInt64(index))),
                    [AML.give(AML.integer(Self.isThere))]),
                AML.give(AML.integer(0)),
            ])
    }

    private func processor(_ index: Int) -> [UInt8] {
        // As in the MADT, but enabled: it is looked at only when the processor is there.
        var localAPIC: [UInt8] = [0, 8, UInt8(index), UInt8(index)]
        localAPIC.add(UInt32(1))
        return AML.device(
            Self.hexadecimal("CP", index),
            [
                AML.name("_HID", AML.string("ACPI0007")), AML.name("_UID", AML.integer(UInt64(index))),
                AML.name("_MAT", AML.buffer(localAPIC)), status("HPPR", index),
            ])
    }

    /// A template of resources from the place of a piece of memory: first address, last address, size.
    private var memoryResources: [UInt8] {
        let offsets = AML.wideMemoryOffsets
        return AML.method(
            "HPMR", arguments: 3,
            [
                AML.store(AML.resources([AML.wideMemory]), AML.local(0)),
                AML.wideField(AML.local(0), at: offsets.first, "HPFA"),
                AML.wideField(AML.local(0), at: offsets.last, "HPLA"),
                AML.wideField(AML.local(0), at: offsets.size, "HPSZ"),
                AML.store(AML.argument(0), AML.value("HPFA")), AML.store(AML.argument(1), AML.value("HPLA")),
                AML.store(AML.argument(2), AML.value("HPSZ")), AML.give(AML.local(0)),
            ])
    }

    /// Without a table of proximity domains (SRAT) Linux takes the memory as well; with one it would set 64 MiB of the
    /// guest aside for devices that can't reach beyond 4 GiB, which there are none of.
    private func memoryDevice(_ slot: Int) -> [UInt8] {
        let place = ["MB", "ML", "MS"].map { AML.value(Self.hexadecimal($0, slot)) }
        return AML.device(
            Self.hexadecimal("ME", slot),
            [
                AML.name("_HID", AML.eisaID("PNP0C80")), AML.name("_UID", AML.integer(UInt64(slot))),
                status("HPMP", slot), AML.method("_CRS", [AML.give(AML.value("HPMR", place))]),
            ])
    }

    /// Linux heeds notifications only for devices with a hot-plug handler of their own, so each device is in a container,
    /// which has one. An eject request for a container is handed on to programs of the guest's (an event `change` with
    /// `EVENT=offline`), one of which lets the driver go.
    ///
    /// The device itself outlives its container in Linux, as what the driver is bound to and unbound from: a device
    /// between the two, which is nothing to Linux, keeps it from being the container's.
    private func slot(_ index: Int, _ place: DevicePlace) -> [UInt8] {
        let device = virtioDevice(devices.count + index, place)
        return AML.device(
            Self.hexadecimal("SL", index),
            [
                AML.name("_HID", AML.string("ACPI0004")), AML.name("_UID", AML.integer(UInt64(index))),
                status("HPDP", index),
                AML.method("_EJ0", arguments: 1, [AML.store(AML.integer(UInt64(index)), AML.value("HPEJ"))]),
                AML.device("BUS0", [AML.name("_ADR", AML.integer(0)), device]),
            ])
    }

    private var eventDevice: [UInt8] {
        func on(_ event: HotplugController.Events, _ terms: [[UInt8]]) -> [UInt8] {
            AML.when(AML.and(AML.local(0), AML.integer(UInt64(event.rawValue))), terms)
        }
        func each(
            _ register: String, _ prefix: String, _ indices: Range<Int>, _ what: UInt64
        ) -> [[UInt8]] {
            [AML.store(AML.value(register), AML.local(1))]
                + indices.map { index in
                    AML.when(
                        AML.and(AML.local(1), AML.integer(1 << UInt64(index))),
                        [AML.notify(Self.hexadecimal(prefix, index), what)])
                }
        }
        // Reading the events takes them.
        var events = [AML.store(AML.value("HPEV"), AML.local(0))]
        if growsProcessors {
            events.append(on(.processors, each("HPPC", "CP", processors..<hotplug.maximumProcessors, Self.deviceCheck)))
        }
        if hotplug.memorySlots > 0 {
            events.append(on(.memory, each("HPMC", "ME", 0..<hotplug.memorySlots, Self.deviceCheck)))
        }
        if !hotplug.devices.isEmpty {
            let slots = hotplug.devices.indices
            events.append(
                on(.devices, each("HPDC", "SL", slots, Self.deviceCheck) + each("HPDE", "SL", slots, Self.ejectRequest))
            )
        }
        if !hotplug.generation.isEmpty {
            events.append(on(.generation, [AML.notify("VGEN", Self.generationChanged)]))
        }
        return AML.device(
            "HPLG",
            [
                AML.name("_HID", AML.string("ACPI0013")), AML.name("_UID", AML.integer(0)),
                AML.name("_CRS", AML.resources([AML.levelInterrupt(AddressMap.hotplugInterrupt)])),
                AML.method("_EVT", arguments: 1, events),
            ])
    }
}
