#if arch(x86_64)
    /// The general registers; `struct kvm_regs`.
    public struct Registers: Hashable, Sendable, BitwiseCopyable {
        public var rax: UInt64 = 0
        public var rbx: UInt64 = 0
        public var rcx: UInt64 = 0
        public var rdx: UInt64 = 0
        public var rsi: UInt64 = 0
        public var rdi: UInt64 = 0
        public var rsp: UInt64 = 0
        public var rbp: UInt64 = 0
        public var r8: UInt64 = 0
        public var r9: UInt64 = 0
        public var r10: UInt64 = 0
        public var r11: UInt64 = 0
        public var r12: UInt64 = 0
        public var r13: UInt64 = 0
        public var r14: UInt64 = 0
        public var r15: UInt64 = 0
        public var rip: UInt64 = 0
        /// Bit 1 is always set in a processor.
        public var rflags: UInt64 = 2

        public init() {}
    }

    /// A segment register with what the processor knows of its segment; `struct kvm_segment`.
    public struct Segment: Hashable, Sendable, BitwiseCopyable {
        public var base: UInt64 = 0
        /// The last byte's offset, in bytes whatever the granularity is.
        public var limit: UInt32 = 0
        public var selector: UInt16 = 0
        /// The four type bits of a descriptor.
        public var type: UInt8 = 0
        public var present: UInt8 = 0
        /// The privilege level, 0 to 3.
        public var dpl: UInt8 = 0
        /// 1 for 32-bit operands and stack.
        public var db: UInt8 = 0
        /// 0 for a system segment, 1 for code and data.
        public var s: UInt8 = 0
        /// 1 for 64-bit code.
        public var l: UInt8 = 0
        /// 1 for a limit that its descriptor counts in pages.
        public var g: UInt8 = 0
        public var avl: UInt8 = 0
        public var unusable: UInt8 = 0
        private var padding: UInt8 = 0

        public init() {}

        /// Code from address 0 to the end, readable.
        ///
        /// - Parameters:
        ///   - selector: what the segment register holds.
        ///   - bits: 16, 32 or 64.
        ///   - ring: 0 to 3.
        public static func code(selector: UInt16, bits: Int, ring: UInt8 = 0) -> Segment {
            flat(selector, type: 11, bits, ring)
        }

        /// Data from address 0 to the end, writable.
        public static func data(selector: UInt16, bits: Int, ring: UInt8 = 0) -> Segment {
            // What 64-bit code has as its data segments are 32-bit ones.
            flat(selector, type: 3, bits == 64 ? 32 : bits, ring)
        }

        private static func flat(_ selector: UInt16, type: UInt8, _ bits: Int, _ ring: UInt8) -> Segment {
            var segment = Segment()
            segment.limit = .max
            segment.selector = selector
            segment.type = type
            segment.present = 1
            segment.dpl = ring
            segment.db = bits == 32 ? 1 : 0
            segment.s = 1
            segment.l = bits == 64 ? 1 : 0
            segment.g = 1
            return segment
        }
    }

    /// Where the global or the interrupt descriptor table is; `struct kvm_dtable`.
    public struct DescriptorTable: Hashable, Sendable, BitwiseCopyable {
        public var base: UInt64 = 0
        /// The last byte's offset.
        public var limit: UInt16 = 0
        private var padding0: UInt16 = 0
        private var padding1: UInt32 = 0

        public init(base: UInt64 = 0, limit: UInt16 = 0) {
            self.base = base
            self.limit = limit
        }
    }

    /// Segments, control registers and the like; `struct kvm_sregs`.
    public struct SpecialRegisters: Hashable, Sendable, BitwiseCopyable {
        public var cs = Segment()
        public var ds = Segment()
        public var es = Segment()
        public var fs = Segment()
        public var gs = Segment()
        public var ss = Segment()
        public var tr = Segment()
        public var ldt = Segment()
        public var gdt = DescriptorTable()
        public var idt = DescriptorTable()
        public var cr0: UInt64 = 0
        public var cr2: UInt64 = 0
        public var cr3: UInt64 = 0
        public var cr4: UInt64 = 0
        public var cr8: UInt64 = 0
        public var efer: UInt64 = 0
        public var apicBase: UInt64 = 0
        /// A bit for the one interrupt that was accepted and not yet delivered, of 256 in four words.
        public var pendingInterrupt0: UInt64 = 0
        public var pendingInterrupt1: UInt64 = 0
        public var pendingInterrupt2: UInt64 = 0
        public var pendingInterrupt3: UInt64 = 0

        public init() {}
    }
#endif
