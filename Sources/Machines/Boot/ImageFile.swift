import Glibc
import GuestMemory
import Linux

/// A file that is loaded into a guest, straight from the host's page cache: no copy of it is made on the way.
struct ImageFile: ~Copyable {
    let descriptor: Descriptor
    /// Bytes.
    let size: UInt64
    let part: MachineError.Part
    let name: String

    /// - Throws: `ENOENT` and the like; a configuration error for what is no regular file.
    init(_ path: String, _ part: MachineError.Part) throws(MachineError) {
        let name = quoted(path)
        let opened = try building(part) { () throws(SystemError) in
            try Descriptor.open(path, [.readOnly, .nonBlocking])
        }
        let status: FileStatus
        do throws(SystemError) { status = try opened.status() } catch { throw MachineError(part, error) }
        guard status.isRegularFile else { throw MachineError(part, "\(name) is not a regular file") }
        self.name = name
        self.part = part
        size = UInt64(max(0, status.size))
        descriptor = opened
    }

    /// Some bytes of the file.
    ///
    /// - Throws: ``ImageError/truncated(needs:size:)`` where the file has not so many.
    func bytes(at offset: UInt64, count: Int) throws(MachineError) -> [UInt8] {
        try check(offset, UInt64(count))
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            var got: Result<Int, MachineError> = .success(0)
            bytes.withUnsafeMutableBytes { buffer in
                let rest = iovec(iov_base: buffer.baseAddress! + done, iov_len: count - done)
                do throws(MachineError) { got = .success(try read(rest, offset + UInt64(done))) } catch {
                    got = .failure(error)
                }
            }
            done += try got.get()
        }
        return bytes
    }

    /// Copies a part of the file into the guest.
    ///
    /// - Throws: ``ImageError/truncated(needs:size:)``, or ``ImageError/outsideMemory(start:size:)``.
    func load(at offset: UInt64, count: UInt64, into memory: GuestMemory, at address: UInt64) throws(MachineError) {
        try check(offset, count)
        guard count > 0 else { return }
        let slice: GuestSlice
        do throws(GuestMemoryError) {
            slice = try memory.slice(GuestAddress(address), count: Int(count))
        } catch { throw failure(.outsideMemory(start: address, size: count)) }
        var done = 0
        while done < slice.count {
            let vector = slice.vector
            let rest = iovec(iov_base: vector.iov_base + done, iov_len: vector.iov_len - done)
            done += try read(rest, offset + UInt64(done))
        }
        slice.markWritten(count: slice.count)
    }

    /// An error about this file.
    func failure(_ error: ImageError) -> MachineError { MachineError(part, .image(error)) }

    private func check(_ offset: UInt64, _ count: UInt64) throws(MachineError) {
        let (end, overflow) = offset.addingReportingOverflow(count)
        if overflow || end > size || count > UInt64(Int.max) {
            throw failure(.truncated(needs: overflow ? .max : end, size: size))
        }
    }

    /// At least one byte: the file may have become shorter since it was opened.
    private func read(_ vector: iovec, _ offset: UInt64) throws(MachineError) -> Int {
        let number = descriptor.rawValue
        var vector = vector
        let got: Int
        do throws(SystemError) {
            got = try systemCall("read \(name)") { preadv(number, &vector, 1, off_t(offset)) }
        } catch { throw MachineError(part, error) }
        guard got > 0 else { throw failure(.truncated(needs: size, size: offset)) }
        return got
    }
}
