import OCI

@testable import Containers
@testable import Seccomp

extension Target {
    /// Filters: as documents, as profiles, and as the kernel's programs.
    static let seccomp = [
        Target("seccomp-document") { bytes in
            guard let configuration = try? Configuration(json: bytes), let document = configuration.linux.seccomp else {
                return
            }
            guard let filter = try? SeccompFilter(document) else { return }
            require((1...4096).contains(filter.words.count), "a filter of \(filter.words.count) instructions")
        },
        // Of this module's own compiler: libseccomp's does not end on some profiles that are found within seconds.
        Target("seccomp-profile") { bytes in
            var source = Bytes(bytes)
            let profile = SeccompProfile(from: &source)
            guard let program = try? profile.compile(with: .direct, native: .x86_64).program else { return }
            let meaning = Meaning(profile, native: .x86_64)
            for call in profile.calls(&source) {
                let (expected, answer) = (meaning.action(for: call), program.simulate(call))
                require(answer == expected, "\(call) gets \(answer), not \(expected), from \(profile)")
            }
        },
        Target("seccomp-program") { bytes in
            guard let program = try? SeccompProgram(bytes: bytes) else { return }
            require(program.bytes == bytes, "the program is written otherwise than it was read")
            _ = program.disassembly()
            for architecture in [SeccompArchitecture.x86_64, .x86, .aarch64] {
                for number: UInt32 in [0, 1, 59, 0x4000_0001, .max] {
                    _ = program.simulate(
                        SystemCall(number: number, on: architecture, [0, .max, 1, 1 << 32, 40, 0x7e02_0000]))
                }
            }
        },
    ]
}

extension SeccompProfile {
    private static let names = [
        "read", "write", "openat", "clone", "personality", "mount", "mseal", "uretprobe", "chown32", "arch_prctl",
        "nonsense", "", "clock_gettime64", "_llseek", "prctl", "futex",
    ]
    private static let actions: [SeccompAction] = [
        .allow, .errno(.notPermitted), .errno(.noSystemCall), .trap, .killProcess, .killThread, .trace(9), .log,
        .notify,
    ]

    fileprivate init(from source: inout Bytes) {
        self.init(
            defaultAction: source.choice(Self.actions),
            architectures: source.choice([[], [.x86], [.x86, .x32], [.x32], [.aarch64, .x86_64], [.x86, .x86]]),
            foreignAction: source.choice([.killThread, .killProcess, .errno(.notPermitted)]),
            newerCalls: source.choice([.noSystemCall, .defaultAction]))
        for _ in 0..<source.byte() % 24 {
            let names = (0...source.byte() % 4).map { _ in source.choice(Self.names) }
            let action = source.choice(Self.actions)
            let tests = (0..<source.byte() % 4).map { _ in
                ArgumentTest(
                    UInt32(source.byte() % 7), source.choice(ArgumentTest.Comparison.allCases), source.constant(),
                    valueTwo: source.constant())
            }
            rules.append(SeccompRule(names, action, when: tests))
        }
    }

    /// Calls that the rules speak of, and some others, with arguments near the rules' constants.
    fileprivate func calls(_ source: inout Bytes) -> [SystemCall] {
        var calls: [SystemCall] = []
        for architecture in [SeccompArchitecture.x86_64, .x86, .x32, .aarch64, .arm] {
            for rule in rules {
                for name in rule.names {
                    guard let number = SystemCall.number(of: name, on: architecture) else { continue }
                    var arguments = [UInt64](repeating: 0, count: 6)
                    for test in rule.tests where test.index < 6 {
                        arguments[Int(test.index)] = test.value &+ UInt64(source.byte() % 3) &- 1
                    }
                    calls.append(SystemCall(number: number, on: architecture, arguments))
                }
            }
            calls.append(.seen(source.number(UInt32.self) % 600, architecture))
            calls.append(.seen(source.number(), architecture, [source.constant()]))
        }
        return calls
    }
}

extension SystemCall {
    /// The calls of x32 are those of x86_64's entry whose numbers are 2^30 and more.
    fileprivate static func seen(
        _ number: UInt32, _ architecture: SeccompArchitecture, _ arguments: [UInt64] = []
    ) -> SystemCall {
        switch architecture {
        case .x32: SystemCall(number: number | 0x4000_0000, on: .x32, arguments)
        case .x86_64 where number >= 0x4000_0000: SystemCall(number: number, on: .x32, arguments)
        default: SystemCall(number: number, on: architecture, arguments)
        }
    }
}

extension Bytes {
    fileprivate mutating func constant() -> UInt64 {
        switch byte() % 4 {
        case 0: UInt64(byte() % 8)
        case 1: UInt64(byte() % 8) << 32 | UInt64(byte() % 8)
        case 2: choice([.max, 0xffff_ffff, 1 << 31, 1 << 63, 0x1_0000_0000])
        default: number()
        }
    }
}

/// What a profile means, said as its documentation says it and without a program.
private struct Meaning {
    let profile: SeccompProfile
    let native: SeccompArchitecture

    init(_ profile: SeccompProfile, native: SeccompArchitecture) {
        self.profile = profile
        self.native = native
    }

    func action(for call: SystemCall) -> SeccompAction {
        let own = [native] + profile.architectures
        // Number -1 is a tracer's way to skip a call; on x86_64 it has x32's bit and is none of x32's calls.
        if call.architecture == .x32, !own.contains(.x32), call.number == .max, own.contains(.x86_64) {
            return profile.defaultAction
        }
        guard own.contains(call.architecture) else { return profile.foreignAction }
        let named = profile.rules.filter { rule in
            rule.action != profile.defaultAction
                && rule.names.contains { SystemCall.number(of: $0, on: call.architecture) == call.number }
        }
        if let rule = named.first(where: { $0.tests.isEmpty }) { return rule.action }
        let isWide = call.architecture == .x86_64 || call.architecture == .aarch64
        let mask: UInt64 = isWide ? .max : 0xffff_ffff
        for rule in named where rule.holds(for: call, mask) { return rule.action }
        let highest = profile.rules.flatMap(\.names).compactMap { SystemCall.number(of: $0, on: call.architecture) }
            .max()
        let letsThrough = [.allow, .log, .trace(0)].contains(profile.defaultAction.kind)
        if profile.newerCalls == .noSystemCall, !letsThrough, named.isEmpty, let highest, call.number > highest {
            return .errno(.noSystemCall)
        }
        return profile.defaultAction
    }
}

extension SeccompRule {
    fileprivate func holds(for call: SystemCall, _ mask: UInt64) -> Bool {
        let answers = tests.map { test in
            let (argument, value) = (call.arguments[Int(test.index)] & mask, test.value & mask)
            return switch test.comparison {
            case .notEqual: argument != value
            case .less: argument < value
            case .lessOrEqual: argument <= value
            case .equal: argument == value
            case .greaterOrEqual: argument >= value
            case .greater: argument > value
            case .maskedEqual: argument & value == test.valueTwo & value
            }
        }
        var indices = tests.map(\.index).sorted()
        let count = indices.count
        indices = indices.enumerated().filter { $0.offset == 0 || indices[$0.offset - 1] != $0.element }.map(\.element)
        return indices.count < count ? answers.contains(true) : !answers.contains(false)
    }
}
