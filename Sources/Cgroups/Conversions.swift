extension CPULimits {
    /// The weight that means what version 1's shares meant, with the defaults, 1,024 and 100, matched too: a curve in the
    /// logarithm through (2, 1), (1024, 100) and (262144, 10000). runc since 1.3.2 and crun since 1.23 use it.
    ///
    /// - Parameter shares: version 1's `cpu.shares`, 2 to 262,144; what lies beyond counts as the nearest.
    /// - Returns: 1 to 10,000.
    public static func weight(fromShares shares: UInt64) -> UInt64 {
        if shares <= 2 { return 1 }
        if shares >= 262_144 { return 10_000 }
        let logarithm = binaryLogarithm(Double(shares))
        // Through the three points, the exponent of ten is (l² + 125 l) / 612 − 7 / 34.
        let exponent = (logarithm * logarithm + 125 * logarithm) / 612 - 7.0 / 34
        let weight = powerOfTen(exponent)
        let whole = UInt64(weight)
        return Double(whole) < weight ? whole + 1 : whole
    }

    /// The weight as runtimes reckoned it before 2025: a straight line that maps the ends only, so that the default, 1,024,
    /// became 39.
    ///
    /// - Parameter shares: version 1's `cpu.shares`, 2 to 262,144; what lies beyond counts as the nearest.
    /// - Returns: 1 to 10,000.
    public static func weightLinear(fromShares shares: UInt64) -> UInt64 {
        let shares = min(max(shares, 2), 262_144)
        return 1 + (shares - 2) * 9999 / 262_142
    }
}

extension IOLimits {
    /// `io.weight` for version 1's `blkio.weight`, by a straight line.
    ///
    /// - Parameter weight: 10 to 1,000; what lies beyond counts as the nearest.
    /// - Returns: 1 to 10,000.
    public static func weight(fromBlockWeight weight: UInt64) -> UInt64 {
        1 + (min(max(weight, 10), 1000) - 10) * 9999 / 990
    }

    /// `io.bfq.weight`, which goes from 1 to 1,000, for `io.weight`: the inverse of ``weight(fromBlockWeight:)`` on its
    /// range.
    static func bfqWeight(fromIOWeight weight: UInt64) -> UInt64 {
        // Rounded up, because the way there was rounded down.
        10 + ((min(max(weight, 1), 10_000) - 1) * 990 + 9998) / 9999
    }
}

extension MemoryLimits {
    /// The limit of swap alone for a limit of memory and swap together, as version 1 and OCI documents give it.
    ///
    /// - Parameters:
    ///   - both: bytes of memory and swap, or no limit.
    ///   - memory: bytes of memory, or no limit.
    /// - Returns: nil when the sum is smaller than the memory.
    public static func swapMax(fromMemoryAndSwap both: Limit, memory: Limit) -> Limit? {
        switch (both, memory) {
        case (.max, _): .max
        case (.value(let both), .max): .value(both)
        case (.value(let both), .value(let memory)): both < memory ? nil : .value(both - memory)
        }
    }
}

// Two functions of libm, which the module does without: they are asked for whole numbers up to 2^18 and exponents up to
// 4, and agree there with libm in every result of the conversion above.

/// The logarithm to base 2 of a number of 1 or more. Exact for powers of two.
private func binaryLogarithm(_ number: Double) -> Double {
    // log2(2^e s) = e + 2 atanh((s - 1) / (s + 1)) / ln 2, where the series' argument is at most 1/3.
    let z = (number.significand - 1) / (number.significand + 1)
    var term = z
    var sum = 0.0
    for odd in stride(from: 1.0, through: 41, by: 2) {
        sum += term / odd
        term *= z * z
    }
    return Double(number.exponent) + 2 * sum / ln2
}

/// Ten to a power of 0 or more. Exact for whole numbers.
private func powerOfTen(_ exponent: Double) -> Double {
    let whole = Int(exponent)
    let x = (exponent - Double(whole)) * ln10
    var term = 1.0
    var sum = 0.0
    for index in 1...40 {
        sum += term
        term *= x / Double(index)
    }
    var result = sum
    for _ in 0..<whole { result *= 10 }
    return result
}

private let ln2 = 0.693_147_180_559_945_3
private let ln10 = 2.302_585_092_994_045_7
