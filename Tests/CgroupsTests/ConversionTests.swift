import Glibc
import TestSupport
import Testing

@testable import Cgroups

/// The maps from version 1's numbers.
@Suite struct ConversionTests {
    @Test func curveThroughTheDefaults() {
        let known: [(UInt64, UInt64)] = [(0, 1), (2, 1), (1024, 100), (262_144, 10_000), (300_000, 10_000)]
        for (shares, weight) in known {
            #expect(CPULimits.weight(fromShares: shares) == weight, "\(shares)")
        }
    }

    /// The module's own logarithm and power stand for libm's: every result must be the same.
    @Test func curveAgreesWithLibm() {
        var different: [UInt64] = []
        // All of them where that takes no time.
        for shares in stride(from: UInt64(3), to: 262_144, by: insideTestVM ? 97 : 1) {
            let l = log2(Double(shares))
            let expected = UInt64(ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0)))
            if CPULimits.weight(fromShares: shares) != expected { different.append(shares) }
        }
        #expect(different == [])
    }

    @Test func straightLine() {
        #expect(CPULimits.weightLinear(fromShares: 2) == 1)
        #expect(CPULimits.weightLinear(fromShares: 1024) == 39)
        #expect(CPULimits.weightLinear(fromShares: 262_144) == 10_000)
        #expect(CPULimits.weightLinear(fromShares: 0) == 1)
        #expect(CPULimits.weightLinear(fromShares: .max) == 10_000)
    }

    @Test func blockWeights() {
        #expect(IOLimits.weight(fromBlockWeight: 10) == 1)
        #expect(IOLimits.weight(fromBlockWeight: 1000) == 10_000)
        #expect(IOLimits.weight(fromBlockWeight: 0) == 1)
        for weight in UInt64(10)...1000 {
            #expect(IOLimits.bfqWeight(fromIOWeight: IOLimits.weight(fromBlockWeight: weight)) == weight)
        }
    }

    @Test func swap() {
        #expect(MemoryLimits.swapMax(fromMemoryAndSwap: 300, memory: 100) == 200)
        #expect(MemoryLimits.swapMax(fromMemoryAndSwap: 100, memory: 100) == 0)
        #expect(MemoryLimits.swapMax(fromMemoryAndSwap: 99, memory: 100) == nil)
        #expect(MemoryLimits.swapMax(fromMemoryAndSwap: .max, memory: 100) == .max)
        #expect(MemoryLimits.swapMax(fromMemoryAndSwap: 100, memory: .max) == 100)
    }
}
