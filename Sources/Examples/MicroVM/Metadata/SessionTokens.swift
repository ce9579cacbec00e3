/// The passwords that programs of the guest get for a while: random text that says nothing of itself.
struct SessionTokens {
    /// Seconds for which one may be valid.
    static let lifetimes: ClosedRange<UInt32> = 1...21_600
    /// A guest that asks for more loses those that would end first.
    static let most = 1024

    /// When each ends: nanoseconds of the monotonic clock.
    private var ends: [String: UInt64] = [:]

    /// - Parameter lifetime: seconds, within ``lifetimes``.
    mutating func make(lifetime: UInt32, now: UInt64) -> String {
        // The host's, by getrandom(2).
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<30).map { _ in UInt8.random(in: 0 ... .max, using: &random) }
        if ends.count >= Self.most {
            ends = ends.filter { $0.value > now }
            if ends.count >= Self.most, let first = ends.min(by: { $0.value < $1.value }) {
                ends.removeValue(forKey: first.key)
            }
        }
        let token = Self.text(bytes)
        ends[token] = now + UInt64(lifetime) * 1_000_000_000
        return token
    }

    func isValid(_ token: String, now: UInt64) -> Bool { ends[token].map { $0 > now } ?? false }

    /// Six bits a letter; RFC 4648, section 5. Thirty bytes are forty letters.
    private static func text(_ bytes: [UInt8]) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        var (bits, count) = (UInt32(0), 0)
        for byte in bytes {
            (bits, count) = (bits << 8 | UInt32(byte), count + 8)
            while count >= 6 {
                count -= 6
                text.append(letters[Int(bits >> UInt32(count) & 63)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
