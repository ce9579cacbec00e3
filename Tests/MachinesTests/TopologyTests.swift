#if arch(x86_64)
    import KVM
    import Testing

    @testable import Machines

    @Suite struct TopologyTests {
        private func leaf(
            _ function: UInt32, _ index: UInt32 = 0, of processors: Int, threads: Int = 1, id: UInt32,
            vendor: UInt32 = 0x756e_6547, _ entry: CPUIDEntry? = nil, hasDeadlineTimer: Bool = true
        ) -> CPUIDEntry? {
            let supported = [CPUIDEntry(function: 0, eax: 0x1f, ebx: vendor)] + (entry.map { [$0] } ?? [])
            return Topology(processors: processors, threads: threads)
                .cpuid(supported, id: id, hasDeadlineTimer: hasDeadlineTimer)
                .first { $0.function == function && $0.index == index }
        }

        @Test func idsHaveAsManyBitsAsNeeded() {
            for (processors, bits): (Int, UInt32) in [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (32, 5)] {
                #expect(Topology(processors: processors).packageBits == bits)
                let cores = leaf(0xb, 1, of: processors, id: 0)
                #expect(cores?.eax == bits)
                #expect(cores?.ebx == UInt32(processors))
            }
        }

        @Test func eachProcessorHasItsID() throws {
            let first = CPUIDEntry(function: 1, ebx: 0x7700_0800, ecx: 1 << 15, edx: 0)
            let entry = try #require(leaf(1, of: 3, id: 2, first))
            #expect(entry.ebx == 0x0204_0800)
            #expect(entry.ecx == 1 << 31 | 1 << 24)
            #expect(entry.edx == 1 << 28)
            #expect(leaf(1, of: 1, id: 0, first, hasDeadlineTimer: false)?.ecx == 1 << 31)
            #expect(leaf(1, of: 1, id: 0, first)?.edx == 0)
            for level: UInt32 in 0...2 { #expect(leaf(0x1f, level, of: 3, id: 2)?.edx == 2) }
            #expect(leaf(0xb, 0, of: 3, id: 2)?.ecx == 0x100)
            #expect(leaf(0xb, 1, of: 3, id: 2)?.ecx == 0x201)
        }

        @Test func cachesOfTheThirdLevelAreShared() {
            func entry(_ level: UInt32) -> CPUIDEntry { CPUIDEntry(function: 4, eax: 1 | level << 5 | 0xffff_c000) }
            let own: UInt32 = 1 | 1 << 5 | 3 << 26
            #expect(leaf(4, of: 4, id: 0, entry(1))?.eax == own)
            let shared: UInt32 = 1 | 3 << 5 | 3 << 14 | 3 << 26
            #expect(leaf(4, of: 4, id: 0, entry(3))?.eax == shared)
        }

        @Test func coresMayHaveTwoThreads() throws {
            for (processors, bits): (Int, UInt32) in [(2, 1), (4, 2), (6, 3), (32, 5)] {
                let last = UInt32(processors - 1)
                for function: UInt32 in [0xb, 0x1f] {
                    let threads = leaf(function, 0, of: processors, threads: 2, id: last)
                    let package = leaf(function, 1, of: processors, threads: 2, id: last)
                    // Each level has all processors of the next one.
                    #expect([threads?.eax, threads?.ebx, threads?.ecx, threads?.edx] == [1, 2, 1 << 8, last])
                    #expect([package?.eax, package?.ebx, package?.ecx] == [bits, last + 1, 1 | 2 << 8])
                }
                func cache(_ function: UInt32, _ level: UInt32) -> UInt32? {
                    let entry = CPUIDEntry(function: function, eax: 1 | level << 5 | 0xffff_c000)
                    return leaf(function, of: processors, threads: 2, id: 0, entry)?.eax
                }
                // The first two levels are those of a core, the third is all processors'; 2^(bits - 1) cores.
                let cores: UInt32 = ((1 << (bits - 1)) - 1) << 26
                for level: UInt32 in [1, 2] { #expect(cache(4, level) == 1 | level << 5 | 1 << 14 | cores) }
                #expect(cache(4, 3) == 1 | 3 << 5 | last << 14 | cores)
                let ofCore: UInt32 = 1 | 2 << 5 | 1 << 14
                #expect(cache(0x8000_001d, 2) == ofCore)
                #expect(cache(0x8000_001d, 3) == 1 | 3 << 5 | last << 14)
            }
            // Processors, not cores, have the ids.
            let first = CPUIDEntry(function: 1, ebx: 0x7700_0800, edx: 0)
            let entry = try #require(leaf(1, of: 4, threads: 2, id: 3, first))
            #expect(entry.ebx == 0x0304_0800 && entry.edx == 1 << 28)
            let amd: UInt32 = 0x6874_7541
            let sizes = CPUIDEntry(function: 0x8000_0008, ecx: 0)
            #expect(leaf(0x8000_0008, of: 4, threads: 2, id: 0, vendor: amd, sizes)?.ecx == 0x2003)
            for id: UInt32 in 0..<4 {
                let unit = CPUIDEntry(function: 0x8000_001e, ecx: 7)
                let made = try #require(leaf(0x8000_001e, of: 4, threads: 2, id: id, vendor: amd, unit))
                #expect([made.eax, made.ebx, made.ecx] == [id, 1 << 8 | id / 2, 0])
            }
            // The leaf is there, and said to be, whatever KVM has.
            let highest = CPUIDEntry(function: 0x8000_0000, eax: 0x8000_0008)
            #expect(leaf(0x8000_0000, of: 2, threads: 2, id: 0, vendor: amd, highest)?.eax == 0x8000_001e)
            #expect(leaf(0x8000_001e, of: 2, threads: 2, id: 1, vendor: amd)?.ebx == 1 << 8)
            #expect(leaf(0x8000_0000, of: 2, id: 0, vendor: amd, highest) == highest)
            #expect(leaf(0x8000_001e, of: 2, id: 0, vendor: amd) == nil)
            #expect(leaf(0x8000_001e, of: 2, threads: 2, id: 0) == nil)
            let flags = CPUIDEntry(function: 0x8000_0001)
            #expect(leaf(0x8000_0001, of: 2, threads: 2, id: 0, vendor: amd, flags)?.ecx == 1 << 22 | 1 << 1)
            #expect(leaf(0x8000_0001, of: 2, threads: 2, id: 0, flags)?.ecx == 0)
            // One that is alone has no other thread.
            let alone = leaf(0xb, 0, of: 1, threads: 2, id: 0)
            #expect([alone?.eax, alone?.ebx] == [0, 1])
        }

        @Test func whatAGuestCanNotUseIsHidden() {
            #expect(leaf(0xa, of: 1, id: 0, CPUIDEntry(function: 0xa, eax: 7, edx: 9))?.eax == 0)
            #expect(leaf(7, of: 1, id: 0, CPUIDEntry(function: 7, ecx: 0xff))?.ecx == 0xdf)
            #expect(leaf(6, of: 1, id: 0, CPUIDEntry(function: 6, eax: 6, ecx: 9))?.eax == 4)
        }

        @Test func amdHasItsOwnLeaves() {
            let amd: UInt32 = 0x6874_7541
            let sizes = CPUIDEntry(function: 0x8000_0008, ecx: 0x1_70ff)
            #expect(leaf(0x8000_0008, of: 3, id: 0, vendor: amd, sizes)?.ecx == 0x1_2002)
            #expect(leaf(0x8000_0008, of: 3, id: 0, sizes)?.ecx == 0x1_70ff)
            let unit = leaf(0x8000_001e, of: 3, id: 2, vendor: amd, CPUIDEntry(function: 0x8000_001e, ebx: 0x105))
            #expect(unit?.eax == 2)
            #expect(unit?.ebx == 2)
            let flags = CPUIDEntry(function: 0x8000_0001)
            #expect(leaf(0x8000_0001, of: 2, id: 0, vendor: amd, flags)?.ecx == 2)
            #expect(leaf(0x8000_0001, of: 1, id: 0, vendor: amd, flags)?.ecx == 0)
        }
    }
#endif
