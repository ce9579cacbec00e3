import Machines

/// `cpu_template` of `/machine-config`: Firecracker's own templates for x86-64, by which guests on several kinds of
/// processors see one and the same. They are named after instances of a cloud's.
enum StaticTemplate: String, CaseIterable {
    case c3 = "C3"
    case t2 = "T2"
    case t2s = "T2S"
    case t2cl = "T2CL"
    case t2a = "T2A"
    case none = "None"

    // MARK: - Where it may be used

    private static let skylake: UInt32 = 0x50654
    private static let cascadeLake: UInt32 = 0x50657
    private static let iceLake: UInt32 = 0x606a6
    private static let milan: UInt32 = 0xa00f11

    /// The processors that it was made for.
    private var signatures: [UInt32] {
        switch self {
        case .c3, .t2: [Self.skylake, Self.cascadeLake, Self.iceLake]
        case .t2s: [Self.skylake, Self.cascadeLake]
        case .t2cl: [Self.cascadeLake, Self.iceLake]
        case .t2a: [Self.milan]
        case .none: []
        }
    }

    /// - Throws: where a host with this processor can't have it.
    func check(on model: ProcessorModel) throws(Fault) {
        guard self != .none else { return }
        let refusal = "Start microvm error: Failed to get CPU template: "
        guard model.vendor == (self == .t2a ? "AuthenticAMD" : "GenuineIntel") else {
            throw Fault("\(refusal)CPU vendor mismatched between actual CPU and CPU template.")
        }
        guard signatures.contains(model.signature) else {
            throw Fault("\(refusal)The current CPU model is not permitted to apply the CPU template.")
        }
    }

    // MARK: - What it changes

    /// nil where it changes nothing.
    var template: ProcessorTemplate? {
        var made = ProcessorTemplate()
        switch self {
        case .none: return nil
        case .c3: made.leaves = Self.ivyBridge + Self.saveAreas + [Self.extended(ecx: [5, 8], edx: [26])]
        // LZCNT stays, and MONITORX and WBNOINVD go.
        case .t2, .t2s:
            made.leaves =
                Self.haswell + Self.saveAreas + [Self.extended(ecx: [8, 29], edx: [26]), Self.sizes(hidden: [9])]
            if self == .t2s { made.registers = [Self.oldestMitigations] }
        // Nor is there what only AMD has: SSE4A, misaligned SSE, and its copies of MMX's and SSE's bits.
        case .t2cl:
            made.leaves =
                Self.haswell + Self.saveAreas
                + [Self.extended(ecx: [6, 7, 8, 29], edx: [22, 23, 24, 25, 26]), Self.sizes(hidden: [9])]
            made.registers = [Self.knownMitigations]
        // SVM goes, too, as do CLZERO and WBNOINVD; RstrFpErrPtrs is there, with what there is of IBRS (18 to 20).
        case .t2a:
            made.leaves =
                Self.haswell + Self.saveAreas
                + [
                    Self.extended(ecx: [2, 6, 7, 8, 29], edx: [22, 25, 26]),
                    Self.sizes(hidden: [0, 9], shown: [2, 18, 19, 20]),
                ]
        }
        return made
    }

    /// A Xeon E5 of the third generation: leaves 1 and 7.
    private static let haswell: [ProcessorTemplate.Leaf] = [
        leaf(
            1, signature(0x306f2),
            // DTES64, MONITOR, DS-CPL, VMX, SMX, EIST, TM2, CNXT-ID, SDBG, xTPR, PDCM, DCA.
            change(.ecx, hidden: [2, 3, 4, 5, 6, 7, 8, 10, 11, 14, 15, 18]),
            // PSN, DS, ACPI, SS, TM, IA-64, PBE; MCE and MTRR are there.
            change(.edx, hidden: [18, 21, 22, 27, 29, 30, 31], shown: [7, 12])),
        leaf(
            7,
            // SGX, HLE, RTM, RDT-M, MPX, RDT-A, AVX-512, RDSEED, ADX, PCOMMIT, CLFLUSHOPT, CLWB, PT, SHA; ERMS is there.
            change(
                .ebx, hidden: [2, 4, 11, 12, 14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31],
                shown: [9]),
            // AVX-512, UMIP, PKU, OSPKE, GFNI, VAES, VPCLMULQDQ, LA57, RDPID, SGX_LC.
            change(.ecx, hidden: [1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 14, 16, 22, 30]),
            // AVX-512, FSRM.
            change(.edx, hidden: [2, 3, 4, 8])),
    ]

    /// A Xeon E5 of the second generation: leaves 1 and 7.
    private static let ivyBridge: [ProcessorTemplate.Leaf] = [
        leaf(
            1, signature(0x306e4),
            // As above without SMX, EIST and DCA, and with FMA and MOVBE.
            change(.ecx, hidden: [2, 3, 4, 5, 8, 10, 11, 12, 14, 15, 22]),
            change(.edx, hidden: [18, 21, 22, 27, 29, 31], shown: [7, 12])),
        leaf(
            7,
            // As above without PCOMMIT, and with BMI1, AVX2, BMI2 and INVPCID; nothing is said of ERMS.
            change(
                .ebx,
                hidden: [
                    2, 3, 4, 5, 8, 10, 11, 12, 14, 15, 16, 17, 18, 19, 21, 23, 24, 25, 26, 27, 28, 29, 30, 31,
                ]),
            change(.ecx, hidden: [1, 2, 3, 4, 11, 14, 16, 22, 30]),
            change(.edx, hidden: [2, 3])),
    ]

    /// Nothing is saved of MPX, AVX-512 and protection keys, and nothing by XSAVEC, XGETBV with ECX = 1 and XSAVES.
    private static let saveAreas = [
        leaf(0xd, change(.eax, hidden: [3, 4, 5, 6, 7, 9])), leaf(0xd, subleaf: 1, change(.eax, hidden: [1, 2, 3])),
    ]

    /// Leaf 0x80000001. Bit 8 of ECX is PREFETCHW, 26 of EDX pages of 1 GiB.
    private static func extended(ecx: [Int], edx: [Int]) -> ProcessorTemplate.Leaf {
        leaf(0x8000_0001, change(.ecx, hidden: ecx), change(.edx, hidden: edx))
    }

    /// Leaf 0x80000008. Bit 9 of EBX is WBNOINVD.
    private static func sizes(hidden: [Int], shown: [Int] = []) -> ProcessorTemplate.Leaf {
        leaf(0x8000_0008, change(.ebx, hidden: hidden, shown: shown))
    }

    /// IA32_ARCH_CAPABILITIES: what the hardware does against attacks on its speculation, and what a kernel need not do.
    private static let mitigations: UInt32 = 0x10a

    /// RSBA, SKIP_L1DFL_VMENTRY, IF_PSCHANGE_MC_NO, MISC_PACKAGE_CTLS, ENERGY_FILTERING_CTL, FB_CLEAR, RRSBA, GDS_NO
    /// and RFDS_NO, wherever the guest is.
    private static let oldestMitigations = ProcessorTemplate.ModelRegister(
        mitigations, .init(mask: .max, value: [2, 3, 6, 10, 11, 17, 19, 26, 27].reduce(0) { $0 | 1 << UInt64($1) }))

    /// Those that KVM knows stay as the host has them, and all others go.
    private static let knownMitigations = ProcessorTemplate.ModelRegister(
        mitigations,
        .init(
            mask: ~[0, 1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 15, 17, 19, 24, 26, 27, 28].reduce(0) { $0 | 1 << UInt64($1) },
            value: 0))

    // MARK: - How it is written

    private static func leaf(
        _ leaf: UInt32, subleaf: UInt32 = 0, _ changes: ProcessorTemplate.Change...
    ) -> ProcessorTemplate.Leaf {
        // Those of which there are several have KVM_CPUID_FLAG_SIGNIFCANT_INDEX.
        ProcessorTemplate.Leaf(leaf, subleaf, flags: leaf == 7 || leaf == 0xd ? 1 : 0, changes)
    }

    /// Family, model and stepping, with the processor's type.
    private static func signature(_ value: UInt32) -> ProcessorTemplate.Change {
        ProcessorTemplate.Change(.eax, .init(mask: 0x0fff_3fff, value: value))
    }

    /// - Parameters:
    ///   - hidden: bits that are 0.
    ///   - shown: bits that are 1.
    private static func change(
        _ register: ProcessorTemplate.Register, hidden: [Int], shown: [Int] = []
    ) -> ProcessorTemplate.Change {
        func mask(_ bits: [Int]) -> UInt32 { bits.reduce(0) { $0 | 1 << UInt32($1) } }
        return ProcessorTemplate.Change(register, .init(mask: mask(hidden + shown), value: mask(shown)))
    }
}
