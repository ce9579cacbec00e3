/// What a debugger asks for, read from a packet's body. What is not known is ``unknown``, which is answered by an empty
/// packet, so that the debugger does without.
enum GDBCommand: Hashable {
    /// Why the guest stands still.
    case why
    case readRegisters
    case writeRegisters([UInt8])
    case readRegister(Int)
    case writeRegister(Int, [UInt8])
    case readMemory(UInt64, count: Int)
    case writeMemory(UInt64, [UInt8])
    /// Goes on: the thread that takes one step, if one does, or all.
    case resume(stepping: Stepping?, at: UInt64?)
    case insert(Breakpoint)
    case remove(Breakpoint)
    /// Whose registers the following commands mean; 0 and -1 leave the choice.
    case select(thread: Int)
    case selectForResume(thread: Int)
    case isAlive(thread: Int)
    case supported
    case readDescription(offset: Int, count: Int)
    case firstThreads, moreThreads, currentThread
    case threadText(thread: Int)
    case isAttached
    case stopAcknowledging
    case resumeActions
    case detach, kill
    case unknown

    /// Which thread takes one step.
    enum Stepping: Hashable {
        /// The one that was selected, or stopped last.
        case selected
        case thread(Int)
    }

    /// A place where the guest is to stop.
    struct Breakpoint: Hashable {
        enum Kind: Int {
            /// An instruction that is written into the guest.
            case software = 0
            /// The processor's own.
            case hardware = 1
        }

        var kind: Kind
        var address: UInt64
        /// Of the instruction, as the debugger says; one byte is enough here.
        var size: Int
    }

    init(_ body: [UInt8]) {
        var rest = Cursor(body[...])
        self = Self.parse(&rest) ?? .unknown
    }

    private static func parse(_ rest: inout Cursor) -> GDBCommand? {
        switch rest.character() {
        case "?": return .why
        case "g": return .readRegisters
        case "G": return GDBPacket.bytes(rest.bytes).map { .writeRegisters($0) }
        case "p": return rest.count().map { .readRegister($0) }
        case "P":
            guard let index = rest.count(), rest.skip("="), let value = GDBPacket.bytes(rest.bytes) else { return nil }
            return .writeRegister(index, value)
        case "m":
            guard let address = rest.number(), rest.skip(","), let count = rest.count() else { return nil }
            return .readMemory(address, count: count)
        case "M", "X":
            let isBinary = rest.whole.first == UInt8(ascii: "X")
            guard let address = rest.number(), rest.skip(","), let count = rest.count(), rest.skip(":"),
                let bytes = isBinary ? Array(rest.bytes) : GDBPacket.bytes(rest.bytes), bytes.count == count
            else { return nil }
            return .writeMemory(address, bytes)
        case "c": return .resume(stepping: nil, at: rest.number())
        case "s": return .resume(stepping: .selected, at: rest.number())
        // With a signal, of which a guest has none.
        case "C", "S":
            let isStep = rest.whole.first == UInt8(ascii: "S")
            guard rest.number() != nil else { return nil }
            return .resume(stepping: isStep ? .selected : nil, at: rest.skip(";") ? rest.number() : nil)
        case "Z": return breakpoint(&rest).map { .insert($0) }
        case "z": return breakpoint(&rest).map { .remove($0) }
        case "H":
            let use = rest.character()
            guard let thread = rest.thread() else { return nil }
            return use == "g" ? .select(thread: thread) : use == "c" ? .selectForResume(thread: thread) : nil
        case "T": return rest.thread().map { .isAlive(thread: $0) }
        case "D": return .detach
        case "k": return .kill
        case "q", "Q", "v": return named(String(decoding: rest.whole, as: UTF8.self))
        default: return nil
        }
    }

    private static func breakpoint(_ rest: inout Cursor) -> Breakpoint? {
        guard let number = rest.count(), let kind = Breakpoint.Kind(rawValue: number), rest.skip(","),
            let address = rest.number(), rest.skip(","), let size = rest.count()
        else { return nil }
        return Breakpoint(kind: kind, address: address, size: size)
    }

    private static func named(_ text: String) -> GDBCommand? {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false)
        switch parts.removeFirst() {
        case "qSupported": return .supported
        case "qXfer":
            guard parts.count == 4, parts[0] == "features", parts[1] == "read", parts[2] == "target.xml" else {
                return nil
            }
            let range = parts[3].split(separator: ",", omittingEmptySubsequences: false)
            guard range.count == 2, let offset = Int(range[0], radix: 16), let count = Int(range[1], radix: 16),
                offset >= 0, count >= 0
            else { return nil }
            return .readDescription(offset: offset, count: count)
        case "qfThreadInfo": return .firstThreads
        case "qsThreadInfo": return .moreThreads
        case "qC": return .currentThread
        case "qAttached": return .isAttached
        case "QStartNoAckMode": return .stopAcknowledging
        case "vCont?": return .resumeActions
        case "vCont": return nil
        case "vKill": return .kill
        case let name where name.hasPrefix("vKill;"): return .kill
        case let name where name.hasPrefix("qThreadExtraInfo,"):
            return Int(name.dropFirst("qThreadExtraInfo,".count), radix: 16).map { .threadText(thread: $0) }
        case let name where name.hasPrefix("vCont;"):
            return actions(([name] + parts).joined(separator: ":").dropFirst("vCont;".count))
        default: return nil
        }
    }

    /// `vCont;action[:thread][;action…]`: each thread does the first that fits it. One that steps goes alone.
    private static func actions(_ text: Substring) -> GDBCommand? {
        var stepping: Stepping?
        for action in text.split(separator: ";") {
            let parts = action.split(separator: ":", maxSplits: 1)
            guard let kind = parts.first?.first, "cCsS".contains(kind) else { return nil }
            guard kind == "s" || kind == "S", stepping == nil else { continue }
            if parts.count == 2 {
                guard let thread = Int(parts[1], radix: 16) else { return nil }
                stepping = thread > 0 ? .thread(thread) : .selected
            } else {
                stepping = .selected
            }
        }
        return .resume(stepping: stepping, at: nil)
    }

    /// Reads a body from its beginning on.
    private struct Cursor {
        let whole: ArraySlice<UInt8>
        private(set) var bytes: ArraySlice<UInt8>

        init(_ body: ArraySlice<UInt8>) {
            whole = body
            bytes = body
        }

        mutating func character() -> Character? { bytes.popFirst().map { Character(Unicode.Scalar($0)) } }

        mutating func skip(_ character: Character) -> Bool {
            guard bytes.first == character.asciiValue else { return false }
            bytes.removeFirst()
            return true
        }

        /// A hexadecimal number of 64 bits, if there is one.
        mutating func number() -> UInt64? {
            var value: UInt64 = 0
            var digits = 0
            while let digit = bytes.first.flatMap(GDBPacket.digit) {
                guard digits < 16 else { return nil }
                value = value << 4 | UInt64(digit)
                digits += 1
                bytes.removeFirst()
            }
            return digits > 0 ? value : nil
        }

        mutating func count() -> Int? { number().flatMap { Int(exactly: $0) } }

        mutating func thread() -> Int? {
            if skip("-") { return count().map { -$0 } }
            return count()
        }
    }
}
