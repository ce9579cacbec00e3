import CLinux
import Linux
import Seccomp

/// Numbers that look random and are the same on each run; splitmix64.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}

/// A real call by name; its result, or the error it failed with.
func call(_ name: String, _ arguments: UInt64...) -> Result<Int, Errno> {
    let number = CLong(SystemCall.number(of: name)!)
    let list = (arguments + Array(repeating: 0, count: 6)).prefix(6).map { CLong(bitPattern: UInt($0)) }
    let result = bh_syscall6(number, list[0], list[1], list[2], list[3], list[4], list[5])
    return result == -1 ? .failure(.current) : .success(result)
}

/// What a profile means, said as plainly as its documentation says it, without tables, trees or programs.
struct Meaning {
    let profile: SeccompProfile
    let architectures: [SeccompArchitecture]
    /// By architecture, each rule's numbers.
    private let numbers: [SeccompArchitecture: [Set<UInt32>]]

    init(_ profile: SeccompProfile, native: SeccompArchitecture) {
        self.profile = profile
        architectures = [native] + profile.architectures
        numbers = Dictionary(
            architectures.map { architecture in
                let sets = profile.rules.map { rule in
                    Set(rule.names.compactMap { SystemCall.number(of: $0, on: architecture) })
                }
                return (architecture, sets)
            }, uniquingKeysWith: { first, _ in first })
    }

    func action(for call: SystemCall) -> SeccompAction {
        guard let sets = numbers[call.architecture] else {
            return call.number == 0xffff_ffff && architectures.contains(.x86_64)
                ? profile.defaultAction : profile.foreignAction
        }
        let wide = call.architecture.description.hasSuffix("64")
        func cut(_ value: UInt64) -> UInt64 { wide ? value : value & 0xffff_ffff }
        func holds(_ test: ArgumentTest) -> Bool {
            let argument = cut(call.arguments[Int(test.index)])
            let value = cut(test.value)
            switch test.comparison {
            case .notEqual: return argument != value
            case .less: return argument < value
            case .lessOrEqual: return argument <= value
            case .equal: return argument == value
            case .greaterOrEqual: return argument >= value
            case .greater: return argument > value
            case .maskedEqual: return argument & value == cut(test.valueTwo) & value
            }
        }
        let named = zip(profile.rules, sets).filter { rule, numbers in
            rule.action != profile.defaultAction && numbers.contains(call.number)
        }.map(\.0)
        if let rule = named.first(where: { $0.tests.isEmpty }) { return rule.action }
        for rule in named {
            let repeats = Set(rule.tests.map(\.index)).count < rule.tests.count
            if repeats ? rule.tests.contains(where: holds) : rule.tests.allSatisfy(holds) { return rule.action }
        }
        let refuses = ![.allow, .log, .trace(0)].contains(profile.defaultAction.kind)
        let highest = sets.compactMap { $0.max() }.max()
        if profile.newerCalls == .noSystemCall, refuses, named.isEmpty, let highest, call.number > highest {
            return .errno(.noSystemCall)
        }
        return profile.defaultAction
    }
}

/// A profile as large as docker's default: most calls allowed for x86_64, x86 and x32, some with tests.
func largeProfile() -> SeccompProfile {
    let refused: Set<String> = [
        "mount", "umount2", "pivot_root", "swapon", "swapoff", "reboot", "init_module", "delete_module", "kexec_load",
        "bpf", "setns", "unshare", "clone", "clone3", "personality", "socket", "open_by_handle_at", "perf_event_open",
        "userfaultfd", "keyctl", "add_key", "request_key", "acct", "settimeofday", "clock_settime", "quotactl",
        "iopl", "ioperm", "nfsservctl", "vhangup", "_sysctl", "uselib", "ustat", "sysfs", "kcmp", "move_pages",
    ]
    var names = (0..<UInt32(452)).compactMap { SystemCall.name(of: $0, on: .x86_64) }
    names += (0..<UInt32(450)).compactMap { SystemCall.name(of: $0, on: .x86) }
    var seen: Set<String> = []
    names = names.filter { !refused.contains($0) && seen.insert($0).inserted }
    var rules = [SeccompRule(names, .allow)]
    rules.append(SeccompRule(["socket"], .allow, when: [ArgumentTest(0, .notEqual, 40)]))
    for value: UInt64 in [0, 8, 0x20000, 0x20008, 0xffff_ffff] {
        rules.append(SeccompRule(["personality"], .allow, when: [ArgumentTest(0, .equal, value)]))
    }
    rules.append(SeccompRule(["clone"], .allow, when: [ArgumentTest(0, .maskedEqual, 0x7e02_0000)]))
    rules.append(SeccompRule(["clone3"], .errno(.noSystemCall)))
    return SeccompProfile(
        defaultAction: .errno(.notPermitted), architectures: [.x86_64, .x86, .x32], rules: rules)
}
