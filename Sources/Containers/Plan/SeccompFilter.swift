import Linux
import OCI
import Seccomp

/// A document's filter, compiled.
struct SeccompFilter {
    /// One word for each `struct sock_filter`.
    var words: [UInt64]
    /// `SECCOMP_FILTER_FLAG_*`.
    var flags: UInt64
    var asksListener: Bool

    init(_ document: Configuration.Seccomp) throws(ContainerError) {
        do throws(SeccompError) {
            let profile = try SeccompProfile(document)
            let compiled = try profile.compile()
            words = compiled.program.instructions.map { $0.word }
            asksListener = compiled.program.asksListener
            // A process of one thread has none to synchronize.
            var flags = compiled.flags.subtracting([.synchronizeThreads, .synchronizeThreadsOrFail])
            if asksListener { flags.insert(.newListener) }
            self.flags = UInt64(flags.rawValue)
        } catch { throw ContainerError(.badDocument, "config.json: linux.seccomp: \(error)") }
        if asksListener && (document.listenerPath ?? "").isEmpty {
            throw ContainerError(
                .badDocument, "config.json: linux.seccomp.listenerPath: required with an action of SCMP_ACT_NOTIFY")
        }
    }
}

extension BPFInstruction {
    /// The instruction as the kernel lays `struct sock_filter` out, in one word.
    fileprivate var word: UInt64 {
        var word: UInt64 = 0
        withUnsafeMutableBytes(of: &word) { bytes in
            bytes.storeBytes(of: code, toByteOffset: 0, as: UInt16.self)
            bytes.storeBytes(of: jumpTrue, toByteOffset: 2, as: UInt8.self)
            bytes.storeBytes(of: jumpFalse, toByteOffset: 3, as: UInt8.self)
            bytes.storeBytes(of: operand, toByteOffset: 4, as: UInt32.self)
        }
        return word
    }
}

extension SeccompProfile {
    fileprivate init(_ document: Configuration.Seccomp) throws(SeccompError) {
        var rules: [SeccompRule] = []
        for call in document.syscalls {
            let action = try SeccompAction(name: call.action.rawValue, data: call.errnoRet)
            var tests: [ArgumentTest] = []
            for argument in call.args {
                guard let comparison = ArgumentTest.Comparison(rawValue: argument.op.rawValue) else { continue }
                tests.append(
                    ArgumentTest(argument.index, comparison, argument.value, valueTwo: argument.valueTwo))
            }
            rules.append(SeccompRule(call.names, action, when: tests))
        }
        var architectures: [SeccompArchitecture] = []
        for architecture in document.architectures {
            architectures.append(try SeccompArchitecture(name: architecture.rawValue))
        }
        var flags: SeccompFlags = []
        for flag in document.flags { flags.formUnion(try SeccompFlags(name: flag.rawValue)) }
        self.init(
            defaultAction: try SeccompAction(name: document.defaultAction.rawValue, data: document.defaultErrnoRet),
            architectures: architectures, flags: flags, rules: rules)
    }
}
