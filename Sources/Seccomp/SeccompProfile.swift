import Linux

/// What a process may ask of the kernel: a pure description, to be compiled and then installed.
///
/// ```swift
/// var profile = SeccompProfile(defaultAction: .allow)
/// profile.rules.append(SeccompRule(["mkdir", "mkdirat"], .errno(.permissionDenied)))
/// try profile.compile().program.install(noNewPrivileges: true)
/// ```
///
/// For one call the answer is that of its first unconditional rule; without one, of the first rule in the list whose
/// tests hold; without that, the default. A rule whose action is the default action is as if it were not there.
public struct SeccompProfile: Hashable, Sendable {
    /// What a call gets that no rule matches.
    public var defaultAction: SeccompAction
    /// The architectures whose calls the rules are about, besides the native one, which always belongs to them.
    public var architectures: [SeccompArchitecture]
    /// How the filter wants to be installed.
    public var flags: SeccompFlags
    /// The rules, in order.
    public var rules: [SeccompRule]
    /// What a call through any other architecture's entry gets.
    public var foreignAction: SeccompAction
    /// What a call gets that is newer than all calls the rules name.
    public var newerCalls: NewerCalls

    public init(
        defaultAction: SeccompAction, architectures: [SeccompArchitecture] = [], flags: SeccompFlags = [],
        rules: [SeccompRule] = [], foreignAction: SeccompAction = .killThread,
        newerCalls: NewerCalls = .noSystemCall
    ) {
        self.defaultAction = defaultAction
        self.architectures = architectures
        self.flags = flags
        self.rules = rules
        self.foreignAction = foreignAction
        self.newerCalls = newerCalls
    }

    /// How calls are treated that the profile's author could not know.
    ///
    /// A C library tries a new call first and falls back to an old one on `ENOSYS` alone: a profile that answers
    /// `EPERM` to everything unknown breaks programs on each new kernel.
    public enum NewerCalls: Hashable, Sendable {
        /// They get the default action.
        case defaultAction
        /// Where the default action refuses, a call whose number is above that of each call named in any rule fails
        /// with `ENOSYS`, as on a kernel without it.
        case noSystemCall
    }

    var refusesNewerCallsAsUnknown: Bool {
        newerCalls == .noSystemCall && !defaultAction.letsCallsThrough && defaultAction != .errno(.noSystemCall)
    }
}

/// One action for some calls.
public struct SeccompRule: Hashable, Sendable {
    /// The calls by name. A name that no compiled architecture has is skipped and reported.
    public var names: [String]
    /// What a matching call gets.
    public var action: SeccompAction
    /// What must hold of the call's arguments: all of the tests. Where two of them test the same argument, any one of
    /// all the tests is enough: so libseccomp's users have always written alternatives, and so container runtimes
    /// read them.
    public var tests: [ArgumentTest]

    public init(_ names: [String], _ action: SeccompAction, when tests: [ArgumentTest] = []) {
        self.names = names
        self.action = action
        self.tests = tests
    }

    /// The tests as alternatives, each a conjunction with at most one test an argument.
    var alternatives: [[ArgumentTest]] {
        // There are six arguments, and ``check()`` has refused others.
        var seen: UInt64 = 0
        let repeats = tests.contains { test in
            let bit = UInt64(1) << UInt64(test.index & 63)
            defer { seen |= bit }
            return seen & bit != 0
        }
        return repeats ? tests.map { [$0] } : [tests]
    }
}

/// A comparison of one argument of a call, unsigned, with a constant.
///
/// On an architecture of 32 bits only the lower half of the argument, of the values and of the mask counts.
public struct ArgumentTest: Hashable, Sendable {
    /// Which argument, 0 to 5.
    public var index: UInt32
    public var comparison: Comparison
    /// The constant; for ``Comparison/maskedEqual`` the mask.
    public var value: UInt64
    /// For ``Comparison/maskedEqual`` what the argument, masked, must equal; bits outside the mask don't count.
    public var valueTwo: UInt64

    public init(_ index: UInt32, _ comparison: Comparison, _ value: UInt64, valueTwo: UInt64 = 0) {
        self.index = index
        self.comparison = comparison
        self.value = value
        self.valueTwo = valueTwo
    }

    /// A comparison by libseccomp's name.
    public enum Comparison: String, Hashable, Sendable, CaseIterable {
        case notEqual = "SCMP_CMP_NE"
        case less = "SCMP_CMP_LT"
        case lessOrEqual = "SCMP_CMP_LE"
        case equal = "SCMP_CMP_EQ"
        case greaterOrEqual = "SCMP_CMP_GE"
        case greater = "SCMP_CMP_GT"
        case maskedEqual = "SCMP_CMP_MASKED_EQ"

        /// A comparison by its name, with or without `SCMP_CMP_`.
        ///
        /// - Throws: ``SeccompError/unknownComparison(_:)``.
        public init(_ name: String) throws(SeccompError) {
            guard let known = Comparison(rawValue: name) ?? Comparison(rawValue: "SCMP_CMP_\(name)") else {
                throw .unknownComparison(name)
            }
            self = known
        }
    }
}
