import CLinux
import Linux

/// A device program in the kernel, verified and compiled, to be attached to any number of cgroups. It lives as long as
/// this value or a cgroup holds it.
public struct LoadedDeviceProgram: ~Copyable, Sendable {
    public let descriptor: Descriptor

    /// Every program of this module has this name, by which a later process finds it again.
    public static let name = "bulkhead_dev"
}

extension DeviceProgram {
    /// Loads the program; `bpf(2)`, `BPF_PROG_LOAD`.
    ///
    /// - Throws: `EPERM` without `CAP_BPF` and `CAP_NET_ADMIN`, or `CAP_SYS_ADMIN`; the verifier's log stands in
    ///   ``CgroupError/hint``.
    public func load() throws(CgroupError) -> LoadedDeviceProgram {
        do throws(SystemError) {
            return LoadedDeviceProgram(descriptor: Descriptor(owning: unsafe try load(log: nil)))
        } catch {
            throw CgroupError(
                .loadProgram, path: "", cause: .kernel(error.errno), hint: verifierLog() ?? Self.hint(error.errno))
        }
    }

    private func load(log: UnsafeMutableRawBufferPointer?) throws(SystemError) -> CInt {
        let license: StaticString = "Apache-2.0"
        return unsafe try instructions.span.withUnsafeBytes { code throws(SystemError) in
            var call = BPFCall()
            call.set(BPFCall.deviceProgramType, at: 0)
            call.set(UInt32(instructions.count), at: 4)
            unsafe call.set(code.baseAddress, at: 8)
            unsafe call.set(UnsafeRawPointer(license.utf8Start), at: 16)
            if let log = unsafe log {
                call.set(1, at: 24)
                call.set(UInt32(log.count), at: 28)
                unsafe call.set(UnsafeRawPointer(log.baseAddress), at: 32)
            }
            call.set(name: Array(LoadedDeviceProgram.name.utf8), at: 48)
            call.set(BPFCall.deviceAttachType, at: 68)
            return try call.make(.loadProgram)
        }
    }

    /// Loads once more with logging on, which costs too much to have it always.
    private func verifierLog() -> String? {
        var text = [UInt8](repeating: 0, count: 64 << 10)
        let loaded = unsafe text.withUnsafeMutableBytes { unsafe try? load(log: $0) }
        if let loaded { _ = Descriptor(owning: loaded) }
        guard let end = text.firstIndex(of: 0), end > 0 else { return nil }
        // The reason stands at the end.
        return String(decoding: text[..<end].suffix(2000), as: UTF8.self)
    }

    private static func hint(_ errno: Errno) -> String? {
        switch errno {
        case .notPermitted:
            "loading takes CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN, and before Linux 5.11 a larger RLIMIT_MEMLOCK"
        case .argumentListTooLong: "too many rules for this kernel"
        case .noSystemCall: "this kernel has no eBPF"
        case .invalidArgument: "this kernel has no eBPF for cgroups (CONFIG_CGROUP_BPF)"
        default: nil
        }
    }
}

/// A device program that is attached to a cgroup.
public struct AttachedDeviceProgram: Hashable, Sendable {
    /// The kernel's number of it.
    public var id: UInt32
    /// What its maker called it, at most 15 bytes.
    public var name: String

    /// Whether this module made it.
    public var isOurs: Bool { name == LoadedDeviceProgram.name }
}
