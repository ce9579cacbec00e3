/// A profile made into a program.
public struct CompiledProfile: Hashable, Sendable {
    /// What the kernel runs.
    public let program: SeccompProgram
    /// The profile's flags: how the program wants to be installed.
    public let flags: SeccompFlags
    /// The names in rules that mean nothing here, each once, in the profile's order.
    public let skipped: [SkippedCall]

    /// A call that a rule names and no compiled architecture has.
    public struct SkippedCall: Hashable, Sendable {
        public var name: String
        public var reason: Reason

        /// Why it was skipped.
        public enum Reason: Hashable, Sendable {
            /// No table has the name: it is misspelt, or newer than this library and libseccomp.
            case unknown
            /// Only other architectures have the call.
            case absent
        }
    }
}

/// Who writes the program.
public enum SeccompCompiler: Hashable, Sendable {
    /// ``direct`` where it can, else ``library``.
    case automatic
    /// This module, with libseccomp's tables of names: a balanced tree over the numbers of calls, in a small part of
    /// libseccomp's time. Not for the architectures that bundle calls and are not x86 (MIPS o32, PowerPC, S/390 …).
    case direct
    /// libseccomp, with this module's answer to newer calls in front. Calls newer than its tables are skipped. Where
    /// rules with different actions and overlapping tests name one call, libseccomp chooses which comes first. Many such
    /// rules for one call can keep it (2.5.4) busy for longer than anyone waits: not for profiles of strangers.
    case library
}

extension SeccompProfile {
    /// Makes the program.
    ///
    /// - Parameters:
    ///   - compiler: who writes it.
    ///   - native: the architecture the program is for.
    /// - Throws: what the profile asks in vain, before anything else happened; ``SeccompError``.
    public func compile(
        with compiler: SeccompCompiler = .automatic, native: SeccompArchitecture = .native
    ) throws(SeccompError) -> CompiledProfile {
        let architectures = try checkedArchitectures(native: native)
        try check()
        let resolution = Resolution(self, architectures)
        let foreign = architectures.first { !DirectCompiler.canCompile($0) }
        let program: SeccompProgram
        switch compiler {
        case .direct where foreign != nil: throw .needsLibrary(foreign!)
        case .automatic where foreign != nil, .library:
            program = try LibraryFilter.compile(self, resolution)
        default: program = try DirectCompiler.compile(self, resolution)
        }
        return CompiledProfile(program: program, flags: flags, skipped: resolution.skipped)
    }

    /// The profile as libseccomp understands it, in its pseudo filter code; `seccomp_export_pfc(3)`.
    public func pseudoFilterCode(native: SeccompArchitecture = .native) throws(SeccompError) -> String {
        let architectures = try checkedArchitectures(native: native)
        try check()
        let filter = try LibraryFilter.make(self, architectures)
        return String(decoding: try filter.exportPseudoCode(), as: UTF8.self)
    }

    private func checkedArchitectures(native: SeccompArchitecture) throws(SeccompError) -> [SeccompArchitecture] {
        var result = [native]
        for architecture in architectures where !result.contains(architecture) { result.append(architecture) }
        for architecture in result {
            guard architecture.isKnownToLibrary else { throw .architectureNotSupported(architecture) }
            guard architecture.hasByteOrder(of: native) else {
                throw .mixedByteOrders(native, architecture)
            }
        }
        return result
    }

    private func check() throws(SeccompError) {
        try defaultAction.requireValid()
        try foreignAction.requireValid()
        for (index, rule) in rules.enumerated() {
            try rule.action.requireValid()
            if rule.names.isEmpty || rule.names.contains("") { throw .emptyName(ruleIndex: index) }
            for test in rule.tests where test.index > 5 {
                throw .argumentIndexOutOfRange(test.index, systemCall: rule.names[0])
            }
        }
    }
}
