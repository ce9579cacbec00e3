#if arch(x86_64)
    import Glibc
    import GuestMemory
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    extension MachineTests {
        /// Machines that count, saved and restored: even a KVM of software runs them.
        @Suite(.serialized) struct SnapshotTests {
            private let scratch = Scratch()

            private func machine(_ change: (inout MachineConfiguration) -> Void = { _ in }) throws -> Machine {
                var configuration = MachineConfiguration(
                    kernel: try scratch.file("kernel", TestELF(code: CountingGuest.code).bytes))
                configuration.memory = 32 << 20
                configuration.acceptsEmulation = true
                change(&configuration)
                return try Machine(configuration)
            }

            private func files(_ name: String) throws -> SnapshotFiles {
                SnapshotFiles(
                    state: try scratch.file("\(name).state", []), memory: try scratch.file("\(name).memory", []))
            }

            private func restore(_ files: SnapshotFiles, tracks: Bool = false) throws -> Machine {
                var snapshot = try Snapshot(readingFrom: files.state)
                snapshot.configuration.tracksDirtyPages = tracks
                return try Machine(restoring: snapshot, memory: .file(files.memory))
            }

            @Test func aGuestGoesOnWhereItWasSaved() throws {
                let files = try files("one")
                let saved = try machine { $0.processors = 2 }
                try saved.start()
                #expect(try CountingGuest.goesOn(saved))
                #expect(throws: MachineError.self) { try saved.save(to: files) }
                try saved.pause()
                let count = try CountingGuest.count(saved)
                try saved.save(to: files, note: Array("by hand".utf8))
                try saved.resume()
                #expect(try CountingGuest.goesOn(saved))
                saved.stop()
                _ = saved.wait()

                #expect(try Snapshot(readingFrom: files.state).note == Array("by hand".utf8))
                let machine = try restore(files)
                #expect(machine.isPaused)
                #expect(try CountingGuest.count(machine) == count)
                try machine.start()
                #expect(try CountingGuest.isStill(machine))
                try machine.resume()
                #expect(try CountingGuest.goesOn(machine))
                #expect(try CountingGuest.count(machine) > count)
                machine.stop()
                #expect(machine.wait() == .stopped)
                // The guest's own writes are its own.
                let again = try restore(files)
                #expect(try CountingGuest.count(again) == count)
            }
        }
    }
#endif
