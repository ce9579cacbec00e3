/// An upper bound that may be absent: a number, or the kernel's `max`.
public enum Limit: Hashable, Sendable {
    case value(UInt64)
    /// No limit.
    case max

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
