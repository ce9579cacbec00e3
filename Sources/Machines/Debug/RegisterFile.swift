#if arch(x86_64)
    import KVM
    import Linux

    /// A processor's registers in the order in which a debugger is told of them.
    struct RegisterFile {
        private var general: Registers
        private var special: SpecialRegisters
        /// The processor's own area for `XSAVE`, whose first 512 bytes every x86-64 processor has; Intel's manual,
        /// volume 1, section 13.4.
        private var extended: ExtendedState
        private var changes: Changes = []

        private struct Changes: OptionSet {
            let rawValue: Int
            static let general = Changes(rawValue: 1)
            static let special = Changes(rawValue: 2)
            static let extended = Changes(rawValue: 4)
        }

        init(_ vcpu: borrowing VCPU) throws(SystemError) {
            general = try vcpu.registers()
            special = try vcpu.specialRegisters()
            extended = try vcpu.extendedState()
        }

        func store(_ vcpu: borrowing VCPU) throws(SystemError) {
            if changes.contains(.general) { try vcpu.setRegisters(general) }
            if changes.contains(.special) { try vcpu.setSpecialRegisters(special) }
            if changes.contains(.extended) { try vcpu.setExtendedState(extended) }
        }

        // MARK: - Values

        /// Where a register is.
        private enum Place: Sendable {
            case general(Field<Registers>)
            case selector(@Sendable (SpecialRegisters) -> UInt16)
            case base(Field<SpecialRegisters>)
            /// Bytes of the area for `XSAVE`, of which there may be fewer than the debugger thinks.
            case extended(Int, Int)
        }

        private struct Field<Whole>: Sendable {
            let get: @Sendable (Whole) -> UInt64
            let set: @Sendable (inout Whole, UInt64) -> Void
        }

        private struct Register: Sendable {
            var name: String
            var bytes: Int
            var type: String
            var place: Place
        }

        /// All bytes of all registers.
        var bytes: [UInt8] { Self.all.indices.flatMap { value($0)! } }

        /// One register's bytes; nil where there is none of this number.
        func value(_ index: Int) -> [UInt8]? {
            guard Self.all.indices.contains(index) else { return nil }
            let register = Self.all[index]
            var value: [UInt8] = []
            switch register.place {
            case .general(let field): value.add(field.get(general))
            case .selector(let get): value.add(get(special))
            case .base(let field): value.add(field.get(special))
            case .extended(let offset, let count): value = Array(extended.bytes[offset..<offset + count])
            }
            return Array((value + [UInt8](repeating: 0, count: 16)).prefix(register.bytes))
        }

        /// Changes one register.
        ///
        /// - Returns: false for one that is not there or has another size, and for a segment's selector, which is not
        ///   all that there is to a segment.
        mutating func set(_ index: Int, _ bytes: [UInt8]) -> Bool {
            guard Self.all.indices.contains(index), bytes.count == Self.all[index].bytes else { return false }
            if value(index) == bytes { return true }
            let value = (bytes + [UInt8](repeating: 0, count: 8)).load(UInt64.self, at: 0)
            switch Self.all[index].place {
            case .general(let field):
                field.set(&general, value)
                changes.insert(.general)
            case .selector: return false
            case .base(let field):
                field.set(&special, value)
                changes.insert(.special)
            case .extended(let offset, let count):
                extended.bytes.replaceSubrange(offset..<offset + count, with: bytes.prefix(count))
                // Otherwise the processor takes what is there for zeros: x87 is bit 0 of the area's header, SSE bit 1.
                extended.bytes[512] |= 0b11
                changes.insert(.extended)
            }
            return true
        }

        /// Changes all registers, from what ``bytes`` has.
        mutating func set(all bytes: [UInt8]) -> Bool {
            var offset = 0
            for (index, register) in Self.all.enumerated() {
                guard offset + register.bytes <= bytes.count else { return false }
                // A selector that did not change is no harm.
                guard set(index, Array(bytes[offset..<offset + register.bytes])) else { return false }
                offset += register.bytes
            }
            return true
        }

        var instruction: UInt64 {
            get { general.rip }
            set {
                general.rip = newValue
                changes.insert(.general)
            }
        }

        // MARK: - Description

        private static let core: [Register] = {
            let names: [(String, Field<Registers>)] = [
                ("rax", Field(get: { $0.rax }, set: { $0.rax = $1 })),
                ("rbx", Field(get: { $0.rbx }, set: { $0.rbx = $1 })),
                ("rcx", Field(get: { $0.rcx }, set: { $0.rcx = $1 })),
                ("rdx", Field(get: { $0.rdx }, set: { $0.rdx = $1 })),
                ("rsi", Field(get: { $0.rsi }, set: { $0.rsi = $1 })),
                ("rdi", Field(get: { $0.rdi }, set: { $0.rdi = $1 })),
                ("rbp", Field(get: { $0.rbp }, set: { $0.rbp = $1 })),
                ("rsp", Field(get: { $0.rsp }, set: { $0.rsp = $1 })),
                ("r8", Field(get: { $0.r8 }, set: { $0.r8 = $1 })),
                ("r9", Field(get: { $0.r9 }, set: { $0.r9 = $1 })),
                ("r10", Field(get: { $0.r10 }, set: { $0.r10 = $1 })),
                ("r11", Field(get: { $0.r11 }, set: { $0.r11 = $1 })),
                ("r12", Field(get: { $0.r12 }, set: { $0.r12 = $1 })),
                ("r13", Field(get: { $0.r13 }, set: { $0.r13 = $1 })),
                ("r14", Field(get: { $0.r14 }, set: { $0.r14 = $1 })),
                ("r15", Field(get: { $0.r15 }, set: { $0.r15 = $1 })),
                ("rip", Field(get: { $0.rip }, set: { $0.rip = $1 })),
            ]
            var all = names.map { name, field in
                let type = name == "rip" ? "code_ptr" : name == "rbp" || name == "rsp" ? "data_ptr" : "int64"
                return Register(name: name, bytes: 8, type: type, place: .general(field))
            }
            all.append(
                Register(
                    name: "eflags", bytes: 4, type: "i386_eflags",
                    place: .general(Field(get: { $0.rflags }, set: { $0.rflags = $1 }))))
            let segments: [(String, @Sendable (SpecialRegisters) -> UInt16)] = [
                ("cs", { $0.cs.selector }),
                ("ss", { $0.ss.selector }),
                ("ds", { $0.ds.selector }),
                ("es", { $0.es.selector }),
                ("fs", { $0.fs.selector }),
                ("gs", { $0.gs.selector }),
            ]
            all += segments.map { Register(name: $0.0, bytes: 4, type: "int32", place: .selector($0.1)) }
            all += (0..<8).map {
                Register(name: "st\($0)", bytes: 10, type: "i387_ext", place: .extended(32 + 16 * $0, 10))
            }
            // Offsets and bytes of the area; of the tags it has one bit of two, of a selector nothing in 64-bit mode.
            for (name, offset, count) in [
                ("fctrl", 0, 2), ("fstat", 2, 2), ("ftag", 4, 1), ("fiseg", 12, 2), ("fioff", 8, 4), ("foseg", 20, 2),
                ("fooff", 16, 4), ("fop", 6, 2),
            ] { all.append(Register(name: name, bytes: 4, type: "int", place: .extended(offset, count))) }
            return all
        }()

        private static let vectors: [Register] =
            (0..<16).map {
                Register(name: "xmm\($0)", bytes: 16, type: "uint128", place: .extended(160 + 16 * $0, 16))
            } + [Register(name: "mxcsr", bytes: 4, type: "int", place: .extended(24, 4))]

        private static let bases: [Register] = [
            Register(
                name: "fs_base", bytes: 8, type: "int64",
                place: .base(Field(get: { $0.fs.base }, set: { $0.fs.base = $1 }))),
            Register(
                name: "gs_base", bytes: 8, type: "int64",
                place: .base(Field(get: { $0.gs.base }, set: { $0.gs.base = $1 }))),
        ]

        private static let all = core + vectors + bases

        /// What a debugger reads to know the registers: "Target Descriptions" in GDB's manual.
        static let description: [UInt8] = {
            func feature(_ name: String, _ registers: [Register], _ types: String = "") -> String {
                "<feature name=\"org.gnu.gdb.i386.\(name)\">\(types)"
                    + registers.map {
                        "<reg name=\"\($0.name)\" bitsize=\"\(8 * $0.bytes)\" type=\"\($0.type)\"/>"
                    }.joined() + "</feature>"
            }
            let flags = [
                ("CF", 0), ("PF", 2), ("AF", 4), ("ZF", 6), ("SF", 7), ("TF", 8), ("IF", 9), ("DF", 10), ("OF", 11),
                ("NT", 14), ("RF", 16), ("VM", 17), ("AC", 18), ("VIF", 19), ("VIP", 20), ("ID", 21),
            ].map { "<field name=\"\($0.0)\" start=\"\($0.1)\" end=\"\($0.1)\"/>" }.joined()
            let text =
                "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">"
                + "<architecture>i386:x86-64</architecture>"
                + feature("core", core, "<flags id=\"i386_eflags\" size=\"4\">\(flags)</flags>")
                + feature("sse", vectors) + feature("segments", bases) + "</target>"
            return Array(text.utf8)
        }()
    }
#endif
