import Machines
import OCI

/// `/cpu-config`: how the processors differ from what KVM offers.
struct ProcessorSettings: Hashable {
    var template = ProcessorTemplate()
    /// The capabilities as they were written: `!171` is one that is not asked for.
    private var capabilities: [String] = []

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(
            json, "CustomCpuTemplate", ["kvm_capabilities", "cpuid_modifiers", "msr_modifiers"])
        let capabilities = try members.value("kvm_capabilities", or: []) { (json) throws(BodyError) in
            try Value.list(json, Self.capability)
        }
        self.capabilities = capabilities.map { $0.text }
        template.ignoredCapabilities = Set(capabilities.filter { $0.isIgnored }.map { $0.number })
        template.neededCapabilities = capabilities.filter { !$0.isIgnored }.map { $0.number }
        template.leaves = try members.value("cpuid_modifiers", or: []) { (json) throws(BodyError) in
            try Value.list(json, Self.leaf)
        }
        template.registers = try members.value("msr_modifiers", or: []) { (json) throws(BodyError) in
            try Value.list(json, Self.register)
        }
    }

    private static func capability(
        _ json: JSON
    ) throws(BodyError) -> (text: String, isIgnored: Bool, number: UInt32) {
        let text = try Value.text(json)
        let isIgnored = text.hasPrefix("!")
        let digits = isIgnored ? text.dropFirst() : text[...]
        guard digits.utf8.first != UInt8(ascii: "-"), let number = UInt32(digits) else {
            throw BodyError(
                "Failed to parse string [\(text)] as a kvm capability - can not convert to numeric: invalid digit "
                    + "found in string", .behindConversion)
        }
        return (text, isIgnored, number)
    }

    private static func leaf(_ json: JSON) throws(BodyError) -> ProcessorTemplate.Leaf {
        let members = try Members(json, "CpuidLeafModifier", ["leaf", "subleaf", "flags", "modifiers"])
        return ProcessorTemplate.Leaf(
            try members.required("leaf", number), try members.required("subleaf", number),
            flags: try members.required("flags", Value.u32),
            try members.required("modifiers") { (json) throws(BodyError) in try Value.list(json, change) })
    }

    private static func change(_ json: JSON) throws(BodyError) -> ProcessorTemplate.Change {
        let members = try Members(json, "CpuidRegisterModifier", ["register", "bitmap"])
        return ProcessorTemplate.Change(
            try members.required("register") { (json) throws(BodyError) in
                guard let register = ProcessorTemplate.Register(rawValue: try Value.text(json)) else {
                    throw BodyError("Invalid CPUID register. Must be one of [eax, ebx, ecx, edx]", .behindConversion)
                }
                return register
            }, try members.required("bitmap", bitmap))
    }

    private static func register(_ json: JSON) throws(BodyError) -> ProcessorTemplate.ModelRegister {
        let members = try Members(json, "RegisterModifier", ["addr", "bitmap"])
        return ProcessorTemplate.ModelRegister(
            try members.required("addr", number), try members.required("bitmap", bitmap))
    }

    /// A number as text: `0x1f`, `0b11`.
    private static func number(_ json: JSON) throws(BodyError) -> UInt32 {
        let text = try Value.text(json)
        let digits = text.dropFirst(2)
        let radix: Int
        switch text.prefix(2) {
        case "0b": radix = 2
        case "0x": radix = 16
        default:
            throw BodyError(
                "No supported number system prefix found in value [\(text)]. Make sure to prefix the number with '0x' "
                    + "for hexadecimal numbers or '0b' for binary numbers.",
                .behindConversion)
        }
        guard digits.utf8.first != UInt8(ascii: "-"), let number = UInt32(digits, radix: radix) else {
            throw BodyError("Failed to parse string [\(text)] as a number for CPU template", .behindConversion)
        }
        return number
    }

    /// Bits from the highest to the lowest: 0, 1, and x for one that stays; `_` is for the eye.
    private static func bitmap<Number: FixedWidthInteger & UnsignedInteger & Sendable>(
        _ json: JSON
    ) throws(BodyError) -> ProcessorTemplate.Bitmap<Number> {
        let text = try Value.text(json)
        let bits = text.hasPrefix("0b") ? text.dropFirst(2) : text[...]
        var (mask, value, count) = (Number.zero, Number.zero, 0)
        for byte in bits.utf8.reversed() {
            guard count < Number.bitWidth else {
                throw BodyError("Failed to parse string [\(text)] as a bitmap - string is too long", .behindConversion)
            }
            switch byte {
            case UInt8(ascii: "_"): continue
            case UInt8(ascii: "x"): break
            case UInt8(ascii: "0"): mask |= 1 << Number(count)
            case UInt8(ascii: "1"):
                mask |= 1 << Number(count)
                value |= 1 << Number(count)
            default:
                throw BodyError(
                    "Failed to parse string [\(text)] as a bitmap - unknown character: \(byte)", .behindConversion)
            }
            count += 1
        }
        return ProcessorTemplate.Bitmap(mask: mask, value: value)
    }

    var json: JSON {
        [
            "kvm_capabilities": .array(capabilities.map { JSON($0) }),
            "cpuid_modifiers": .array(
                template.leaves.map { leaf in
                    [
                        "leaf": Self.text(leaf.leaf), "subleaf": Self.text(leaf.subleaf), "flags": JSON(leaf.flags),
                        "modifiers": .array(
                            leaf.changes.map {
                                ["register": JSON($0.register.rawValue), "bitmap": Self.text($0.bitmap)]
                            }),
                    ]
                }),
            "msr_modifiers": .array(
                template.registers.map { ["addr": Self.text($0.index), "bitmap": Self.text($0.bitmap)] }),
        ]
    }

    private static func text(_ number: UInt32) -> JSON { JSON("0x\(String(number, radix: 16))") }

    private static func text<Value>(_ bitmap: ProcessorTemplate.Bitmap<Value>) -> JSON {
        var text = "0b"
        for bit in (0..<Value.bitWidth).reversed() {
            let place = Value(1) << Value(bit)
            text += bitmap.mask & place == 0 ? "x" : bitmap.value & place == 0 ? "0" : "1"
        }
        return JSON(text)
    }
}
