import CLinux
import GuestMemory

/// The buffers of one `readv(2)` or `writev(2)`: a list that is made once and filled again and again.
@safe
final class VectorList {
    /// `IOV_MAX`: more the kernel refuses.
    static let most = 1024

    @exclusivity(unchecked) private var vectors: UnsafeMutablePointer<iovec>
    @safe @exclusivity(unchecked) private var room = 8
    @safe @exclusivity(unchecked) private var first = 0
    @safe @exclusivity(unchecked) private var end = 0

    init() { unsafe vectors = .allocate(capacity: room) }

    deinit { unsafe vectors.deallocate() }

    /// The vectors not yet done.
    @unsafe var start: UnsafeMutablePointer<iovec> { unsafe vectors + first }
    /// How many there are.
    var count: Int { end - first }
    /// As many as one call takes.
    var callCount: CInt { CInt(min(count, VectorList.most)) }

    func clear() {
        first = 0
        end = 0
    }

    func append(_ slice: GuestSlice) { unsafe append(slice.vector) }

    @unsafe
    func append(_ vector: iovec) {
        if end == room && first >= room / 2 {
            unsafe vectors.update(from: vectors + first, count: count)
            (first, end) = (0, count)
        } else if end == room {
            let larger = UnsafeMutablePointer<iovec>.allocate(capacity: room * 2)
            unsafe larger.update(from: vectors, count: end)
            unsafe vectors.deallocate()
            unsafe vectors = unsafe larger
            room *= 2
        }
        unsafe vectors[end] = unsafe vector
        end += 1
    }

    /// Forgets the first ones.
    func removeFirst(_ number: Int) { first += number }

    /// Forgets the last one.
    func removeLast() { end -= 1 }

    /// Leaves out what lies behind so many bytes.
    func limit(to bytes: Int) {
        var left = bytes
        for index in first..<end {
            let length = unsafe vectors[index].iov_len
            guard length < left else {
                unsafe vectors[index].iov_len = left
                end = left > 0 ? index + 1 : index
                return
            }
            left -= length
        }
    }

    /// Counts bytes as done.
    func advance(_ bytes: Int) {
        var left = bytes
        while left > 0, first < end {
            let length = unsafe vectors[first].iov_len
            if left < length {
                unsafe vectors[first].iov_base += left
                unsafe vectors[first].iov_len -= left
                return
            }
            left -= length
            first += 1
        }
    }
}
