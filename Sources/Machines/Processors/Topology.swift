#if arch(x86_64)
    import KVM

    /// What a guest's processors are to each other: cores of one package, one thread each, whose APIC ids are 0, 1, 2, …
    struct Topology {
        /// How many there are.
        let processors: Int

        /// Bits of an APIC id that tell the cores of the package apart.
        var coreBits: UInt32 {
            var bits: UInt32 = 0
            while 1 << bits < processors { bits += 1 }
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
            for var entry in supported {
                switch entry.function {
                case 0x1:
                    // Initial APIC id, and room for ids in the package.
                    entry.ebx = entry.ebx & 0xffff | id << 24 | min(255, 1 << coreBits) << 16
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
                case 0x8000_0001 where processors > 1 && isAMD(supported): entry.ecx |= 1 << 1
                case 0x8000_0008 where isAMD(supported):
                    entry.ecx = entry.ecx & ~0xf0ff | UInt32(processors - 1) | coreBits << 12
                case 0x8000_001d where entry.eax & 0x1f != 0: shareCache(&entry, reservesCores: false)
                case 0x8000_001e:
                    entry.eax = id
                    // One thread in each core, one node.
                    entry.ebx = id
                    entry.ecx = 0
                default: break
                }
                entries.append(entry)
            }
            if supported.first(where: { $0.function == 0 })?.eax ?? 0 >= 0xb { entries += levels(0xb, id) }
            if supported.first(where: { $0.function == 0 })?.eax ?? 0 >= 0x1f { entries += levels(0x1f, id) }
            return entries
        }

        /// Threads of a core, then cores of the package; section "CPUID - extended topology" of the manuals.
        private func levels(_ function: UInt32, _ id: UInt32) -> [CPUIDEntry] {
            [
                CPUIDEntry(
                    function: function, index: 0, flags: .indexMatters, eax: 0, ebx: 1, ecx: 1 << 8, edx: id),
                CPUIDEntry(
                    function: function, index: 1, flags: .indexMatters, eax: coreBits, ebx: UInt32(processors),
                    ecx: 1 | 2 << 8, edx: id),
                CPUIDEntry(function: function, index: 2, flags: .indexMatters, ecx: 2, edx: id),
            ]
        }

        /// Who shares a cache: all processors one of the third level, nobody the others.
        private func shareCache(_ entry: inout CPUIDEntry, reservesCores: Bool) {
            let level = entry.eax >> 5 & 7
            let sharing = level >= 3 ? UInt32(processors - 1) : 0
            entry.eax = entry.eax & 0x3fff | sharing << 14
            if reservesCores { entry.eax |= ((1 << coreBits) - 1) << 26 }
        }

        private func isAMD(_ supported: [CPUIDEntry]) -> Bool {
            guard let vendor = supported.first(where: { $0.function == 0 }) else { return false }
            // "Auth" of AuthenticAMD, "Hygo" of HygonGenuine.
            return vendor.ebx == 0x6874_7541 || vendor.ebx == 0x6f67_7948
        }
    }
#endif
