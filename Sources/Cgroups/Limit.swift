/// An upper bound that may be absent: a number, or the kernel's `max`.
public enum Limit: Hashable, Sendable {
    case value(UInt64)
    /// No limit.
    case max

    /// So many times 1,024 bytes; more than 64 bits hold is no limit.
    public static func kibibytes(_ count: UInt64) -> Limit { bytes(count, shift: 10) }
    /// So many times 1,048,576 bytes; more than 64 bits hold is no limit.
    public static func mebibytes(_ count: UInt64) -> Limit { bytes(count, shift: 20) }
    /// So many times 1,073,741,824 bytes; more than 64 bits hold is no limit.
    public static func gibibytes(_ count: UInt64) -> Limit { bytes(count, shift: 30) }

    private static func bytes(_ count: UInt64, shift: UInt64) -> Limit {
        let (bytes, overflows) = count.multipliedReportingOverflow(by: 1 << shift)
        return overflows ? .max : .value(bytes)
    }

    /// The number, nil for ``max``.
    public var value: UInt64? {
        if case .value(let value) = self { value } else { nil }
    }
}

extension Limit: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: UInt64) { self = .value(value) }
}

extension Limit: Comparable {
    public static func < (left: Limit, right: Limit) -> Bool {
        switch (left, right) {
        case (.value(let left), .value(let right)): left < right
        case (.value, .max): true
        case (.max, _): false
        }
    }
}

extension Limit: CustomStringConvertible {
    public var description: String {
        switch self {
        case .value(let value): String(value)
        case .max: "max"
        }
    }
}

extension Limit: LosslessStringConvertible, InterfaceValue {
    /// The kernel's notation: a decimal number or `max`.
    public init?(_ text: String) { self.init(text[...]) }

    init?(_ text: Substring) {
        if text == "max" {
            self = .max
        } else {
            guard let value = UInt64(text) else { return nil }
            self = .value(value)
        }
    }

    public init?(interfaceText: String) { self.init(interfaceText) }
    public var interfaceText: String { description }
}
