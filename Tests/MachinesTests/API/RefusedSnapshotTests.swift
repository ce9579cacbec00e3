#if arch(x86_64)
    import Glibc
    import Linux
    import OCI
    import TestSupport
    import Testing

    @testable import Machines

    // In the suite of machines, so that they run one after the other.
    extension MachineTests {
        /// A monitor that is told to load what is no whole snapshot, again and again, and then one that is.
        @Suite(.needs(.program("curl")), .serialized) struct RefusedSnapshotTests {
            private let scratch = Scratch()

            /// A machine with a disk, saved by a monitor that has gone.
            private func save(_ disk: String) throws -> SnapshotFiles {
                let files = SnapshotFiles(
                    state: try scratch.file("state", []), memory: try scratch.file("memory", []))
                let kernel = try scratch.file("kernel", TestELF(code: CountingGuest.code).bytes)
                let api = try APIClient("--accept-emulation")
                let requests = [
                    ("PUT", "/boot-source", #"{"kernel_image_path": "\#(kernel)"}"#),
                    ("PUT", "/machine-config", #"{"vcpu_count": 1, "mem_size_mib": 16}"#),
                    ("PUT", "/drives/d", #"{"drive_id": "d", "is_root_device": false, "path_on_host": "\#(disk)"}"#),
                    ("PUT", "/actions", #"{"action_type": "InstanceStart"}"#),
                    ("PATCH", "/vm", #"{"state": "Paused"}"#),
                    (
                        "PUT", "/snapshot/create",
                        #"{"snapshot_path": "\#(files.state)", "mem_file_path": "\#(files.memory)"}"#
                    ),
                ]
                let answers = try CurlBatch(to: api.socket).send(
                    requests.map { CurlBatch.Request(method: $0.0, path: $0.1, body: $0.2) })
                #expect(answers.allSatisfy { $0.status == 204 }, "\(answers)")
                return files
            }

            /// A copy of the memory with one bit changed.
            private func memory(_ files: SnapshotFiles, flippedAt place: off_t) throws -> String {
                let path = try scratch.file("memory.\(place)", [])
                try #require(system("cp --sparse=always \(files.memory) \(path)") == 0)
                let file = try Descriptor.open(path, .readWrite)
                var byte: UInt8 = 0
                try #require(pread(file.rawValue, &byte, 1, place) == 1)
                byte ^= 1 << UInt8(place % 8)
                try #require(pwrite(file.rawValue, &byte, 1, place) == 1)
                return path
            }

            @Test(.needs(.kvm)) func whatIsNotWholeIsNamedAndHarmsNobody() throws {
                let disk = try scratch.hole("disk", size: 1 << 20)
                let files = try save(disk)
                let whole = try readFile(files.state)
                let ofState = "get snapshot state from file: Failed to load snapshot state from file: "
                var cases: [(state: String, memory: String, why: String)] = []
                func add(_ name: String, _ state: [UInt8], _ why: String) throws {
                    cases.append((try scratch.file(name, state), files.memory, ofState + why))
                }
                // Anywhere in the state; the format's own tests have each bit, and each length.
                for place in Set((0..<64).map { $0 * (whole.count - 1) / 63 } + Array(0..<24)) {
                    var bytes = whole
                    bytes[place] ^= 1 << UInt8(place % 8)
                    try add("flipped.\(place)", bytes, place < 8 ? "the file is no snapshot" : "")
                }
                for count in Set((0..<32).map { $0 * (whole.count - 1) / 31 }) {
                    try add(
                        "cut.\(count)", Array(whole.prefix(count)),
                        count == 0 ? "the file is no snapshot" : "the snapshot is truncated")
                }
                try add("longer", whole + [0], "the snapshot is damaged")
                var other = whole
                other.store(UInt32(3 << 16), at: 8)
                other.store(CRC64.checksum(other.dropLast(8)), at: other.count - 8)
                try add("version", other, "the snapshot has the format 3.0.0, and this program knows 2.0.0")
                // A processor with a debugging interface that KVM gives nobody.
                let saved = try Snapshot(decoding: whole)
                var processor = saved.processors[0]
                processor.cpuid[try #require(processor.cpuid.firstIndex { $0.function == 1 })].ecx |= 1 << 11
                let foreign = Snapshot(
                    saved.configuration, note: saved.note, mark: saved.mark, regions: saved.regions, chips: saved.chips,
                    processors: [processor], legacy: saved.legacy, additions: [], layout: saved.layout,
                    transports: saved.transports)
                cases.append((try scratch.file("processor", foreign.encoded()), files.memory, "leaf 0x1 ECX bit 11"))
                // The first byte of memory, the last, code, the mark, and a hole.
                for place in [0, 16 << 20 - 1, 0x10_0004, 0x7f_1234] as [off_t] {
                    let copy = try memory(files, flippedAt: place)
                    cases.append((files.state, copy, "the page at \(place & ~4095) is not what was saved"))
                }
                let stranger = try memory(files, flippedAt: off_t(GenerationID.saveAddress))
                cases.append((files.state, stranger, "was not saved together with this state"))
                cases.append((files.state, disk, "has 1048576 bytes instead of 16777216"))
                cases.append((files.state, "/none", "No such file or directory (os error 2)"))
                cases.append(("/none", files.memory, "No such file or directory (os error 2)"))

                let api = try APIClient("--accept-emulation")
                func load(_ state: String, _ memory: String) -> CurlBatch.Request {
                    let backend = #"{"backend_type": "File", "backend_path": "\#(memory)"}"#
                    let body = #"{"snapshot_path": "\#(state)", "mem_backend": \#(backend), "resume_vm": true}"#
                    return .init(method: "PUT", path: "/snapshot/load", body: body)
                }
                let curl = CurlBatch(to: api.socket)
                for (asked, answer) in zip(cases, try curl.send(cases.map { load($0.state, $0.memory) })) {
                    let isRefused = answer.status == 400 && answer.fault?.hasPrefix("Load snapshot error: ") == true
                    #expect(isRefused && answer.fault?.contains(asked.why) == true, "\(asked): \(answer)")
                }
                // The disk is gone, or has become another.
                let good = load(files.state, files.memory)
                try #require(rename(disk, "\(disk).away") == 0)
                let missing = try curl.send([good])[0].fault
                #expect(
                    missing?.contains("No such file or directory (os error 2)") == true
                        && missing?.contains(disk) == true,
                    "\(missing ?? "")")
                try #require(rename("\(disk).away", disk) == 0 && truncate(disk, 2 << 20) == 0)
                let changed = try curl.send([good])[0].fault
                #expect(changed?.contains("device 0 (disk)") == true, "\(changed ?? "")")
                try #require(truncate(disk, 1 << 20) == 0)
                #expect(try api("GET", "/").json()["state"] == "Not started")
                #expect(try curl.send([good])[0].status == 204)
                #expect(try api("GET", "/").json()["state"] == "Running")
            }
        }
    }
#endif
