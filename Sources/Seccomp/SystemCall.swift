import CLinux
import CSeccomp

/// One call as a filter sees it: `struct seccomp_data`.
public struct SystemCall: Hashable, Sendable {
    /// The way into the kernel.
    public var architecture: SeccompArchitecture
    /// The number as the kernel sees it: on x32 with bit 30 set.
    public var number: UInt32
    /// The six arguments; 32-bit ones zero-extended.
    public var arguments: [UInt64]
    /// Where the call was made.
    public var instructionPointer: UInt64

    /// A call by number.
    ///
    /// - Precondition: at most six arguments; the missing ones are 0.
    public init(
        number: UInt32, on architecture: SeccompArchitecture = .native, _ arguments: [UInt64] = [],
        instructionPointer: UInt64 = 0
    ) {
        precondition(arguments.count <= 6, "a system call has at most six arguments")
        self.architecture = architecture
        self.number = number
        self.arguments = arguments + Array(repeating: 0, count: 6 - arguments.count)
        self.instructionPointer = instructionPointer
    }

    /// A call by name.
    ///
    /// - Throws: ``SeccompError/unknownSystemCall(_:_:)`` when the architecture has no such call of its own.
    public init(
        _ name: String, on architecture: SeccompArchitecture = .native, _ arguments: [UInt64] = []
    ) throws(SeccompError) {
        guard let number = Self.number(of: name, on: architecture) else {
            throw .unknownSystemCall(name, architecture)
        }
        self.init(number: number, on: architecture, arguments)
    }

    init(_ data: seccomp_data) {
        let number = UInt32(bitPattern: data.nr)
        let isX32 = data.arch == SeccompArchitecture.x86_64.rawValue && number & 0x4000_0000 != 0
        let arguments = data.args
        self.init(
            number: number, on: isX32 ? .x32 : SeccompArchitecture(rawValue: data.arch),
            [arguments.0, arguments.1, arguments.2, arguments.3, arguments.4, arguments.5],
            instructionPointer: data.instruction_pointer)
    }

    /// The call's name, nil for a number that neither libseccomp nor this library knows.
    public var name: String? { Self.name(of: number, on: architecture) }

    /// A call's number on an architecture, nil where it has none of its own; `seccomp_syscall_resolve_name_arch(3)`.
    public static func number(of name: String, on architecture: SeccompArchitecture = .native) -> UInt32? {
        let number = resolve(name, on: architecture)
        return number >= 0 ? UInt32(number) : nil
    }

    /// A number's call on an architecture; `seccomp_syscall_resolve_num_arch(3)`.
    public static func name(of number: UInt32, on architecture: SeccompArchitecture = .native) -> String? {
        guard let signed = CInt(exactly: number) else { return nil }
        if let text = unsafe seccomp_syscall_resolve_num_arch(architecture.rawValue, signed) {
            defer { unsafe free(text) }
            return unsafe String(cString: text)
        }
        return recentCalls.first { recentNumber($0, on: architecture) == signed }?.name
    }

    /// What libseccomp answers, completed by newer calls: a number, -1 for an unknown name, and other negative numbers
    /// for calls that exist elsewhere or are bundled.
    static func resolve(_ name: String, on architecture: SeccompArchitecture) -> CInt {
        resolve(name, on: CollectionOfOne(architecture))[0]
    }

    /// As above, for several architectures in turn.
    static func resolve(_ name: String, on architectures: some Sequence<SeccompArchitecture>) -> [CInt] {
        let length = name.utf8.count
        return unsafe name.withCString { text in
            // A zero byte would end the name early for C.
            let isWhole = unsafe strlen(text) == length
            return architectures.map { architecture in
                let number = unsafe isWhole ? seccomp_syscall_resolve_name_arch(architecture.rawValue, text) : -1
                return number != -1 ? number : resolveRecent(name, on: architecture)
            }
        }
    }

    private static func resolveRecent(_ name: String, on architecture: SeccompArchitecture) -> CInt {
        guard let recent = recentCalls.first(where: { $0.name == name }) else { return -1 }
        return recentNumber(recent, on: architecture) ?? -1
    }

    private struct RecentCall {
        var name: String
        var number: CInt
        var reach: Reach

        enum Reach {
            case everywhere
            /// Not on x32, whose table it was left out of.
            case notX32
            /// What the kernel itself has 64-bit x86 programs call.
            case x86_64Alone
        }

        init(_ name: String, _ number: CInt, _ reach: Reach = .everywhere) {
            self.name = name
            self.number = number
            self.reach = reach
        }
    }

    private static func recentNumber(_ call: RecentCall, on architecture: SeccompArchitecture) -> CInt? {
        switch call.reach {
        case .everywhere: break
        case .notX32: if architecture == .x32 { return nil }
        case .x86_64Alone: if architecture != .x86_64 { return nil }
        }
        switch architecture.description {
        case "x32": return call.number | 0x4000_0000
        case "mips", "mipsel": return call.number + 4000
        case "mips64", "mipsel64": return call.number + 5000
        case "mips64n32", "mipsel64n32": return call.number + 6000
        default: return architecture.isKnownToLibrary ? call.number : nil
        }
    }

    /// Calls that came after the oldest libseccomp this package meets (2.5.4): without them a profile's newest names
    /// would be skipped there. Since 2019 a new call has one number everywhere. The numbers are those of the kernel's
    /// `arch/x86/entry/syscalls/syscall_64.tbl` and `scripts/syscall.tbl` up to 7.0.
    private static let recentCalls = [
        RecentCall("cachestat", 451), RecentCall("fchmodat2", 452), RecentCall("map_shadow_stack", 453, .notX32),
        RecentCall("futex_wake", 454), RecentCall("futex_wait", 455), RecentCall("futex_requeue", 456),
        RecentCall("statmount", 457), RecentCall("listmount", 458), RecentCall("lsm_get_self_attr", 459),
        RecentCall("lsm_set_self_attr", 460), RecentCall("lsm_list_modules", 461), RecentCall("mseal", 462),
        RecentCall("setxattrat", 463), RecentCall("getxattrat", 464), RecentCall("listxattrat", 465),
        RecentCall("removexattrat", 466), RecentCall("open_tree_attr", 467), RecentCall("file_getattr", 468),
        RecentCall("file_setattr", 469), RecentCall("listns", 470),
        RecentCall("rseq_slice_yield", 471), RecentCall("uretprobe", 335, .x86_64Alone),
        RecentCall("uprobe", 336, .x86_64Alone),
    ]
}

extension SystemCall: CustomStringConvertible {
    /// `mkdirat(0x5, 0x7ffc, 0x1ed, 0x0, 0x0, 0x0) on x86_64`.
    public var description: String {
        let list = arguments.map { "0x" + String($0, radix: 16) }.joined(separator: ", ")
        return "\(name ?? "call \(number)")(\(list)) on \(architecture)"
    }
}
