#if arch(x86_64)
    import Glibc
    import GuestMemory
    import Linux
    import OCI
    import TestSupport
    import Testing

    @testable import Machines
    @testable import Virtio
    @testable import bulkhead_vm

    extension MachineTests {
        /// Machines on pages of 2 MiB, which the host makes when they are asked for. Those whose guests run have a log of
        /// what is written, for which KVM shows the guest pages of 4 KiB: the test machine, whose KVM is emulated, stopped
        /// dead once where one ran without.
        @Suite(.needs(.testVM), .serialized) struct HugePageTests {
            private static let setting = "/proc/sys/vm/nr_overcommit_hugepages"
            private let scratch = Scratch()

            /// Lets the host make as many as its memory has room for, and no more afterwards than before.
            private func withHugePages(_ body: () throws -> Void) throws {
                let before = try readText(Self.setting)
                try writeText("256", to: Self.setting)
                defer { try? writeText(before, to: Self.setting) }
                try body()
            }

            private func files(_ name: String) throws -> SnapshotFiles {
                SnapshotFiles(
                    state: try scratch.file("\(name).state", []), memory: try scratch.file("\(name).memory", []))
            }

            private func kernel() throws -> String {
                try scratch.file("kernel", TestELF(code: CountingGuest.code).bytes)
            }

            /// What the host says of the pages behind a piece of memory; `proc_pid_smaps(5)`.
            private func pageSize(_ memory: GuestMemory, _ region: Int) throws -> String? {
                let start = memory.withRegion(region) { String(UInt(bitPattern: $0.hostAddress), radix: 16) }
                let lines = try readText("/proc/self/smaps").split(separator: "\n")
                let first = try #require(lines.firstIndex { $0.hasPrefix("\(start)-") })
                return lines[first...].first { $0.hasPrefix("KernelPageSize:") }?
                    .split(separator: " ").dropFirst().joined(separator: " ")
            }

            /// Lets a paused guest go on for a while.
            private func goOn(_ machine: Machine) throws {
                try machine.resume()
                #expect(try CountingGuest.goesOn(machine))
                try machine.pause()
            }

            /// Saves all that was written since onto another save, and looks whether that is all.
            private func expectDiffIsWhole(_ machine: Machine, _ old: SnapshotFiles) throws {
                let (onto, whole) = (try files("onto"), try files("whole"))
                try #require(system("cp \(old.memory) \(onto.memory)") == 0)
                try machine.save(.diff, to: onto)
                try machine.save(to: whole)
                let (mark, end) = (GenerationID.saveAddress, GenerationID.saveAddress + UInt64(GenerationID.size))
                #expect(
                    system(
                        "cd \(scratch.path) && cmp -n \(mark) onto.memory whole.memory && "
                            + "cmp -i \(end) onto.memory whole.memory") == 0)
            }

            @Test func aGuestOnThemIsSavedAndGoesOn() throws {
                try withHugePages {
                    var configuration = MachineConfiguration(kernel: try kernel())
                    (configuration.memory, configuration.pageSize) = (16 << 20, .huge2M)
                    configuration.hotplugMemory = .init(size: 128 << 20)
                    configuration.tracksDirtyPages = true
                    let machine = try Machine(configuration)
                    for region in 0..<2 { #expect(try pageSize(machine.memory, region) == "2048 kB") }
                    try machine.start()
                    #expect(try CountingGuest.goesOn(machine))
                    // Blocks that come and go, and what a balloon takes: the pages stay the machine's.
                    let hot = AddressMap(configuration).hotplugStart
                    let device = try #require(machine.hotplugMemory)
                    try device.setRequestedSize(128 << 20)
                    try device.lock.locked { () throws in
                        try device.plug(3..<6)
                        try device.unplug(4..<5)
                    }
                    try machine.memory.store(UInt64(77), at: GuestAddress(hot + 3 << 21 + 4096))
                    let taken = GuestAddress(0xc0_0000)
                    try machine.memory.store(UInt64(78), at: taken)
                    try machine.memory.discard(taken, count: 2 << 20)
                    #expect(try machine.memory.load(at: taken) as UInt64 == 78)
                    try machine.pause()
                    let files = try files("first")
                    try machine.save(to: files)
                    let count = try CountingGuest.count(machine)
                    try goOn(machine)
                    try expectDiffIsWhole(machine, files)
                    machine.stop()
                    _ = machine.wait()

                    // From the file on plain pages only, from a handler on huge ones.
                    var snapshot = try Snapshot(readingFrom: files.state)
                    #expect(snapshot.configuration.pageSize == .huge2M)
                    let error = #expect(throws: MachineError.self) {
                        try Machine(restoring: snapshot, memory: .file(files.memory))
                    }
                    #expect(error?.reason == .snapshot(.hugePages))
                    snapshot.configuration.pageSize = .normal
                    let plain = try Machine(restoring: snapshot, memory: .file(files.memory))
                    #expect(try CountingGuest.count(plain) == count)
                    snapshot.configuration.pageSize = .huge2M
                    for logs in [true, false] {
                        snapshot.configuration.tracksDirtyPages = logs
                        let socket = "\(scratch.path)/faults"
                        let listener = try UnixSocket.listen(at: socket)
                        let path = files.memory
                        let handler = try MachineThread("handler") {
                            FaultServer.serve(listener, path, size: (16 + 128) << 20, page: 2 << 20)
                        }
                        do {
                            let twin = try Machine(restoring: snapshot, memory: .handler(socket))
                            #expect(try pageSize(twin.memory, 0) == "2048 kB")
                            #expect(try CountingGuest.count(twin) == count)
                            #expect(try twin.memory.load(at: GuestAddress(hot + 3 << 21 + 4096)) as UInt64 == 77)
                            try twin.start()
                            if logs { try goOn(twin) }
                            try twin.memory.store(UInt64(79), at: GuestAddress(0xe0_0000))
                            try expectDiffIsWhole(twin, files)
                            twin.stop()
                            _ = twin.wait()
                        }
                        handler.join()
                        unlink(socket)
                    }
                }
            }

            @Test func clientsChooseThem() throws {
                try withHugePages {
                    let (state, memory) = (try scratch.file("state", []), try scratch.file("memory", []))
                    let files = #""snapshot_path": "\#(state)", "mem_file_path": "\#(memory)""#
                    let saved = try APIClient("--accept-emulation")
                    #expect(try saved("PUT", "/boot-source", #"{"kernel_image_path": "\#(try kernel())"}"#) == .done)
                    let pages = #""huge_pages": "2M", "track_dirty_pages": true"#
                    let settings = #"{"vcpu_count": 1, "mem_size_mib": 16, \#(pages)}"#
                    #expect(try saved("PUT", "/machine-config", settings) == .done)
                    #expect(try saved("PUT", "/actions", #"{"action_type": "InstanceStart"}"#) == .done)
                    #expect(try saved("PATCH", "/vm", #"{"state": "Paused"}"#) == .done)
                    #expect(try saved("PUT", "/snapshot/create", "{\(files)}") == .done)

                    let loaded = try APIClient("--accept-emulation")
                    for more in ["", #", "huge_pages": "Snapshot""#, #", "huge_pages": "2M""#] {
                        #expect(
                            try loaded("PUT", "/snapshot/load", "{\(files)\(more)}").fault
                                == "Load snapshot error: Failed to restore from snapshot: Failed to load guest memory: "
                                + "Error creating guest memory from file: Cannot restore hugetlbfs backed snapshot by "
                                + "mapping the memory file. Please use uffd.")
                    }
                    #expect(try loaded("PUT", "/snapshot/load", #"{\#(files), "huge_pages": "None"}"#) == .done)
                    #expect(try loaded("GET", "/machine-config").json()["huge_pages"] == "None")
                }
            }
        }
    }
#endif
