import CLinux
import Linux

extension Cgroup {
    /// Puts a list of device rules in force, in the place of one that was set through this module before.
    ///
    /// There is no moment without rules. Programs of others, as systemd's, stay, and have to allow as well.
    ///
    /// - Throws: see ``DeviceProgram/load()``.
    public func apply(devices rules: [DeviceRule], allowsOtherwise: Bool = false) throws(CgroupError) {
        try attach(
            DeviceProgram(rules, allowsOtherwise: allowsOtherwise), inPlaceOf: devicePrograms().filter { $0.isOurs })
    }

    /// Attaches a loaded program in the place of those that this module attached before; `BPF_PROG_ATTACH`.
    public func attach(_ program: borrowing LoadedDeviceProgram) throws(CgroupError) {
        try attach(program, inPlaceOf: devicePrograms().filter { $0.isOurs })
    }

    func attach(_ program: DeviceProgram, inPlaceOf old: [AttachedDeviceProgram]) throws(CgroupError) {
        let loaded: LoadedDeviceProgram
        do throws(CgroupError) { loaded = try program.load() } catch {
            var error = error
            error.path = path
            throw error
        }
        try attach(loaded, inPlaceOf: old)
    }

    func attach(
        _ program: borrowing LoadedDeviceProgram, inPlaceOf old: [AttachedDeviceProgram]
    ) throws(CgroupError) {
        var replaced: UInt32?
        if let first = old.first {
            let former = try descriptor(ofProgram: first.id)
            do throws(SystemError) {
                try attach(program, BPFCall.allowMultiple | BPFCall.replace, instead: former.rawValue)
                replaced = first.id
            } catch {
                // Before Linux 5.6 programs could only be added: both hold for a moment, then the old one goes.
                if error.errno != .invalidArgument { throw attachError(error.errno) }
            }
        }
        if replaced == nil {
            do throws(SystemError) { try attach(program, BPFCall.allowMultiple, instead: nil) } catch {
                throw attachError(error.errno)
            }
        }
        // More than one is what a crash between attaching and detaching left.
        for left in old where left.id != replaced { try detach(left) }
    }

    /// The device programs that are attached here, whoever made them; `BPF_PROG_QUERY`.
    public func devicePrograms() throws(CgroupError) -> [AttachedDeviceProgram] {
        // The kernel allows 64 of a kind on a cgroup.
        var ids = [64 of UInt32](repeating: 0)
        var count = 0
        do throws(SystemError) {
            var call = BPFCall()
            call.set(UInt32(directory.rawValue), at: 0)
            call.set(BPFCall.deviceAttachType, at: 4)
            call.set(64, at: 24)
            var span = ids.mutableSpan
            unsafe try span.withUnsafeMutableBytes { bytes throws(SystemError) in
                unsafe call.set(UnsafeRawPointer(bytes.baseAddress), at: 16)
                _ = try call.make(.query)
            }
            count = Int(call.get(at: 24))
        } catch {
            throw CgroupError(
                .queryPrograms, path: path, cause: .kernel(error.errno),
                hint: error.errno == .notPermitted ? "asking takes CAP_NET_ADMIN or CAP_SYS_ADMIN" : nil)
        }
        var result: [AttachedDeviceProgram] = []
        for index in 0..<Swift.min(count, 64) {
            // One that went meanwhile is none.
            if let name = try programName(ids[index]) {
                result.append(AttachedDeviceProgram(id: ids[index], name: name))
            }
        }
        return result
    }

    /// Takes a program off; without it, what it denied is allowed as far as other programs do.
    public func detach(_ program: AttachedDeviceProgram) throws(CgroupError) {
        let former = try descriptor(ofProgram: program.id)
        do throws(SystemError) {
            var call = BPFCall()
            call.set(UInt32(directory.rawValue), at: 0)
            call.set(UInt32(former.rawValue), at: 4)
            call.set(BPFCall.deviceAttachType, at: 8)
            _ = try call.make(.detach)
        } catch { throw CgroupError(.detachProgram, path: path, cause: .kernel(error.errno)) }
    }

    /// Takes off every program that this module attached here.
    public func detachDevicePrograms() throws(CgroupError) {
        for program in try devicePrograms() where program.isOurs { try detach(program) }
    }

    private func attach(
        _ program: borrowing LoadedDeviceProgram, _ flags: UInt32, instead former: CInt?
    ) throws(SystemError) {
        var call = BPFCall()
        call.set(UInt32(directory.rawValue), at: 0)
        call.set(UInt32(program.descriptor.rawValue), at: 4)
        call.set(BPFCall.deviceAttachType, at: 8)
        call.set(flags, at: 12)
        if let former { call.set(UInt32(former), at: 16) }
        _ = try call.make(.attach)
    }

    private func attachError(_ errno: Errno) -> CgroupError {
        let hint: String? =
            switch errno {
            case .notPermitted:
                "attaching takes CAP_NET_ADMIN or CAP_SYS_ADMIN, and no program above that forbids others"
            case .argumentListTooLong: "64 programs are attached already"
            case .badDescriptor: "the directory is not of a cgroup2 file system"
            default: nil
            }
        return CgroupError(.attachProgram, path: path, cause: .kernel(errno), hint: hint)
    }

    private func descriptor(ofProgram id: UInt32) throws(CgroupError) -> Descriptor {
        do throws(SystemError) {
            var call = BPFCall()
            call.set(id, at: 0)
            return Descriptor(owning: try call.make(.descriptorOfProgram))
        } catch {
            throw CgroupError(
                .queryPrograms, path: path, cause: .kernel(error.errno),
                hint: error.errno == .notPermitted ? "looking at program \(id) takes CAP_SYS_ADMIN" : nil)
        }
    }

    private func programName(_ id: UInt32) throws(CgroupError) -> String? {
        let program: Descriptor
        do throws(CgroupError) { program = try descriptor(ofProgram: id) } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw error
        }
        // struct bpf_prog_info begins with type, id, tag, lengths and addresses; the name has 16 bytes at 64.
        var information = [10 of UInt64](repeating: 0)
        do throws(SystemError) {
            var call = BPFCall()
            call.set(UInt32(program.rawValue), at: 0)
            call.set(80, at: 4)
            var span = information.mutableSpan
            unsafe try span.withUnsafeMutableBytes { bytes throws(SystemError) in
                unsafe call.set(UnsafeRawPointer(bytes.baseAddress), at: 8)
                _ = try call.make(.information)
            }
        } catch { throw CgroupError(.queryPrograms, path: path, cause: .kernel(error.errno)) }
        return unsafe information.span.withUnsafeBytes { bytes in
            unsafe String(decoding: bytes[64..<80].prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
