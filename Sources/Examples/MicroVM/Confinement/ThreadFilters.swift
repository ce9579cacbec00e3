import CConfinement
import Glibc
import Linux
import Machines
import Seccomp

/// This program's own filters: what each kind of thread may ask of the kernel, and nothing else.
///
/// None may start a program, look into another process, speak to a network by itself, map memory that can be executed, or
/// change who it is. Only the API's thread opens files, and that of a shared directory.
enum ThreadFilters {
    static var all: [ThreadRole: SeccompProfile] {
        Dictionary(uniqueKeysWithValues: ThreadRole.all.map { ($0, profile(of: $0)) })
    }

    /// - Parameter process: the number of the process that the thread is of.
    static func profile(of role: ThreadRole, process: UInt32 = UInt32(getpid())) -> SeccompProfile {
        let everyThread = everyThread(process)
        return switch role {
        case .processor: profile(everyThread + devices + processor)
        case .devices: profile(everyThread + devices + connections + [memory])
        case .share: profile(everyThread + devices + files)
        case .serial: profile(everyThread + relays)
        case .console: profile(everyThread + relays + [calls("accept4")])
        case .debugger: profile(everyThread + relays + [calls("accept4", "setsockopt")] + state)
        case .main: profile(everyThread + devices + relays + goodbye)
        // It makes the others, and they are under its filter too.
        case .api:
            profile(
                everyThread + devices + connections + files + processor + relays + goodbye + machines)
        default: preconditionFailure("no such thread: \(role)")
        }
    }

    static func profile(_ rules: [SeccompRule]) -> SeccompProfile {
        // What is newer than this list is as forbidden as what is older; and so is what comes through another entry.
        SeccompProfile(defaultAction: .trap, rules: rules, foreignAction: .trap, newerCalls: .defaultAction)
    }

    /// What the end of a process under any filter needs: see bh_confinement_begin.
    static var ending: [SeccompRule] {
        [
            call("write", 0, UInt64(STDERR_FILENO)), calls("exit_group"),
            SeccompRule(["ioctl"], .allow, when: [test(0, UInt64(STDIN_FILENO)), test(1, UInt64(TCSETS))]),
        ]
    }

    // MARK: - Parts

    /// The allocator, locks, a thread's end, and what its descriptors are for.
    private static func everyThread(_ process: UInt32) -> [SeccompRule] {
        ending + [
            calls("read", "write", "close"),
            calls("brk", "munmap", "mremap"),
            call("mmap", 2, without: UInt64(PROT_EXEC)), call("mprotect", 2, without: UInt64(PROT_EXEC)),
            call("madvise", 2, UInt64(MADV_DONTNEED)), call("madvise", 2, UInt64(MADV_FREE)),
            calls("futex", "sched_yield", "exit", "getpid", "gettid", "getrandom"),
            calls("rt_sigprocmask", "rt_sigreturn", "restart_syscall", "sigaltstack"),
            calls("clock_gettime", "clock_nanosleep", "nanosleep"),
            // Kicks, and abort(3), which is how Swift ends a program that broke its own rules.
            call("tgkill", 0, UInt64(process)), call("rt_sigaction", 0, UInt64(SIGABRT)),
        ]
    }

    /// The work of virtio devices on what they have open: the processors do it too, when a driver starts a device.
    private static var devices: [SeccompRule] {
        [
            calls("epoll_wait", "epoll_pwait", "epoll_ctl", "eventfd2", "timerfd_create", "timerfd_settime"),
            calls("readv", "writev", "preadv", "preadv2", "pwritev", "pwritev2", "pread64", "pwrite64"),
            calls("fallocate", "fdatasync", "fsync"),
            // A ring that is there: it was told which operations it may be used for when it was made.
            calls("io_uring_enter"),
            call("madvise", 2, UInt64(MADV_REMOVE)),
            call("ioctl", 1, UInt64(BH_TUNSETOFFLOAD)),
            call("ioctl", 1, UInt64(BH_TUNSETQUEUE)),
            // A write to what may be a pipe whose reader is gone.
            calls("sendmsg", "rt_sigpending", "rt_sigtimedwait"), calls("shutdown"),
            // The answers of a process that serves a disk.
            call("recvmsg", 2, UInt64(MSG_CMSG_CLOEXEC)),
        ] + flags
    }

    /// Memory that comes to the guest and goes.
    private static var memory: SeccompRule { call("ioctl", 1, UInt64(BH_KVM_SET_USER_MEMORY_REGION)) }

    /// Whether a descriptor waits; and a second one for the same file.
    private static var flags: [SeccompRule] {
        [F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_SETFD].map { call("fcntl", 1, UInt64($0)) }
    }

    /// The vsock device's other side: Unix sockets, and no others.
    private static var connections: [SeccompRule] {
        [calls("accept4", "connect"), call("socket", 0, UInt64(AF_UNIX))]
    }

    /// A shared directory's files.
    private static var files: [SeccompRule] {
        [
            calls("openat", "openat2", "statx", "fstat", "newfstatat", "fstatfs", "lseek", "getdents64", "readlinkat"),
            calls("ftruncate", "copy_file_range", "syncfs", "umask", "geteuid", "getegid"),
            calls("fchmod", "fchmodat", "fchown", "fchownat", "utimensat"),
            calls("linkat", "symlinkat", "unlinkat", "mkdirat", "mknodat", "renameat2"),
            calls("getxattr", "setxattr", "listxattr", "removexattr"),
        ]
    }

    /// A virtual processor's run, and the line of the event device, which a guest's question lowers.
    private static var processor: [SeccompRule] {
        [BH_KVM_RUN, BH_KVM_IRQ_LINE].map { call("ioctl", 1, UInt64($0)) } + state
    }

    private static var state: [SeccompRule] { processorState.map { call("ioctl", 1, $0) } }

    /// Bytes from one descriptor to another.
    private static var relays: [SeccompRule] { [calls("poll", "ppoll", "recvfrom", "sendto")] + flags }

    /// What is left to do when the guest has ended: words, sockets' paths, the terminal, and the end of a passt.
    private static var goodbye: [SeccompRule] {
        [
            calls("pidfd_send_signal", "waitid"),
            calls("unlink", "unlinkat", "fstat", "newfstatat", "lseek"),
            call("ioctl", 1, UInt64(TIOCGWINSZ)),
        ] + [TCGETS, TCSETS, TCSETSW, TCSETSF].map { call("ioctl", 1, UInt64($0)) }
    }

    /// Machines made, changed, saved and restored while requests are served. Files are opened, in the jail that the
    /// program is in; threads are made, but no processes.
    private static var machines: [SeccompRule] {
        [
            calls("open", "openat", "openat2", "readlink", "readlinkat", "statx", "ftruncate", "rename", "renameat"),
            calls("access", "faccessat", "faccessat2", "stat", "lstat", "flock", "dup", "getcwd", "getpeername"),
            calls("getdents64", "memfd_create", "mkdirat", "fadvise64", "msync", "copy_file_range"),
            calls("bind", "listen", "recvmsg", "getsockname", "getsockopt", "setsockopt"),
            call("socketpair", 0, UInt64(AF_UNIX)),
            calls("io_uring_setup", "io_uring_register"),
            calls("epoll_create1", "signalfd4", "pipe2", "userfaultfd", "clock_getres", "sysinfo", "prlimit64"),
            calls("sched_getaffinity", "set_robust_list", "rseq", "uname", "getuid", "geteuid", "getgid", "getegid"),
            // Threads' filters.
            calls("seccomp"), call("prctl", 0, UInt64(PR_SET_NO_NEW_PRIVS)),
            call("prctl", 0, UInt64(PR_GET_NO_NEW_PRIVS)),
            call("prctl", 0, UInt64(PR_SET_NAME)), call("prctl", 0, UInt64(PR_GET_NAME)),
            // The flags of clone3(2) are in memory, where no filter sees them; glibc then takes clone(2).
            SeccompRule(["clone3"], .errno(.noSystemCall)),
            call("clone", 0, with: cloneThread),
            calls("rt_sigaction", "madvise", "fcntl"),
        ] + hypervisor.map { call("ioctl", 1, $0) }
    }

    /// A virtual processor's own state: read and written where it is paused, saved or looked at.
    private static var processorState: [UInt64] {
        let requests: [CUnsignedLong] = [
            BH_KVM_GET_REGS, BH_KVM_SET_REGS, BH_KVM_GET_SREGS, BH_KVM_SET_SREGS, BH_KVM_GET_FPU, BH_KVM_SET_FPU,
            BH_KVM_GET_MSRS, BH_KVM_SET_MSRS, BH_KVM_GET_LAPIC, BH_KVM_SET_LAPIC, BH_KVM_GET_MP_STATE,
            BH_KVM_SET_MP_STATE, BH_KVM_GET_VCPU_EVENTS, BH_KVM_SET_VCPU_EVENTS, BH_KVM_GET_DEBUGREGS,
            BH_KVM_SET_DEBUGREGS, BH_KVM_GET_XSAVE, BH_KVM_GET_XSAVE2, BH_KVM_SET_XSAVE, BH_KVM_GET_XCRS,
            BH_KVM_SET_XCRS, BH_KVM_GET_TSC_KHZ, BH_KVM_SET_TSC_KHZ, BH_KVM_GET_CPUID2, BH_KVM_SET_CPUID2,
            BH_KVM_KVMCLOCK_CTRL, BH_KVM_TRANSLATE, BH_KVM_SET_GUEST_DEBUG,
        ]
        return requests.map { UInt64($0) }
    }

    private static var hypervisor: [UInt64] {
        let requests: [CUnsignedLong] = [
            BH_KVM_CREATE_VM, BH_KVM_CREATE_VCPU, BH_KVM_CHECK_EXTENSION, BH_KVM_GET_API_VERSION,
            BH_KVM_GET_VCPU_MMAP_SIZE, BH_KVM_GET_SUPPORTED_CPUID, BH_KVM_GET_MSR_INDEX_LIST, BH_KVM_ENABLE_CAP,
            BH_KVM_SET_TSS_ADDR, BH_KVM_SET_IDENTITY_MAP_ADDR, BH_KVM_CREATE_IRQCHIP, BH_KVM_GET_IRQCHIP,
            BH_KVM_SET_IRQCHIP, BH_KVM_CREATE_PIT2, BH_KVM_GET_PIT2, BH_KVM_SET_PIT2, BH_KVM_GET_CLOCK,
            BH_KVM_SET_CLOCK, BH_KVM_SET_USER_MEMORY_REGION, BH_KVM_GET_DIRTY_LOG, BH_KVM_IOEVENTFD, BH_KVM_IRQFD,
            BH_KVM_REGISTER_COALESCED_MMIO, BH_KVM_UNREGISTER_COALESCED_MMIO, BH_KVM_IRQ_LINE,
            BH_KVM_SET_GSI_ROUTING, BH_TUNSETIFF, BH_TUNGETIFF, BH_TUNSETVNETHDRSZ,
        ]
        return requests.map { UInt64($0) } + [blockDeviceSize, UInt64(FIONBIO), fileClone] + pageFaults
    }

    /// `CLONE_THREAD`.
    private static let cloneThread: UInt64 = 0x10000
    /// `BLKGETSIZE64`.
    private static let blockDeviceSize: UInt64 = 0x8008_1272

    /// `FICLONE`: a snapshot that begins with what another has.
    private static let fileClone: UInt64 = 0x4004_9409
    /// `USERFAULTFD_IOC_NEW`, `UFFDIO_API`, `UFFDIO_REGISTER`.
    private static let pageFaults: [UInt64] = [0xaa00, 0xc018_aa3f, 0xc020_aa00]

    // MARK: - Words

    private static func calls(_ names: String...) -> SeccompRule { SeccompRule(names, .allow) }

    /// A call whose argument has a value.
    private static func call(_ name: String, _ index: UInt32, _ value: UInt64) -> SeccompRule {
        SeccompRule([name], .allow, when: [test(index, value)])
    }

    /// A call whose argument has none of these bits.
    private static func call(_ name: String, _ index: UInt32, without bits: UInt64) -> SeccompRule {
        SeccompRule([name], .allow, when: [ArgumentTest(index, .maskedEqual, bits, valueTwo: 0)])
    }

    /// A call whose argument has all of these bits.
    private static func call(_ name: String, _ index: UInt32, with bits: UInt64) -> SeccompRule {
        SeccompRule([name], .allow, when: [ArgumentTest(index, .maskedEqual, bits, valueTwo: bits)])
    }

    /// The arguments that are compared are ints: the kernel looks at 32 bits of them.
    private static func test(_ index: UInt32, _ value: UInt64) -> ArgumentTest {
        ArgumentTest(index, .maskedEqual, 0xffff_ffff, valueTwo: value & 0xffff_ffff)
    }
}
