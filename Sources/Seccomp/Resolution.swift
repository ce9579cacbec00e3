import CLinux

/// A profile's rules by architecture and number.
struct Resolution {
    /// What one number gets.
    struct Answers {
        /// The action of the first rule without tests.
        var unconditional: SeccompAction?
        /// The rules with tests, in order.
        var conditional: [(tests: [ArgumentTest], action: SeccompAction)] = []

        mutating func add(_ alternatives: [[ArgumentTest]], _ action: SeccompAction) {
            if unconditional != nil { return }
            for tests in alternatives {
                if tests.isEmpty { unconditional = action } else { conditional.append((tests, action)) }
            }
        }
    }

    struct Table {
        let architecture: SeccompArchitecture
        /// By the number that the kernel sees.
        var calls: CallTable
        /// The highest number that any rule names, rules without effect included. Nil when there is none.
        var highest: UInt32?

        init(_ architecture: SeccompArchitecture) {
            self.architecture = architecture
            calls = CallTable(from: architecture == .x32 ? 0x4000_0000 : 0)
        }
    }

    private(set) var tables: [Table]
    private(set) var skipped: [CompiledProfile.SkippedCall] = []

    init(_ profile: SeccompProfile, _ architectures: [SeccompArchitecture]) {
        tables = architectures.map { Table($0) }
        var bundled: [UInt64: Answers] = [:]
        var order: [UInt64] = []
        var reported: Set<String> = []
        for rule in profile.rules {
            let alternatives = rule.alternatives
            let counts = rule.action != profile.defaultAction
            for name in rule.names {
                var isFound = false
                var isUnknown = true
                for (index, number) in SystemCall.resolve(name, on: architectures).enumerated() {
                    if number != -1 { isUnknown = false }
                    if number >= 0 {
                        isFound = true
                        tables[index].see(UInt32(number))
                        if counts {
                            tables[index].calls[UInt32(number)].add(alternatives, rule.action)
                        }
                    } else if tables[index].architecture == .x86, let call = BundledCall(number, name) {
                        isFound = true
                        if let direct = call.direct {
                            tables[index].see(direct)
                            if counts { tables[index].calls[direct].add(alternatives, rule.action) }
                        }
                        tables[index].see(call.bundle)
                        let key = UInt64(call.bundle) << 32 | UInt64(call.selector)
                        if bundled[key] == nil { order.append(key) }
                        if counts { bundled[key, default: Answers()].add(alternatives, rule.action) }
                    } else if number < -1, !DirectCompiler.canCompile(tables[index].architecture) {
                        // Bundled there or absent: libseccomp sorts it out.
                        isFound = true
                    }
                }
                if !isFound, reported.insert(name).inserted {
                    skipped.append(.init(name: name, reason: isUnknown ? .unknown : .absent))
                }
            }
        }
        if let x86 = tables.firstIndex(where: { $0.architecture == .x86 }) {
            for key in order {
                guard let answers = bundled[key] else { continue }
                let selector = ArgumentTest(0, .equal, key & 0xffff_ffff)
                var bundle = tables[x86].calls[UInt32(key >> 32)]
                // Argument 0 of the bundle selects the call; the call's own arguments lie in memory, where no filter
                // can look. Tests of further arguments are made as libseccomp makes them, on the bundle's.
                if let action = answers.unconditional {
                    bundle.add([[selector]], action)
                } else {
                    for rule in answers.conditional {
                        bundle.add([[selector] + rule.tests.filter { $0.index != 0 }], rule.action)
                    }
                }
                tables[x86].calls[UInt32(key >> 32)] = bundle
            }
        }
    }
}

extension Resolution.Table {
    mutating func see(_ number: UInt32) {
        // ARM's private calls lie far above the table and say nothing about its end.
        if architecture == .arm, number >= 0xf0000 { return }
        highest = max(highest ?? 0, number)
    }
}

/// One of the calls that 32-bit x86 makes through `socketcall(2)` and `ipc(2)`; some have a number of their own too.
private struct BundledCall {
    var bundle: UInt32
    var selector: UInt32
    var direct: UInt32?

    /// libseccomp numbers them −101 to −120 and −201 to −224.
    init?(_ number: CInt, _ name: String) {
        switch number {
        case -120 ... -101:
            bundle = 102
            selector = UInt32(-number - 100)
        case -224 ... -201:
            bundle = 117
            selector = UInt32(-number - 200)
        default: return nil
        }
        direct = Self.directNumbers[name]
    }

    private static let directNumbers: [String: UInt32] = [
        "socket": 359, "socketpair": 360, "bind": 361, "connect": 362, "listen": 363, "accept4": 364,
        "getsockopt": 365, "setsockopt": 366, "getsockname": 367, "getpeername": 368, "sendto": 369, "sendmsg": 370,
        "recvfrom": 371, "recvmsg": 372, "recvmmsg": 337, "sendmmsg": 345, "shutdown": 373, "semget": 393,
        "semctl": 394, "shmget": 395, "shmctl": 396,
        "shmat": 397, "shmdt": 398, "msgget": 399, "msgsnd": 400, "msgrcv": 401, "msgctl": 402,
    ]
}
