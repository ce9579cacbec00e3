/// CRC-64 as in ECMA-182, with its bits reversed, like the `xz` format's: it finds every change of up to 64 bits in a row,
/// and any single bit.
enum CRC64 {
    /// The polynomial, its lowest power in the highest bit.
    private static let polynomial: UInt64 = 0xc96c_5795_d787_0f42

    private static let table: [UInt64] = (0..<256).map { byte in
        (0..<8).reduce(UInt64(byte)) { value, _ in value & 1 == 0 ? value >> 1 : value >> 1 ^ polynomial }
    }

    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt64 {
        table.withUnsafeBufferPointer { table in
            ~bytes.reduce(UInt64.max) { sum, byte in
                table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8
            }
        }
    }
}
