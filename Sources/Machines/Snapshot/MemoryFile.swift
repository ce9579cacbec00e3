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
            let mark = try named { () throws(SystemError) in
                try file.bytes(at: GenerationID.saveAddress, count: GenerationID.size)
            }
            guard mark == snapshot.mark else {
                throw MachineError(
                    SnapshotError.memory("\(quoted(path)) was not saved together with this state"))
            }
            self.path = path
            self.file = file
        }
    }

    extension Descriptor {
        /// `pread(2)`: all of them.
        fileprivate borrowing func bytes(at offset: UInt64, count: Int) throws(SystemError) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: count)
            let number = rawValue
            let done = try systemCall("read descriptor \(number)") {
                bytes.withUnsafeMutableBytes { pread(number, $0.baseAddress, count, off_t(offset)) }
            }
            guard done == count else { throw SystemError("read descriptor \(number)", .ioError, hint: "it ends early") }
            return bytes
        }
    }
#endif
