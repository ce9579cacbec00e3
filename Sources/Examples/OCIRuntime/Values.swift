/// Bytes as `--memory` takes them: a number, a fraction allowed, and a unit of 1,024 (`b`, `k`, `m`, `g`, `t`, `p`,
/// each also as `kb` or `kib`, in either case); -1 is no limit.
func memorySize(_ text: String) -> Int64? {
    if text == "-1" { return -1 }
    let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    var unit = text.dropFirst(number.count).lowercased()
    if unit.hasPrefix(" ") { unit.removeFirst() }
    guard number.first?.isNumber == true, number.last?.isNumber == true else { return nil }
    let shift: Int64
    switch unit {
    case "", "b": shift = 0
    case "k", "kb", "kib": shift = 10
    case "m", "mb", "mib": shift = 20
    case "g", "gb", "gib": shift = 30
    case "t", "tb", "tib": shift = 40
    case "p", "pb", "pib": shift = 50
    default: return nil
    }
    // Whole numbers stay exact; a fraction can't be, and is cut.
    if let whole = Int64(number) {
        let (bytes, overflow) = whole.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : bytes
    }
    guard let value = Double(number) else { return nil }
    return Int64(exactly: (value * Double(Int64(1) << shift)).rounded(.towardZero))
}

/// A span of time as Go writes it, in milliseconds: `5s`, `100ms`, `1m30s`, `1.5h`; a bare number is seconds.
func milliseconds(_ text: String) -> Int64? {
    if let seconds = Double(text), text.first?.isNumber == true { return Int64(exactly: (seconds * 1000).rounded()) }
    var (rest, total) = (text[...], 0.0)
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
        let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        rest = rest.dropFirst(number.count)
        let unit = rest.prefix { !($0.isNumber || $0 == ".") }
        rest = rest.dropFirst(unit.count)
        guard let value = Double(number) else { return nil }
        switch unit {
        case "h": total += value * 3_600_000
        case "m": total += value * 60_000
        case "s": total += value * 1000
        case "ms": total += value
        case "us", "µs", "μs": total += value / 1000
        case "ns": total += value / 1_000_000
        default: return nil
        }
    }
    return total < 9e15 ? Int64(total.rounded(.up)) : nil
}

/// A decimal number without sign, blanks or anything else around it.
func unsigned<T: FixedWidthInteger>(_ text: some StringProtocol, as type: T.Type = T.self) -> T? {
    guard !text.isEmpty, text.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
    return T(text)
}

/// A user's or group's id: not the 4,294,967,295 that the kernel takes for "leave it".
func identity(_ text: some StringProtocol) -> UInt32? {
    guard let number = unsigned(text, as: UInt32.self), number != .max else { return nil }
    return number
}

/// `UID` or `UID:GID`, and nothing else: a name or a number that does not fit must never be taken for root.
func userAndGroup(_ text: String) -> (uid: UInt32, gid: UInt32?)? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2, let uid = identity(parts[0]) else { return nil }
    if parts.count == 1 { return (uid, nil) }
    guard let gid = identity(parts[1]) else { return nil }
    return (uid, gid)
}

extension Arguments {
    /// A whole number that an option gives.
    func number<T: FixedWidthInteger>(_ option: Option, as type: T.Type = T.self) throws(Failure) -> T? {
        guard let text = self[option] else { return nil }
        guard let number = T(text) else {
            throw Failure.usage("option --\(option.name): expected an integer, found \"\(text)\"")
        }
        return number
    }

    /// A number of bytes that an option gives.
    func memorySize(_ option: Option) throws(Failure) -> Int64? {
        guard let text = self[option] else { return nil }
        guard let bytes = bulkhead_oci.memorySize(text) else {
            throw Failure.usage("option --\(option.name): expected bytes such as 512m, or -1, found \"\(text)\"")
        }
        return bytes
    }
}
