import CGuestMemory

/// One region's record of the pages that devices wrote: a bit for each 4 KiB page.
///
/// It lives beside the region and is reached by pointer, so that a ``GuestSlice`` stays a plain value. While nobody
/// tracks, a write costs one load and one branch.
@usableFromInline
@safe
struct DirtyPages {
    @usableFromInline static let pageShift: UInt = 12

    /// Where the region starts in this process.
    @usableFromInline let base: UInt
    /// One bit for each page, mapped on first use.
    @usableFromInline let bits: UnsafeMutablePointer<UInt64>
    let wordCount: Int
    /// Not zero while writes are recorded.
    @usableFromInline var isTracking: UInt32 = 0

    init(base: UInt, size: UInt64, bits: UnsafeMutablePointer<UInt64>) {
        self.base = base
        unsafe self.bits = unsafe bits
        wordCount = DirtyPages.wordCount(size)
    }

    static func wordCount(_ size: UInt64) -> Int { Int(((size >> UInt64(pageShift)) + 63) / 64) }

    /// Records a write; the bytes are inside the region.
    @usableFromInline
    func mark(_ address: UInt, _ count: Int) {
        if count == 0 { return }
        var page = (address &- base) >> DirtyPages.pageShift
        let last = (address &- base &+ UInt(count) &- 1) >> DirtyPages.pageShift
        while page <= last {
            let word = unsafe bits + Int(page / 64)
            let bit = UInt64(1) << UInt64(page % 64)
            // A page that is written often is marked once: the atomic write would take the line from other processors.
            if unsafe bh_load_64(word) & bit == 0 { unsafe _ = bh_fetch_or_64(word, bit) }
            page += 1
        }
    }

    /// The record, which is empty afterwards.
    func take() -> [UInt64] {
        (0..<wordCount).map { unsafe bh_exchange_64(bits + $0, 0) }
    }
}
