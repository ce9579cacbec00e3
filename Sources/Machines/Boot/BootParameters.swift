import GuestMemory

extension MachineConfiguration {
    /// Adds words to the kernel's command line, in front of what is for init behind `--`.
    public mutating func addArguments(_ words: [String]) {
        let all = commandLine.split(separator: " ", omittingEmptySubsequences: false)
        let kernel = all.prefix { $0 != "--" }
        commandLine = (kernel.map(String.init) + words + all.dropFirst(kernel.count).map(String.init)).joined(
            separator: " ")
    }
}

/// What a kernel is told: memory, command line, initial RAM disk, tables.
struct BootParameters {
    var kernel: LoadedKernel
    var initialRAMDisk: InitialRAMDisk?
    var commandLine: String
    var map: AddressMap
    /// Where ACPI's root pointer is.
    var rootPointer: UInt64

    /// Puts all of it into the guest's memory, in the form of the kernel's boot protocol.
    ///
    /// - Throws: ``ImageError/commandLineTooLong(count:limit:)``.
    func write(to memory: GuestMemory) throws(MachineError) {
        let text = Array(commandLine.utf8)
        let room = Int(AddressMap.firmwareStart - AddressMap.commandLine) - 1
        let limit = min(kernel.commandLineLimit, room)
        guard text.count <= limit else {
            throw MachineError(.commandLine, .image(.commandLineTooLong(count: text.count, limit: limit)))
        }
        do throws(GuestMemoryError) {
            try memory.write(text + [0], at: GuestAddress(AddressMap.commandLine))
            if kernel.bootProtocol == .pvh {
                try memory.write(startInfo, at: GuestAddress(AddressMap.startInfo))
                try memory.write(module, at: GuestAddress(AddressMap.moduleList))
                try memory.write(startMemoryMap, at: GuestAddress(AddressMap.startMemoryMap))
            } else {
                try memory.write(zeroPage, at: GuestAddress(AddressMap.zeroPage))
                try memory.write(Self.pageTables, at: GuestAddress(AddressMap.pageTables))
            }
            try memory.write(Self.descriptorTable(kernel.bootProtocol), at: GuestAddress(AddressMap.descriptorTable))
        } catch { throw MachineError(.memory, error) }
    }

    // MARK: - Linux

    /// `struct boot_params`.
    var zeroPage: [UInt8] {
        var page = [UInt8](repeating: 0, count: 4096)
        page.replaceSubrange(BzImage.headerStart..<BzImage.headerStart + kernel.header.count, with: kernel.header)
        page.store(rootPointer, at: 0x70)
        let ranges = map.ranges
        page[0x1e8] = UInt8(ranges.count)
        for (index, range) in ranges.enumerated() {
            page.store(range.start, at: 0x2d0 + 20 * index)
            page.store(range.size, at: 0x2d0 + 20 * index + 8)
            page.store(range.type, at: 0x2d0 + 20 * index + 16)
        }
        page.store(UInt16(0xaa55), at: 0x1fe)
        page.store(UInt32(0x5372_6448), at: 0x202)
        // An ELF file has no header; this is the version whose fields are filled in.
        if kernel.header.isEmpty { page.store(UInt16(0x20c), at: 0x206) }
        // A loader without a number of its own.
        page[0x210] = 0xff
        page.store(UInt32(AddressMap.commandLine), at: 0x228)
        page.store(UInt32(kernel.commandLineLimit), at: 0x238)
        if let initialRAMDisk {
            page.store(UInt32(initialRAMDisk.address), at: 0x218)
            page.store(UInt32(initialRAMDisk.size), at: 0x21c)
        }
        return page
    }

    /// The first GiB as it is, in pages of 2 MiB: three tables.
    static var pageTables: [UInt8] {
        var tables = [UInt8](repeating: 0, count: 3 * 4096)
        let (present, writable, large): (UInt64, UInt64, UInt64) = (1, 2, 0x80)
        tables.store(AddressMap.pageTables + 0x1000 | present | writable, at: 0)
        tables.store(AddressMap.pageTables + 0x2000 | present | writable, at: 0x1000)
        for index in 0..<512 {
            tables.store(UInt64(index) << 21 | present | writable | large, at: 0x2000 + 8 * index)
        }
        return tables
    }

    // MARK: - PVH

    /// `struct hvm_start_info`.
    var startInfo: [UInt8] {
        var info: [UInt8] = []
        info.add(UInt32(0x336e_c578))
        info.add(UInt32(1))
        info.add(UInt32(0))
        info.add(UInt32(initialRAMDisk == nil ? 0 : 1))
        info.add(initialRAMDisk == nil ? 0 : AddressMap.moduleList)
        info.add(AddressMap.commandLine)
        info.add(rootPointer)
        info.add(AddressMap.startMemoryMap)
        info.add(UInt32(map.ranges.count))
        info.add(UInt32(0))
        return info
    }

    /// `struct hvm_modlist_entry`; zeros where there is no initial RAM disk.
    private var module: [UInt8] {
        var entry: [UInt8] = []
        entry.add(initialRAMDisk?.address ?? 0)
        entry.add(initialRAMDisk?.size ?? 0)
        entry.add(UInt64(0))
        entry.add(UInt64(0))
        return entry
    }

    /// `struct hvm_memmap_table_entry`, some.
    private var startMemoryMap: [UInt8] {
        var entries: [UInt8] = []
        for range in map.ranges {
            entries.add(range.start)
            entries.add(range.size)
            entries.add(range.type)
            entries.add(UInt32(0))
        }
        return entries
    }

    // MARK: - Both

    /// What the processor has loaded already; a kernel may load it again. A null entry, then code at selector 0x10, data
    /// at 0x18, as Linux expects, and a task state.
    static func descriptorTable(_ bootProtocol: BootProtocol) -> [UInt8] {
        let code: UInt64 = bootProtocol == .pvh ? 0x00cf_9b00_0000_ffff : 0x00af_9b00_0000_ffff
        var table: [UInt8] = []
        for entry: UInt64 in [0, 0, code, 0x00cf_9300_0000_ffff, 0x0000_8b00_0000_0067] { table.add(entry) }
        return table
    }
}
