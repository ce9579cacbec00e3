extension Configuration.Seccomp {
    /// What happens to a system call (config-linux.md, Seccomp; the names are libseccomp's).
    public enum Action: String, CaseIterable, Sendable {
        /// Ends the thread: the old name of ``killThread``.
        case kill = "SCMP_ACT_KILL"
        /// Ends the process with SIGSYS.
        case killProcess = "SCMP_ACT_KILL_PROCESS"
        /// Ends the thread with SIGSYS.
        case killThread = "SCMP_ACT_KILL_THREAD"
        /// Sends SIGSYS.
        case trap = "SCMP_ACT_TRAP"
        /// Fails it with an error number.
        case errno = "SCMP_ACT_ERRNO"
        /// Tells a tracer.
        case trace = "SCMP_ACT_TRACE"
        /// Lets it pass.
        case allow = "SCMP_ACT_ALLOW"
        /// Lets it pass, and logs it.
        case log = "SCMP_ACT_LOG"
        /// Asks the process that holds the notify descriptor.
        case notify = "SCMP_ACT_NOTIFY"

        /// Whether the action carries a number: an error to return, or a message to the tracer.
        public var takesErrno: Bool { self == .errno || self == .trace }
    }

    /// How an argument is compared.
    public enum Operator: String, CaseIterable, Sendable {
        /// Not equal.
        case notEqual = "SCMP_CMP_NE"
        /// Less.
        case lessThan = "SCMP_CMP_LT"
        /// Less or equal.
        case lessOrEqual = "SCMP_CMP_LE"
        /// Equal.
        case equal = "SCMP_CMP_EQ"
        /// Greater or equal.
        case greaterOrEqual = "SCMP_CMP_GE"
        /// Greater.
        case greaterThan = "SCMP_CMP_GT"
        /// Equal under a mask.
        case maskedEqual = "SCMP_CMP_MASKED_EQ"
    }

    /// A flag of seccomp(2).
    public enum Flag: String, CaseIterable, Sendable {
        /// For all threads.
        case threadSync = "SECCOMP_FILTER_FLAG_TSYNC"
        /// Log every action but allow.
        case log = "SECCOMP_FILTER_FLAG_LOG"
        /// Without the Speculative Store Bypass mitigation.
        case allowSpeculation = "SECCOMP_FILTER_FLAG_SPEC_ALLOW"
        /// A notified call, once received, is interrupted by fatal signals only.
        case waitKillable = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
    }

    /// An architecture whose system calls the filter knows.
    public enum Architecture: String, CaseIterable, Sendable {
        /// 32-bit x86.
        case x86 = "SCMP_ARCH_X86"
        /// 64-bit x86.
        case x86_64 = "SCMP_ARCH_X86_64"
        /// 64-bit x86 with 32-bit pointers.
        case x32 = "SCMP_ARCH_X32"
        /// 32-bit Arm.
        case arm = "SCMP_ARCH_ARM"
        /// 64-bit Arm.
        case aarch64 = "SCMP_ARCH_AARCH64"
        /// LoongArch.
        case loongarch64 = "SCMP_ARCH_LOONGARCH64"
        /// Motorola 68000.
        case m68k = "SCMP_ARCH_M68K"
        /// 32-bit MIPS.
        case mips = "SCMP_ARCH_MIPS"
        /// 64-bit MIPS.
        case mips64 = "SCMP_ARCH_MIPS64"
        /// 64-bit MIPS with 32-bit pointers.
        case mips64n32 = "SCMP_ARCH_MIPS64N32"
        /// 32-bit MIPS, little-endian.
        case mipsel = "SCMP_ARCH_MIPSEL"
        /// 64-bit MIPS, little-endian.
        case mipsel64 = "SCMP_ARCH_MIPSEL64"
        /// 64-bit MIPS with 32-bit pointers, little-endian.
        case mipsel64n32 = "SCMP_ARCH_MIPSEL64N32"
        /// 32-bit PowerPC.
        case ppc = "SCMP_ARCH_PPC"
        /// 64-bit PowerPC.
        case ppc64 = "SCMP_ARCH_PPC64"
        /// 64-bit PowerPC, little-endian.
        case ppc64le = "SCMP_ARCH_PPC64LE"
        /// 31-bit S/390.
        case s390 = "SCMP_ARCH_S390"
        /// 64-bit S/390.
        case s390x = "SCMP_ARCH_S390X"
        /// SuperH.
        case sh = "SCMP_ARCH_SH"
        /// SuperH, big-endian.
        case sheb = "SCMP_ARCH_SHEB"
        /// 32-bit PA-RISC.
        case parisc = "SCMP_ARCH_PARISC"
        /// 64-bit PA-RISC.
        case parisc64 = "SCMP_ARCH_PARISC64"
        /// 64-bit RISC-V.
        case riscv64 = "SCMP_ARCH_RISCV64"
    }
}

extension Configuration.Seccomp.Action: DocumentName {
    package static var noun: String { "a seccomp action" }
}

extension Configuration.Seccomp.Operator: DocumentName {
    package static var noun: String { "a seccomp operator" }
}

extension Configuration.Seccomp.Flag: DocumentName {
    package static var noun: String { "a seccomp flag" }
}

extension Configuration.Seccomp.Architecture: DocumentName {
    package static var noun: String { "a seccomp architecture, such as SCMP_ARCH_X86_64" }
}
