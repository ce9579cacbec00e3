import CLinux
import CSeccomp

/// A way into the kernel, with its own numbers for calls; libseccomp's `SCMP_ARCH_*`, which is the kernel's
/// `AUDIT_ARCH_*` but for x32.
public struct SeccompArchitecture: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let x86 = SeccompArchitecture(rawValue: 0x4000_0003)
    public static let x86_64 = SeccompArchitecture(rawValue: 0xc000_003e)
    /// 32-bit programs with 64-bit registers. They enter as x86_64, with bit 30 set in the call's number.
    public static let x32 = SeccompArchitecture(rawValue: 0x4000_003e)
    public static let arm = SeccompArchitecture(rawValue: 0x4000_0028)
    public static let aarch64 = SeccompArchitecture(rawValue: 0xc000_00b7)
    public static let riscv64 = SeccompArchitecture(rawValue: 0xc000_00f3)
    public static let loongarch64 = SeccompArchitecture(rawValue: 0xc000_0102)

    /// The architecture of the running program's own calls.
    public static let native = SeccompArchitecture(rawValue: seccomp_arch_native())

    static let named: [(name: String, architecture: SeccompArchitecture)] = [
        ("X86", .x86), ("X86_64", .x86_64), ("X32", .x32), ("ARM", .arm), ("AARCH64", .aarch64),
        ("LOONGARCH64", .loongarch64), ("M68K", SeccompArchitecture(rawValue: 0x4)),
        ("MIPS", SeccompArchitecture(rawValue: 0x8)), ("MIPS64", SeccompArchitecture(rawValue: 0x8000_0008)),
        ("MIPS64N32", SeccompArchitecture(rawValue: 0xa000_0008)),
        ("MIPSEL", SeccompArchitecture(rawValue: 0x4000_0008)),
        ("MIPSEL64", SeccompArchitecture(rawValue: 0xc000_0008)),
        ("MIPSEL64N32", SeccompArchitecture(rawValue: 0xe000_0008)),
        ("PARISC", SeccompArchitecture(rawValue: 0xf)), ("PARISC64", SeccompArchitecture(rawValue: 0x8000_000f)),
        ("PPC", SeccompArchitecture(rawValue: 0x14)), ("PPC64", SeccompArchitecture(rawValue: 0x8000_0015)),
        ("PPC64LE", SeccompArchitecture(rawValue: 0xc000_0015)), ("RISCV64", .riscv64),
        ("S390", SeccompArchitecture(rawValue: 0x16)), ("S390X", SeccompArchitecture(rawValue: 0x8000_0016)),
        ("SH", SeccompArchitecture(rawValue: 0x4000_002a)), ("SHEB", SeccompArchitecture(rawValue: 0x2a)),
    ]

    /// Every name that ``init(name:)`` takes.
    public static var allNames: [String] { named.map { "SCMP_ARCH_\($0.name)" } }

    /// An architecture by libseccomp's name, with or without `SCMP_ARCH_`; `NATIVE` is the running one.
    ///
    /// - Throws: ``SeccompError/unknownArchitecture(_:)``.
    public init(name: String) throws(SeccompError) {
        let short = name.hasPrefix("SCMP_ARCH_") ? String(name.dropFirst(10)) : name
        if short == "NATIVE" {
            self = .native
        } else if let known = Self.named.first(where: { $0.name == short }) {
            self = known.architecture
        } else {
            throw .unknownArchitecture(name)
        }
    }

    /// What the kernel puts into a filter's data: `AUDIT_ARCH_*`.
    public var auditToken: UInt32 { self == .x32 ? Self.x86_64.rawValue : rawValue }

    /// Whether the loaded libseccomp has this architecture's table of calls.
    public var isKnownToLibrary: Bool {
        unsafe seccomp_syscall_resolve_name_arch(rawValue, "read") != -1
    }

    /// Whether filters compare arguments as 64 bits. Bit 29 marks MIPS's n32, which has 64-bit registers alone.
    var comparesFullWords: Bool { rawValue & 0x8000_0000 != 0 && rawValue & 0x2000_0000 == 0 }

    var isLittleEndian: Bool { rawValue & 0x4000_0000 != 0 }

    func hasByteOrder(of other: SeccompArchitecture) -> Bool { isLittleEndian == other.isLittleEndian }
}

extension SeccompArchitecture: CustomStringConvertible {
    /// libseccomp's name without its prefix, in lower case: `x86_64`.
    public var description: String {
        Self.named.first { $0.architecture == self }?.name.lowercased() ?? "0x\(String(rawValue, radix: 16))"
    }
}
