#if arch(x86_64)
    import Glibc
    import Linux
    import Machines
    import Seccomp
    import Testing

    @testable import bulkhead_vm

    /// The programs that were compiled when they were written, against what their profiles say now.
    @Suite struct CompiledFilterTests {
        @Test(arguments: ThreadRole.all) func eachIsWhatItsProfileSays(_ role: ThreadRole) throws {
            for process: UInt32 in [1, 4711, 4_194_304] {
                let profile = ThreadFilters.profile(of: role, process: process)
                let compiled = CompiledFilters.program(of: role, process: process)
                // Which is checked, as this one is not.
                #expect(try compiled == profile.compile().program, "scripts/filters writes them anew")
            }
        }

        /// With BULKHEAD_WRITE_FILTERS, as scripts/filters has it, the file is written before.
        @Test func theirFileIsAsItIsWritten() throws {
            let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
            let path = "/\(root)/Sources/Examples/MicroVM/Confinement/CompiledFilterWords.swift"
            if getenv("BULKHEAD_WRITE_FILTERS") != nil {
                try Descriptor.open(path, [.writeOnly, .create, .truncate], mode: 0o644).write(try Self.text())
            }
            #expect(try readText(path) == Self.text(), "scripts/filters writes it anew")
        }

        private static func text() throws -> String {
            var text = """
                // Written by scripts/filters, of what ThreadFilters says; CompiledFilterTests compares them.

                extension CompiledFilters {

                """
            for role in ThreadRole.all {
                let profile = ThreadFilters.profile(of: role, process: CompiledFilters.process)
                text += "    static let \(role): [UInt64] = [\n"
                var words = try profile.compile().program.instructions.map { CompiledFilters.word($0) }[...]
                while !words.isEmpty {
                    let line = words.prefix(5).map { word in
                        let digits = String(word, radix: 16)
                        return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
                    }
                    text += "        \(line.joined(separator: ", ")),\n"
                    words = words.dropFirst(5)
                }
                text += "    ]\n"
            }
            return text + "}\n"
        }
    }
#endif
