#if arch(x86_64)
    import Glibc
    import Linux
    import TestSupport
    import Testing

    /// What must not compile does not: each of these programs differs from one that does in what it does with an exit.
    @Suite(.needs(.program("swiftc"))) struct BorrowingTests {
        struct Program: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var source: String
            /// A part of what the compiler says; nil where it has nothing to say.
            var complaint: String?
        }

        static let programs = [
            Program(
                testDescription: "an exit that is answered",
                source: """
                    func use(_ vcpu: inout VCPU) throws -> UInt16 {
                        try vcpu.run { exit in
                            switch exit {
                            case .portRead(let read) where read.port == 3:
                                read.fill(1)
                                return read.port
                            case .memoryWrite(0x1000, 4, _): return 1
                            default: return 0
                            }
                        }
                    }
                    """),
            Program(
                testDescription: "the vCPU runs while its exit is looked at",
                source: """
                    func use(_ vcpu: inout VCPU) throws {
                        try vcpu.run { exit in
                            switch exit {
                            case .halt: _ = try? vcpu.run { _ in }
                            default: break
                            }
                        }
                    }
                    """, complaint: "overlapping accesses to 'vcpu'"),
            Program(
                testDescription: "the exit is kept",
                source: """
                    func use(_ vcpu: inout VCPU) throws {
                        var kept: Exit?
                        try vcpu.run { exit in kept = exit }
                        if case .halt = kept { print("halted") }
                    }
                    """, complaint: "consuming"),
            Program(
                testDescription: "the exit is returned",
                source: "func use(_ vcpu: inout VCPU) throws -> Exit { try vcpu.run { exit in exit } }",
                complaint: "Escapable"),
            Program(
                testDescription: "the place for an answer is kept",
                source: """
                    func use(_ vcpu: inout VCPU) throws {
                        var kept: MemoryRead?
                        try vcpu.run { exit in
                            switch exit {
                            case .memoryRead(let read): kept = read
                            default: break
                            }
                        }
                        kept?.fill(1)
                    }
                    """, complaint: "consuming"),
            Program(
                testDescription: "the place for an answer is left to another thread",
                source: """
                    func use(_ vcpu: inout VCPU) throws {
                        var later: (@Sendable () -> Void)?
                        try vcpu.run { exit in
                            switch exit {
                            case .portRead(let read): later = { read.fill(1) }
                            default: break
                            }
                        }
                        later?()
                    }
                    """, complaint: "@Sendable"),
            Program(
                testDescription: "the vCPU is copied",
                source: "func use(_ vcpu: inout VCPU) { let copy = vcpu; _ = vcpu.id + copy.id }",
                complaint: "'vcpu'"),
        ]

        // The compiler says the same on every machine, and takes its time where all is emulated: there, one program that
        // compiles and one that does not.
        @Test(arguments: insideTestVM ? Array(programs.prefix(2)) : programs)
        func compiles(_ program: Program) throws {
            let folder = "/tmp/bulkhead-kvm-\(getpid())-\(UInt32.random(in: .min ... .max))"
            try #require(mkdir(folder, 0o700) == 0)
            defer {
                unlink("\(folder)/main.swift")
                unlink("\(folder)/output")
                rmdir(folder)
            }
            let file = try #require(fopen("\(folder)/main.swift", "w"))
            fputs("import KVM\n\(program.source)\n", file)
            fclose(file)
            let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
            let built = try productsDirectory()
            let command = """
                swiftc -emit-sil -o /dev/null -swift-version 6 -parse-as-library -module-cache-path '\(built)/ModuleCache' \
                -I '\(built)/Modules' -I '\(root)/Sources/CLinux/include' \
                -Xcc -fmodule-map-file='\(built)/CKVM.build/module.modulemap' -Xcc -I'\(root)/Sources/CKVM/include' \
                '\(folder)/main.swift' >'\(folder)/output' 2>&1
                """
            let status = system(command)
            let output = try readText("\(folder)/output")
            if let complaint = program.complaint {
                #expect(status != 0)
                #expect(output.contains("error: ") && output.contains(complaint), "\(output)")
            } else {
                #expect(status == 0, "\(output)")
            }
        }

        /// Where SwiftPM puts what it builds, the test bundle among it.
        private func productsDirectory() throws -> String {
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = try systemCall("readlink /proc/self/exe") {
                readlink("/proc/self/exe", &buffer, buffer.count)
            }
            let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
        }
    }
#endif
