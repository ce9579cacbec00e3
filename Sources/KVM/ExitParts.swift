import CKVM

// Each of these lends a part of the run page, and is itself only lent with its exit.

/// A guest's read of a port, or several reads at once: a string instruction (`rep ins`) may want many values, one after
/// the other, all from the same port.
@safe
public struct PortRead: ~Copyable {
    public let port: UInt16
    /// Bytes of one value: 1, 2 or 4.
    public let size: Int
    /// How many values, 1 but for string instructions.
    public let count: Int
    @usableFromInline let start: UnsafeMutableRawPointer

    @inlinable
    init(port: UInt16, size: Int, count: Int, start: UnsafeMutableRawPointer) {
        self.port = port
        self.size = size
        self.count = count
        unsafe self.start = start
    }

    /// Answers every read with this value, of which the low `size` bytes count.
    @inlinable
    public func fill(_ value: UInt64) {
        for index in 0..<count { unsafe LittleEndian.store(value, size, start + index * size) }
    }

    /// Answers one read of several.
    @inlinable
    public func fill(_ value: UInt64, at index: Int) {
        precondition(index >= 0 && index < count, "a value that was asked for")
        unsafe LittleEndian.store(value, size, start + index * size)
    }

    /// The place itself, of `size` × `count` bytes; it must not leave the closure.
    @inlinable
    public func withUnsafeBytes<Result>(_ body: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        unsafe body(UnsafeMutableRawBufferPointer(start: start, count: size * count))
    }
}

/// A guest's write to a port, or several writes at once: a string instruction (`rep outs`) may write many values, one
/// after the other, all to the same port.
@safe
public struct PortWrite: ~Copyable {
    public let port: UInt16
    /// Bytes of one value: 1, 2 or 4.
    public let size: Int
    /// How many values, 1 but for string instructions.
    public let count: Int
    @usableFromInline let start: UnsafeRawPointer

    @inlinable
    init(port: UInt16, size: Int, count: Int, start: UnsafeRawPointer) {
        self.port = port
        self.size = size
        self.count = count
        unsafe self.start = start
    }

    /// What is written, the first where there are several.
    @inlinable
    public var value: UInt32 { UInt32(truncatingIfNeeded: unsafe LittleEndian.load(size, start)) }

    /// One of several values.
    @inlinable
    public subscript(index: Int) -> UInt32 {
        precondition(index >= 0 && index < count, "a value that was written")
        return UInt32(truncatingIfNeeded: unsafe LittleEndian.load(size, start + index * size))
    }

    /// The bytes themselves, `size` × `count`; they must not leave the closure.
    @inlinable
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe body(UnsafeRawBufferPointer(start: start, count: size * count))
    }
}

/// A guest's read where there is no memory.
@safe
public struct MemoryRead: ~Copyable {
    /// The guest physical address.
    public let address: UInt64
    /// Bytes, 1 to 8.
    public let size: Int
    @usableFromInline let start: UnsafeMutableRawPointer

    @inlinable
    init(address: UInt64, size: Int, start: UnsafeMutableRawPointer) {
        self.address = address
        self.size = size
        unsafe self.start = start
    }

    /// Answers with this value, of which the low `size` bytes count.
    @inlinable
    public func fill(_ value: UInt64) { unsafe LittleEndian.store(value, size, start) }
}

/// A guest's call of the hypervisor.
@safe
public struct Hypercall: ~Copyable {
    private let payload: ExitPayload

    init(_ payload: consuming ExitPayload) { self.payload = payload }

    public var number: UInt64 { payload.word(0) }

    /// The arguments, 0 to 5.
    public subscript(index: Int) -> UInt64 {
        precondition(index >= 0 && index < 6, "an argument")
        return payload.word(1 + index)
    }

    /// What the guest gets.
    public func answer(_ result: UInt64) { payload.setWord(7, result) }
}

/// A guest's read of a model-specific register.
@safe
public struct MSRRead: ~Copyable {
    public let index: UInt32
    public let reason: MSRExitReason
    private let payload: ExitPayload

    init(index: UInt32, reason: MSRExitReason, _ payload: consuming ExitPayload) {
        self.index = index
        self.reason = reason
        self.payload = payload
    }

    /// Answers with this value.
    public func fill(_ value: UInt64) { payload.setWord(2, value) }

    /// Answers with a fault.
    public func refuse() { payload.store(UInt8(1), at: 0) }
}

/// A guest's write of a model-specific register.
@safe
public struct MSRWrite: ~Copyable {
    public let index: UInt32
    public let reason: MSRExitReason
    public let value: UInt64
    private let payload: ExitPayload

    init(index: UInt32, reason: MSRExitReason, value: UInt64, _ payload: consuming ExitPayload) {
        self.index = index
        self.reason = reason
        self.value = value
        self.payload = payload
    }

    /// Answers with a fault.
    public func refuse() { payload.store(UInt8(1), at: 0) }
}

/// Up to 16 words about an exit, whose meaning depends on the event or error, and on the kernel.
@safe
public struct ExitWords: ~Copyable {
    public let count: Int
    fileprivate let payload: ExitPayload

    init(count: Int, _ payload: consuming ExitPayload) {
        self.count = min(16, count)
        self.payload = payload
    }

    /// A word.
    public subscript(index: Int) -> UInt64 {
        precondition(index >= 0 && index < count, "one of the words")
        return payload.word(1 + index)
    }
}

/// Why KVM can't go on.
public struct InternalFailure: ~Copyable {
    public let error: InternalError
    public let words: ExitWords

    init(error: InternalError, count: Int, _ payload: consuming ExitPayload) {
        self.error = error
        words = ExitWords(count: count, payload)
    }

    /// With ``InternalError/emulation``, the instruction's bytes as far as they were read; empty when KVM does not say.
    public var instruction: [UInt8] {
        // Flags, of which bit 0 says that there are bytes; then their number and 15 of them.
        guard error == .emulation, words.count >= 3, words[0] & 1 == 1 else { return [] }
        let length = min(15, Int(words[1] & 0xff))
        return (0..<length).map { words.payload.load(UInt8.self, at: 17 + $0) }
    }
}

/// What a guest wants of its machine; of the words the first are flags.
public struct SystemEventExit: ~Copyable {
    public let event: SystemEvent
    public let words: ExitWords

    init(event: SystemEvent, count: Int, _ payload: consuming ExitPayload) {
        self.event = event
        words = ExitWords(count: count, payload)
    }
}

/// The 256 bytes of the run page that depend on the reason, laid out as the members of the union in `struct kvm_run`.
@safe
public struct ExitPayload: ~Copyable {
    /// The exit's `KVM_EXIT_*`.
    public let reason: UInt32
    private let start: UnsafeMutableRawPointer

    /// Bytes.
    public static var size: Int { Int(BH_KVM_PAYLOAD_SIZE) }

    init(_ page: UnsafeMutablePointer<kvm_run>) {
        reason = unsafe page.pointee.exit_reason
        unsafe start = UnsafeMutableRawPointer(page) + Int(BH_KVM_PAYLOAD_OFFSET)
    }

    /// What is at an offset.
    ///
    /// - Precondition: it lies within the 256 bytes.
    public func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: Int) -> Value {
        precondition(offset >= 0 && offset <= Self.size - MemoryLayout<Value>.size, "within the payload")
        return unsafe (start + offset).loadUnaligned(as: type)
    }

    /// Puts an answer at an offset.
    ///
    /// - Precondition: it lies within the 256 bytes.
    public func store<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
        precondition(offset >= 0 && offset <= Self.size - MemoryLayout<Value>.size, "within the payload")
        unsafe (start + offset).storeBytes(of: value, as: Value.self)
    }

    func word(_ index: Int) -> UInt64 { load(UInt64.self, at: 8 * index) }
    func setWord(_ index: Int, _ value: UInt64) { store(value, at: 8 * index) }
}

/// Values of 1 to 8 bytes, as x86 and arm64 put them into memory.
@usableFromInline
enum LittleEndian {
    @inlinable
    static func load(_ size: Int, _ start: UnsafeRawPointer) -> UInt64 {
        switch size {
        case 1: return UInt64(unsafe start.load(as: UInt8.self))
        case 2: return UInt64(unsafe start.loadUnaligned(as: UInt16.self))
        case 4: return UInt64(unsafe start.loadUnaligned(as: UInt32.self))
        case 8: return unsafe start.loadUnaligned(as: UInt64.self)
        default:
            var value: UInt64 = 0
            for index in 0..<min(8, size) {
                value |= UInt64(unsafe start.load(fromByteOffset: index, as: UInt8.self)) << UInt64(8 * index)
            }
            return value
        }
    }

    @inlinable
    static func store(_ value: UInt64, _ size: Int, _ start: UnsafeMutableRawPointer) {
        switch size {
        case 1: unsafe start.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
        case 2: unsafe start.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
        case 4: unsafe start.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
        case 8: unsafe start.storeBytes(of: value, as: UInt64.self)
        default:
            for index in 0..<min(8, size) {
                unsafe start.storeBytes(
                    of: UInt8(truncatingIfNeeded: value >> UInt64(8 * index)), toByteOffset: index, as: UInt8.self)
            }
        }
    }
}
