#if arch(x86_64)
    import Glibc
    import Linux

    /// A new state and its memory, which take the places of old ones together. Whatever fails, and whenever the process is
    /// killed, a state and its memory are there, the old ones or the new:
    ///
    /// | step | state | beside it | memory | beside it |
    /// |---|---|---|---|---|
    /// | before | old | new | old | new |
    /// | the states change places | new | old | old | new |
    /// | the memory takes its place | new | old | new | |
    /// | the old state goes | new | | new | |
    ///
    /// In the second row a reader finds the memory beside its place (``MemoryFile``), and the next save puts it there.
    struct SnapshotReplacement {
        let state: ReplacementFile
        let memory: ReplacementFile

        init(_ files: SnapshotFiles) throws(MachineError) {
            try files.settle()
            memory = try building(.memory) { () throws(SystemError) in try ReplacementFile(files.memory) }
            state = try building(.snapshot) { () throws(SystemError) in try ReplacementFile(files.state) }
        }

        /// To be called when both are on the disk.
        func commit() throws(MachineError) {
            try building(.snapshot) { () throws(SystemError) in try state.exchange() }
            do throws(SystemError) { try memory.replace() } catch {
                // Where the old state does not come back either, the new one has its memory.
                if !state.goBack() { memory.stay() }
                throw MachineError(.memory, error)
            }
        }
    }

    extension SnapshotFiles {
        /// Ends what a save that was killed has begun: a memory beside its place goes there if the state is its own.
        func settle() throws(MachineError) {
            let waiting = ReplacementFile.temporary(memory)
            let held = try building(.memory) { () throws(SystemError) in try ReplacementFile.hold(waiting) }
            guard held != nil, let snapshot = try? Snapshot(readingFrom: state),
                let file = try? MemoryFile(of: snapshot, at: memory), file.path == waiting
            else { return }
            try building(.memory) { () throws(SystemError) in try ReplacementFile.move(waiting, memory) }
        }
    }
#endif
