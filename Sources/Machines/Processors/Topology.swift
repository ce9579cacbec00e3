#if arch(x86_64)
    import KVM

    /// What a guest's processors are to each other: threads of the cores of one package, whose APIC ids are 0, 1, 2, …;
    /// those of a core are neighbours.
    struct Topology {
        /// How many there are: 1, or as many as whole cores have.
        let processors: Int
        /// How many of them are in each core: 1 or 2.
        let threads: Int

        /// - Parameter threads: one that is alone has its core for itself.
        init(processors: Int, threads: Int = 1) {
            self.processors = processors
            self.threads = min(threads, processors)
        }

        /// Bits of an APIC id that tell the threads of a core apart.
        var threadBits: UInt32 { Self.bits(threads) }

        /// Bits of an APIC id that tell the processors of the package apart.
        var packageBits: UInt32 { Self.bits(processors) }

        private static func bits(_ count: Int) -> UInt32 {
            var bits: UInt32 = 0
            while 1 << bits < count { bits += 1 }
            return bits
        }

        /// What CPUID says on one of them, from what KVM can offer; Intel's and AMD's manuals have the leaves.
        ///
        /// - Parameters:
        ///   - supported: ``KVM/Hypervisor/supportedCPUID()``.
        ///   - hasDeadlineTimer: KVM has the timer of local APICs that fires at a value of the time-stamp counter, which
        ///     it does not say there.
        func cpuid(_ supported: [CPUIDEntry], id: UInt32, hasDeadlineTimer: Bool) -> [CPUIDEntry] {
            var entries: [CPUIDEntry] = []
            let isAMD = isAMD(supported)
            for var entry in supported {
                switch entry.function {
                case 0x1:
                    // Initial APIC id, and room for ids in the package.
                    entry.ebx = entry.ebx & 0xffff | id << 24 | min(255, 1 << packageBits) << 16
                    // No debugging capabilities (PDCM); a hypervisor is there.
                    entry.ecx = entry.ecx & ~(1 << 15) | 1 << 31
                    entry.ecx = hasDeadlineTimer ? entry.ecx | 1 << 24 : entry.ecx & ~(1 << 24)
                    entry.edx = processors > 1 ? entry.edx | 1 << 28 : entry.edx & ~(1 << 28)
                case 0x4 where entry.eax & 0x1f != 0: shareCache(&entry, reservesCores: true)
                case 0x6:
                    // No turbo, no counters of real frequency, no hint of how much energy matters.
                    entry.eax &= ~(1 << 1)
                    entry.ecx &= ~(1 << 0 | 1 << 3)
                case 0x7 where entry.index == 0: entry.ecx &= ~(1 << 5)  // WAITPKG
                case 0xa:
                    // No performance counters: their registers would be in a snapshot that another host can't restore.
                    (entry.eax, entry.ebx, entry.ecx, entry.edx) = (0, 0, 0, 0)
                // Written anew below.
                case 0xb, 0x1f: continue
                case 0x8000_0000 where threads > 1 && isAMD: entry.eax = max(entry.eax, 0x8000_001e)
                case 0x8000_0001 where processors > 1 && isAMD:
                    entry.ecx |= 1 << 1
                    // Leaf 0x8000001e means something (TOPOEXT): an AMD guest hears of threads by no other.
                    if threads > 1 { entry.ecx |= 1 << 22 }
                case 0x8000_0008 where isAMD:
                    entry.ecx = entry.ecx & ~0xf0ff | UInt32(processors - 1) | packageBits << 12
                case 0x8000_001d where entry.eax & 0x1f != 0: shareCache(&entry, reservesCores: false)
                // Written anew below, where somebody reads it.
                case 0x8000_001e: continue
                default: break
                }
                entries.append(entry)
            }
            if isAMD && threads > 1 || supported.contains(where: { $0.function == 0x8000_001e }) {
                // The core and its threads but one; one node.
                let core = id >> threadBits | UInt32(threads - 1) << 8
                entries.append(CPUIDEntry(function: 0x8000_001e, eax: id, ebx: core))
            }
            if supported.first(where: { $0.function == 0 })?.eax ?? 0 >= 0xb { entries += levels(0xb, id) }
            if supported.first(where: { $0.function == 0 })?.eax ?? 0 >= 0x1f { entries += levels(0x1f, id) }
            return entries
        }

        /// Threads of a core, then cores of the package; section "CPUID - extended topology" of the manuals.
        private func levels(_ function: UInt32, _ id: UInt32) -> [CPUIDEntry] {
            [
                CPUIDEntry(
                    function: function, index: 0, flags: .indexMatters, eax: threadBits, ebx: UInt32(threads),
                    ecx: 1 << 8, edx: id),
                CPUIDEntry(
                    function: function, index: 1, flags: .indexMatters, eax: packageBits, ebx: UInt32(processors),
                    ecx: 1 | 2 << 8, edx: id),
                CPUIDEntry(function: function, index: 2, flags: .indexMatters, ecx: 2, edx: id),
            ]
        }

        /// Who shares a cache: all processors one of the third level, the threads of a core the others.
        private func shareCache(_ entry: inout CPUIDEntry, reservesCores: Bool) {
            let level = entry.eax >> 5 & 7
            let sharing = UInt32((level >= 3 ? processors : threads) - 1)
            entry.eax = entry.eax & 0x3fff | sharing << 14
            if reservesCores { entry.eax |= ((1 << (packageBits - threadBits)) - 1) << 26 }
        }

        private func isAMD(_ supported: [CPUIDEntry]) -> Bool {
            guard let vendor = supported.first(where: { $0.function == 0 }) else { return false }
            // "Auth" of AuthenticAMD, "Hygo" of HygonGenuine.
            return vendor.ebx == 0x6874_7541 || vendor.ebx == 0x6f67_7948
        }
    }
#endif
