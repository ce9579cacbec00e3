/// A version as Semantic Versioning 2.0.0 writes it: what `ociVersion` must be.
public struct SemanticVersion: Comparable, Sendable, LosslessStringConvertible {
    /// Changes what was valid.
    public var major: Int
    /// Adds to it.
    public var minor: Int
    /// Mends it.
    public var patch: Int
    /// What follows the hyphen, such as `rc.2`; empty for a release.
    public var prerelease = ""
    /// What follows the plus sign; it plays no part in the order.
    public var build = ""

    /// A release.
    public init(_ major: Int, _ minor: Int, _ patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// Reads `1.2.3`, `1.2.3-rc.1`, `1.2.3+build` or all of it; nil for anything else.
    public init?(_ description: String) {
        var rest = description[...]
        if let plus = rest.firstIndex(of: "+") {
            build = String(rest[rest.index(after: plus)...])
            guard Self.identifiers(build, allowingLeadingZeros: true) else { return nil }
            rest = rest[..<plus]
        }
        if let hyphen = rest.firstIndex(of: "-") {
            prerelease = String(rest[rest.index(after: hyphen)...])
            guard Self.identifiers(prerelease, allowingLeadingZeros: false) else { return nil }
            rest = rest[..<hyphen]
        }
        let numbers = rest.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard numbers.count == 3, let major = Self.number(numbers[0]), let minor = Self.number(numbers[1]),
            let patch = Self.number(numbers[2])
        else { return nil }
        (self.major, self.minor, self.patch) = (major, minor, patch)
    }

    /// The version as text.
    public var description: String {
        "\(major).\(minor).\(patch)" + (prerelease.isEmpty ? "" : "-\(prerelease)") + (build.isEmpty ? "" : "+\(build)")
    }

    /// The order of Semantic Versioning: a prerelease comes before its release.
    public static func < (left: SemanticVersion, right: SemanticVersion) -> Bool {
        let (leftNumbers, rightNumbers) = (
            (left.major, left.minor, left.patch), (right.major, right.minor, right.patch)
        )
        if leftNumbers != rightNumbers { return leftNumbers < rightNumbers }
        if left.prerelease.isEmpty || right.prerelease.isEmpty {
            return !left.prerelease.isEmpty && right.prerelease.isEmpty
        }
        let leftParts = left.prerelease.split(separator: ".")
        let rightParts = right.prerelease.split(separator: ".")
        for (leftPart, rightPart) in zip(leftParts, rightParts) where leftPart != rightPart {
            switch (number(leftPart.utf8), number(rightPart.utf8)) {
            case (let leftNumber?, let rightNumber?): return leftNumber < rightNumber
            case (_?, nil): return true
            case (nil, _?): return false
            case (nil, nil): return leftPart.utf8.lexicographicallyPrecedes(rightPart.utf8)
            }
        }
        return leftParts.count < rightParts.count
    }

    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard let first = digits.first, digits.count == 1 || first != UInt8(ascii: "0"),
            digits.allSatisfy({ 0x30...0x39 ~= $0 })
        else { return nil }
        return Int(Substring(digits))
    }

    private static func identifiers(_ text: String, allowingLeadingZeros: Bool) -> Bool {
        text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { part in
            let isNumber = part.allSatisfy { 0x30...0x39 ~= $0 }
            if isNumber, !allowingLeadingZeros, part.count > 1, part.first == UInt8(ascii: "0") { return false }
            return !part.isEmpty
                && part.allSatisfy {
                    switch $0 {
                    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"):
                        true
                    default: false
                    }
                }
        }
    }
}

extension SemanticVersion: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        guard let version = SemanticVersion(try element.string()) else {
            throw element.mismatch("a version such as \(Configuration.specificationVersion)")
        }
        self = version
    }

    package var json: JSON { .string(description) }
}
