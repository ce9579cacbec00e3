#if arch(x86_64)
    import Glibc
    import Linux

    /// The file of a snapshot's memory.
    struct MemoryFile: ~Copyable {
        let path: String
        let file: Descriptor

        /// Opens a snapshot's memory: the file at a path, or that beside it, where a save was killed before it could put it
        /// there.
        ///
        /// - Throws: ``SnapshotError/memory(_:)`` for another's, and what the host refuses.
        init(of snapshot: Snapshot, at path: String) throws(MachineError) {
            do throws(MachineError) { try self.init(snapshot, path) } catch {
                guard let waiting = try? MemoryFile(snapshot, ReplacementFile.temporary(path)) else { throw error }
                self = waiting
            }
        }

        private init(_ snapshot: Snapshot, _ path: String) throws(MachineError) {
            func named<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(MachineError) -> Value {
                do throws(SystemError) { return try body() } catch {
                    throw MachineError(.snapshot, error.during("the snapshot's memory"))
                }
            }
            let file = try named { () throws(SystemError) in try Descriptor.open(path, .readOnly) }
            let (status, size) = (try named { () throws(SystemError) in try file.status() }, snapshot.memorySize)
            guard status.isRegularFile, status.size == Int64(size) else {
                throw MachineError(
                    SnapshotError.memory("\(quoted(path)) has \(status.size) bytes instead of \(size)"))
            }
            var mark = [UInt8](repeating: 0, count: GenerationID.size)
            try named { () throws(SystemError) in
                try mark.withUnsafeMutableBufferPointer { (bytes) throws(SystemError) in
                    try file.read(into: UnsafeMutableRawBufferPointer(bytes), at: Int(GenerationID.saveAddress))
                }
            }
            guard mark == snapshot.mark else {
                throw MachineError(
                    SnapshotError.memory("\(quoted(path)) was not saved together with this state"))
            }
            self.path = path
            self.file = file
        }

        /// Reads all of it but its holes, through a buffer: a mapping that is looked at would be the process's own to the
        /// kernel.
        ///
        /// - Throws: ``SnapshotError/memory(_:)`` with the first page that is not what was saved.
        borrowing func check(_ snapshot: Snapshot) throws(MachineError) {
            let (number, size, page) = (file.rawValue, Int(snapshot.memorySize), PageChecksums.pageSize)
            func isSame(_ difference: Int?) throws(MachineError) {
                guard let difference else { return }
                throw MachineError(
                    SnapshotError.memory(
                        "\(quoted(path)) is damaged: the page at \(difference * page) is not what was saved"))
            }
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.run, alignment: page)
            defer { buffer.deallocate() }
            var place = 0
            while place < size {
                // Where the file system does not know of holes, all is data.
                let data = lseek(number, off_t(place), Self.seekData)
                let begin = data >= 0 ? Int(data) / page * page : Errno.current.rawValue == ENXIO ? size : place
                try isSame(snapshot.checksums.firstOfData(in: place / page..<begin / page))
                place = begin
                guard place < size else { return }
                let hole = lseek(number, off_t(place), Self.seekHole)
                let end = hole > place ? min(size, (Int(hole) + page - 1) / page * page) : size
                while place < end {
                    // So that each run has its checksums in one piece.
                    let count = min(end, (place / Self.run + 1) * Self.run) - place
                    try building(.snapshot) { () throws(SystemError) in
                        try file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: place)
                    }
                    let sums = PageChecksums.sums(of: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    try isSame(snapshot.checksums.firstDifference(from: place / page, sums))
                    place += count
                }
            }
        }

        /// Read at once, at the most: a part of what has its checksums together.
        private static let run = 128 << 10
        // Of linux/fs.h, whose names Glibc's module leaves out.
        private static let (seekData, seekHole): (CInt, CInt) = (3, 4)
    }

    extension Descriptor {
        /// `pread(2)`: all of them.
        fileprivate borrowing func read(
            into bytes: UnsafeMutableRawBufferPointer, at offset: Int
        ) throws(SystemError) {
            let number = rawValue
            var done = 0
            while done < bytes.count {
                let count = try systemCall("read descriptor \(number)") {
                    pread(number, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
                }
                guard count > 0 else {
                    throw SystemError("read descriptor \(number)", .ioError, hint: "it became shorter")
                }
                done += count
            }
        }
    }
#endif
