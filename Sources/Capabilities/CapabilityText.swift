import CCapability
import Linux

extension CapabilityState {
    /// The effective, permitted and inheritable sets in libcap's text form, as `getpcaps(8)` prints them:
    /// `cap_chown,cap_kill=ep`; `cap_to_text(3)`.
    public func text() throws(CapabilityError) -> String {
        let handle = try LibraryCapabilities()
        try handle.set(CAP_EFFECTIVE, effective)
        try handle.set(CAP_PERMITTED, permitted)
        try handle.set(CAP_INHERITABLE, inheritable)
        guard let text = unsafe cap_to_text(handle.pointer, nil) else {
            throw .system(SystemError("cap_to_text", .current))
        }
        defer { unsafe cap_free(text) }
        return unsafe String(cString: text)
    }

    /// Reads the effective, permitted and inheritable sets from libcap's text form; the other two are empty;
    /// `cap_from_text(3)`.
    ///
    /// - Throws: ``CapabilityError/malformedText(_:)``.
    public init(text: String) throws(CapabilityError) {
        guard !text.utf8.contains(0), let pointer = unsafe cap_from_text(text) else { throw .malformedText(text) }
        let handle = unsafe LibraryCapabilities(owning: pointer)
        self.init(
            effective: handle.get(CAP_EFFECTIVE), permitted: handle.get(CAP_PERMITTED),
            inheritable: handle.get(CAP_INHERITABLE))
    }
}

/// libcap's own form of three sets, freed with the value.
@safe struct LibraryCapabilities: ~Copyable {
    let pointer: cap_t

    init() throws(CapabilityError) {
        guard let pointer = unsafe cap_init() else { throw .system(SystemError("cap_init", .current)) }
        unsafe self.pointer = unsafe pointer
    }

    init(owning pointer: cap_t) { unsafe self.pointer = unsafe pointer }

    deinit { unsafe cap_free(UnsafeMutableRawPointer(pointer)) }

    func set(_ flag: cap_flag_t, _ members: CapabilitySet) throws(CapabilityError) {
        let values = members.capabilities.map { cap_value_t($0.rawValue) }
        if values.isEmpty { return }
        try call("cap_set_flag") { unsafe cap_set_flag(pointer, flag, CInt(values.count), values, CAP_SET) }
    }

    func get(_ flag: cap_flag_t) -> CapabilitySet {
        var mask: UInt64 = 0
        for number in 0..<64 {
            var value = CAP_CLEAR
            // libcap refuses numbers beyond the kernel's last: they are not set either.
            if unsafe cap_get_flag(pointer, CInt(number), flag, &value) == 0, value == CAP_SET {
                mask |= 1 << UInt64(number)
            }
        }
        return CapabilitySet(rawValue: mask)
    }
}
