import CKVM
import Linux

/// One bit for each page of a memory slot. Made once and used again, it costs no allocation.
public struct PageBitmap: Hashable, Sendable {
    /// Pages.
    public let count: Int
    /// Page *n* is bit *n* mod 64 of word *n* / 64. Bits past the last page mean nothing.
    public var words: [UInt64]

    /// - Parameter count: pages, of the kernel's page size.
    public init(pages count: Int) {
        precondition(count >= 0, "a count is never negative")
        self.count = count
        words = [UInt64](repeating: 0, count: (count + 63) / 64)
    }

    /// Whether a page's bit is set.
    public subscript(page: Int) -> Bool {
        get {
            precondition(page >= 0 && page < count, "a page of the bitmap")
            return words[page / 64] >> (page % 64) & 1 == 1
        }
        set {
            precondition(page >= 0 && page < count, "a page of the bitmap")
            let bit: UInt64 = 1 << (page % 64)
            words[page / 64] = newValue ? words[page / 64] | bit : words[page / 64] & ~bit
        }
    }

    /// How many pages' bits are set.
    public var setCount: Int {
        var count = 0
        forEach { _ in count += 1 }
        return count
    }

    /// Calls with every page whose bit is set, in order.
    public func forEach(_ body: (Int) -> Void) {
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                let page = index * 64 + rest.trailingZeroBitCount
                if page >= count { return }
                body(page)
                rest &= rest - 1
            }
        }
    }
}

extension VirtualMachine {
    /// The pages of a slot that were written since it was last asked, by the guest or by KVM for it; what the host's own
    /// code wrote is not among them. `KVM_GET_DIRTY_LOG`.
    ///
    /// With `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2` switched on, asking does not reset the log;
    /// ``clearDirtyLog(slot:firstPage:pages:_:)`` does.
    ///
    /// - Throws: `ENOENT` for a slot without log, `EINVAL` for a bitmap that has not exactly the slot's pages.
    public func readDirtyLog(slot: UInt32, into bitmap: inout PageBitmap) throws(SystemError) {
        try withLog(slot, bitmap.count) { (descriptor) throws(SystemError) in
            var failure: SystemError?
            unsafe bitmap.words.withUnsafeMutableBufferPointer { words in
                var request = unsafe kvm_dirty_log()
                unsafe request.slot = slot
                unsafe request.dirty_bitmap = UnsafeMutableRawPointer(words.baseAddress)
                let number = descriptor.rawValue
                do throws(SystemError) {
                    try systemCall("get the dirty log of memory slot \(slot)") {
                        unsafe bh_kvm_control(number, Request.getDirtyLog.rawValue, &request)
                    }
                } catch { failure = error }
            }
            if let failure { throw failure }
        }
    }

    /// Forgets that pages were written, and watches them again; `KVM_CLEAR_DIRTY_LOG`. It is there when
    /// `KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2` was switched on.
    ///
    /// - Parameters:
    ///   - slot: the slot of memory.
    ///   - firstPage: a multiple of 64.
    ///   - pages: a multiple of 64, but where the slot ends.
    ///   - bitmap: those that are meant, counted in pages of the slot.
    /// - Throws: `EINVAL` for other numbers, or pages that the slot does not have.
    public func clearDirtyLog(
        slot: UInt32, firstPage: Int, pages: Int, _ bitmap: PageBitmap
    ) throws(SystemError) {
        try withLog(slot, bitmap.count) { (descriptor) throws(SystemError) in
            guard firstPage >= 0, firstPage % 64 == 0, pages >= 0, pages <= bitmap.count - firstPage else {
                throw SystemError("clear the dirty log of memory slot \(slot)", .invalidArgument)
            }
            var failure: SystemError?
            unsafe bitmap.words.withUnsafeBufferPointer { words in
                var request = unsafe kvm_clear_dirty_log()
                unsafe request.slot = slot
                unsafe request.num_pages = UInt32(clamping: pages)
                unsafe request.first_page = UInt64(firstPage)
                // The kernel's first bit is the first page's; it only reads them.
                unsafe request.dirty_bitmap = words.baseAddress.map {
                    unsafe UnsafeMutableRawPointer(mutating: $0 + firstPage / 64)
                }
                let number = descriptor.rawValue
                do throws(SystemError) {
                    try systemCall("clear the dirty log of memory slot \(slot)") {
                        unsafe bh_kvm_control(number, Request.clearDirtyLog.rawValue, &request)
                    }
                } catch { failure = error }
            }
            if let failure { throw failure }
        }
    }

    /// Nobody changes the slot meanwhile, so the bitmap fits when it is used.
    private func withLog(
        _ slot: UInt32, _ pages: Int, _ call: (borrowing Descriptor) throws(SystemError) -> Void
    ) throws(SystemError) {
        try slots.sizes.withLock { (sizes) throws(SystemError) in
            guard let size = sizes[slot] else {
                throw SystemError("use the dirty log of memory slot \(slot)", .noSuchFileOrDirectory)
            }
            let expected = size / UInt64(bh_kvm_page_size())
            guard UInt64(pages) == expected else {
                throw SystemError(
                    "use the dirty log of memory slot \(slot)", .invalidArgument,
                    hint: "the slot has \(expected) pages, the bitmap \(pages)")
            }
            try call(descriptor)
        }
    }
}
