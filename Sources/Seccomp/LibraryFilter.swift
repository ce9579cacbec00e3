import CLinux
import CSeccomp
import Linux

/// A filter that libseccomp is building, released with the value.
@safe struct LibraryFilter: ~Copyable {
    private let context: scmp_filter_ctx

    deinit { unsafe seccomp_release(context) }

    private init(defaultAction: SeccompAction) throws(SeccompError) {
        guard let context = unsafe seccomp_init(defaultAction.rawValue) else {
            throw .library(SystemError("seccomp_init with \(defaultAction)", .invalidArgument))
        }
        unsafe self.context = unsafe context
    }

    /// - Parameter architectures: the native one first.
    static func make(
        _ profile: SeccompProfile, _ architectures: [SeccompArchitecture]
    ) throws(SeccompError) -> LibraryFilter {
        let filter = try LibraryFilter(defaultAction: profile.defaultAction)
        try filter.fill(profile, architectures)
        return filter
    }

    private func fill(_ profile: SeccompProfile, _ architectures: [SeccompArchitecture]) throws(SeccompError) {
        try set(SCMP_FLTATR_ACT_BADARCH, profile.foreignAction.rawValue)
        // libseccomp's binary tree searches long filters fast, and goes wrong with none at all.
        if profile.rules.reduce(0, { $0 + $1.names.count }) > 32 { try set(SCMP_FLTATR_CTL_OPTIMIZE, 2) }
        // First of all: libseccomp takes no other byte order beside it.
        if !architectures.contains(.native) {
            try Self.check(
                unsafe seccomp_arch_remove(context, UInt32(SCMP_ARCH_NATIVE)), "remove the native architecture")
        }
        for architecture in architectures where architecture != .native {
            let status = unsafe seccomp_arch_add(context, architecture.rawValue)
            try Self.check(status, "add the architecture \(architecture)")
        }
        for rule in profile.rules where rule.action != profile.defaultAction {
            for name in rule.names { try add(rule, name) }
        }
    }

    private func add(_ rule: SeccompRule, _ name: String) throws(SeccompError) {
        if name.utf8.contains(0) { return }
        // Numbers are the native ones, and stand for the same call elsewhere.
        let number = unsafe seccomp_syscall_resolve_name(name)
        if number == -1 { return }
        for tests in rule.alternatives {
            let comparisons = tests.map { test in
                scmp_arg_cmp(
                    arg: test.index, op: test.comparison.libraryForm, datum_a: test.value, datum_b: test.valueTwo)
            }
            let status = unsafe seccomp_rule_add_array(
                context, rule.action.rawValue, number, UInt32(comparisons.count), comparisons)
            // An equal rule with another action came first, and the first one counts.
            if status == -EEXIST { continue }
            try Self.check(status, "add a rule for \(quoted(name))")
        }
    }

    private func set(_ attribute: scmp_filter_attr, _ value: UInt32) throws(SeccompError) {
        try Self.check(unsafe seccomp_attr_set(context, attribute, value), "set filter attribute \(attribute.rawValue)")
    }

    static func compile(_ profile: SeccompProfile, _ resolution: Resolution) throws(SeccompError) -> SeccompProgram {
        let filter = try LibraryFilter.make(profile, resolution.tables.map { $0.architecture })
        var bytes = try filter.exportProgram()
        if !SeccompArchitecture.native.hasByteOrder(of: resolution.tables[0].architecture) {
            // Written for the other machine: two bytes of code, two of jumps, four of operand.
            for start in stride(from: 0, to: bytes.count - 7, by: 8) {
                bytes.swapAt(start, start + 1)
                bytes[start + 4..<start + 8].reverse()
            }
        }
        let program = try SeccompProgram(bytes: bytes)
        guard profile.refusesNewerCallsAsUnknown else { return program }
        return try SeccompProgram(newerCallsAnswer(resolution) + program.instructions)
    }

    private func exportProgram() throws(SeccompError) -> [UInt8] {
        try export { unsafe seccomp_export_bpf(context, $0) }
    }

    func exportPseudoCode() throws(SeccompError) -> [UInt8] {
        try export { unsafe seccomp_export_pfc(context, $0) }
    }

    /// libseccomp 2.5 writes to descriptors only. A file in memory takes any amount, as a pipe would not.
    private func export(_ write: (CInt) -> CInt) throws(SeccompError) -> [UInt8] {
        let file = try system { () throws(SystemError) in
            let number = try systemCall("memfd_create") {
                unsafe "seccomp".withCString { name in
                    bh_syscall3(CLong(SYS_memfd_create), CLong(Int(bitPattern: name)), 1, 0)
                }
            }
            return Descriptor(owning: CInt(number))
        }
        try Self.check(write(file.rawValue), "export the filter")
        return try system { () throws(SystemError) in
            let number = file.rawValue
            try systemCall("rewind the exported filter") { lseek(number, 0, SEEK_SET) }
            return try file.readToEnd()
        }
    }

    /// The beginning of a program that answers `ENOSYS` to numbers above the highest that the rules name, and lets
    /// everything else go on.
    private static func newerCallsAnswer(_ resolution: Resolution) -> [BPFInstruction] {
        var sections: [BPFInstruction] = []
        let unknown = BPFInstruction.answer(.errno(.noSystemCall))
        var tokens: Set<UInt32> = []
        for table in resolution.tables where tokens.insert(table.architecture.auditToken).inserted {
            var section: [BPFInstruction] = [.load(0)]
            if table.architecture.auditToken == SeccompArchitecture.x86_64.rawValue {
                let plain = resolution.tables.first { $0.architecture == .x86_64 }?.highest
                let x32 = resolution.tables.first { $0.architecture == .x32 }?.highest
                // From bit 30 up the numbers are x32's.
                if let x32 { section += [.jump(.greater, x32, 0, 1), unknown] }
                if let plain {
                    section += [.jump(.greaterOrEqual, 0x4000_0000, 2, 0), .jump(.greater, plain, 0, 1), unknown]
                }
            } else if let highest = table.highest {
                section += [.jump(.greater, highest, 0, 1), unknown]
                // S/390 makes calls it does not know with number 0.
                if ["s390", "s390x"].contains(table.architecture.description) {
                    section += [.jump(.equal, 0, 0, 1), unknown]
                }
            }
            guard section.count > 1 else { continue }
            // The section has replaced the architecture in the accumulator: load it for the next one.
            section.append(.load(4))
            sections += [.jump(.equal, table.architecture.auditToken, 0, UInt8(section.count))] + section
        }
        return sections.isEmpty ? [] : [.load(4)] + sections
    }

    private static func check(_ status: CInt, _ operation: @autoclosure () -> String) throws(SeccompError) {
        if status < 0 { throw .library(SystemError("libseccomp: \(operation())", Errno(rawValue: -status))) }
    }
}

extension ArgumentTest.Comparison {
    fileprivate var libraryForm: scmp_compare {
        switch self {
        case .notEqual: SCMP_CMP_NE
        case .less: SCMP_CMP_LT
        case .lessOrEqual: SCMP_CMP_LE
        case .equal: SCMP_CMP_EQ
        case .greaterOrEqual: SCMP_CMP_GE
        case .greater: SCMP_CMP_GT
        case .maskedEqual: SCMP_CMP_MASKED_EQ
        }
    }
}
