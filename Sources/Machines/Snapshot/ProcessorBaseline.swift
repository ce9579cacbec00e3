#if arch(x86_64)
    import KVM

    /// What a saved guest's processor can that this host's can't offer: a guest that goes on there would use it all the same.
    enum ProcessorBaseline {
        private enum Register: String {
            case eax, ebx, ecx, edx

            func of(_ entry: CPUIDEntry) -> UInt32 {
                switch self {
                case .eax: entry.eax
                case .ebx: entry.ebx
                case .ecx: entry.ecx
                case .edx: entry.edx
                }
            }
        }

        /// A register whose bits are one feature each. `own` are bits that this monitor, the vCPU or its guest sets.
        private struct Word {
            var function: UInt32
            var index: UInt32 = 0
            var register: Register
            var own: UInt32 = 0
        }

        private static let words: [Word] = [
            // TSC-deadline timer, OSXSAVE, hypervisor; hyper-threading.
            Word(function: 1, register: .ecx, own: 1 << 24 | 1 << 27 | 1 << 31),
            Word(function: 1, register: .edx, own: 1 << 28),
            Word(function: 6, register: .eax),
            Word(function: 7, register: .ebx),
            // OSPKE.
            Word(function: 7, register: .ecx, own: 1 << 4),
            Word(function: 7, register: .edx),
            Word(function: 7, index: 1, register: .eax),
            Word(function: 7, index: 1, register: .edx),
            Word(function: 0xd, register: .eax), Word(function: 0xd, register: .edx),
            Word(function: 0xd, index: 1, register: .eax),
            // Legacy multi-core; topology extensions.
            Word(function: 0x8000_0001, register: .ecx, own: 1 << 1 | 1 << 22),
            Word(function: 0x8000_0001, register: .edx),
            Word(function: 0x8000_0007, register: .edx),
            Word(function: 0x8000_0008, register: .ebx),
            Word(function: 0x8000_000a, register: .edx),
            Word(function: 0x8000_0021, register: .eax),
            Word(function: 0x4000_0001, register: .eax),
        ]

        /// - Returns: what is missing, one text for each; empty where the guest may go on.
        static func missing(_ saved: [CPUIDEntry], _ host: [CPUIDEntry]) -> [String] {
            guard let guest = entry(saved, 0), let own = entry(host, 0) else { return ["leaf 0x0 of CPUID"] }
            guard vendor(guest) == vendor(own) else {
                return ["a processor of \(vendor(guest)), and this one is of \(vendor(own))"]
            }
            var all: [String] = []
            for word in words {
                let had = entry(saved, word.function, word.index).map { word.register.of($0) } ?? 0
                let has = entry(host, word.function, word.index).map { word.register.of($0) } ?? 0
                let lacking = had & ~has & ~word.own
                for bit in 0..<32 where lacking >> UInt32(bit) & 1 == 1 { all.append(text(word, bit)) }
            }
            return all
        }

        private static func entry(_ entries: [CPUIDEntry], _ function: UInt32, _ index: UInt32 = 0) -> CPUIDEntry? {
            entries.first { $0.function == function && ($0.index == index || !$0.flags.contains(.indexMatters)) }
        }

        /// Twelve letters.
        static func vendor(_ entry: CPUIDEntry) -> String {
            let bytes = [entry.ebx, entry.edx, entry.ecx].flatMap { word in
                (0..<4).map { UInt8(word >> (8 * $0) & 0xff) }
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        private static func text(_ word: Word, _ bit: Int) -> String {
            var place = "leaf 0x\(String(word.function, radix: 16))"
            if word.function == 7 || word.function == 0xd { place += ".\(word.index)" }
            place += " \(word.register.rawValue.uppercased()) bit \(bit)"
            let key = UInt64(word.function) << 16 | UInt64(word.index) << 8
            let row = names[key]?[word.register.rawValue]
            return row?[bit].map { "\($0) (\(place))" } ?? place
        }

        /// Names that people know, by leaf and subleaf, register and bit; the processors' manuals and Linux's
        /// `/proc/cpuinfo` have them.
        private static let names: [UInt64: [String: [Int: String]]] = [
            1 << 16: [
                "ecx": [
                    0: "sse3", 1: "pclmulqdq", 5: "vmx", 9: "ssse3", 12: "fma", 13: "cx16", 17: "pcid", 19: "sse4.1",
                    20: "sse4.2", 21: "x2apic", 22: "movbe", 23: "popcnt", 25: "aes", 26: "xsave", 28: "avx",
                    29: "f16c",
                    30: "rdrand",
                ],
                "edx": [15: "cmov", 19: "clflush", 23: "mmx", 24: "fxsr", 25: "sse", 26: "sse2"],
            ],
            7 << 16: [
                "ebx": [
                    0: "fsgsbase", 3: "bmi1", 4: "hle", 5: "avx2", 7: "smep", 8: "bmi2", 9: "erms", 10: "invpcid",
                    11: "rtm", 16: "avx512f", 17: "avx512dq", 18: "rdseed", 19: "adx", 20: "smap", 21: "avx512ifma",
                    23: "clflushopt", 24: "clwb", 28: "avx512cd", 29: "sha", 30: "avx512bw", 31: "avx512vl",
                ],
                "ecx": [
                    1: "avx512vbmi", 2: "umip", 3: "pku", 6: "avx512vbmi2", 7: "shstk", 8: "gfni", 9: "vaes",
                    10: "vpclmulqdq", 11: "avx512vnni", 14: "avx512vpopcntdq", 16: "la57", 22: "rdpid",
                ],
                "edx": [
                    4: "fsrm", 20: "ibt", 24: "amx-tile", 25: "amx-int8", 26: "spec-ctrl", 27: "stibp", 31: "ssbd",
                ],
            ],
            0x8000_0001 << 16: [
                "ecx": [0: "lahf", 2: "svm", 5: "abm", 6: "sse4a", 8: "3dnowprefetch", 22: "topoext"],
                "edx": [20: "nx", 26: "1-GiB pages", 27: "rdtscp", 29: "long mode"],
            ],
            0xd << 16: ["eax": [2: "avx state", 5: "avx-512 state", 9: "pku state", 17: "amx state"]],
        ]
    }
#endif
