import CGuestMemory
import CVirtio
import Linux

/// What guests read of devices' registers, as memory: a page for each device.
///
/// A hypervisor that shows these pages to the guest in the registers' place, read-only (`KVM_MEM_READONLY`), has it read
/// them without leaving: only its writes come to ``MMIOTransport/write(_:_:width:)``.
@safe
public final class RegisterPages: @unchecked Sendable {
    /// How many.
    public let count: Int
    private let base: UnsafeMutableRawPointer
    /// For each page the causes of interrupts that no acknowledgement takes away.
    fileprivate let lasting: UnsafeMutablePointer<UInt32>

    /// Pages full of zeros, which is no device.
    ///
    /// - Throws: `ENOMEM`.
    public init(count: Int) throws(SystemError) {
        precondition(count > 0, "there is a page")
        let size = count * Int(MMIOTransport.size)
        let base = unsafe mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base = unsafe base, UInt(bitPattern: base) != .max else {
            throw SystemError("map \(count) pages of registers", .current)
        }
        self.count = count
        unsafe self.base = unsafe base
        unsafe lasting = .allocate(capacity: count)
        unsafe lasting.initialize(repeating: 0, count: count)
    }

    deinit {
        unsafe munmap(base, count * Int(MMIOTransport.size))
        unsafe lasting.deallocate()
    }

    /// All pages, one behind the other; mapped as long as this value is there.
    @unsafe
    public var memory: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: base, count: count * Int(MMIOTransport.size))
    }

    /// - Parameter index: below ``count``.
    public func page(_ index: Int) -> RegisterPage {
        precondition((0..<count).contains(index), "there are \(count) pages")
        return unsafe RegisterPage(of: self, base + index * Int(MMIOTransport.size), lasting + index)
    }
}

/// One of ``RegisterPages``.
@safe
public struct RegisterPage: @unchecked Sendable {
    private let pages: RegisterPages
    private let base: UnsafeMutableRawPointer
    private let lasting: UnsafeMutablePointer<UInt32>

    fileprivate init(
        of pages: RegisterPages, _ base: UnsafeMutableRawPointer, _ lasting: UnsafeMutablePointer<UInt32>
    ) {
        self.pages = pages
        unsafe self.base = unsafe base
        unsafe self.lasting = unsafe lasting
    }

    /// Makes it no device's again.
    public func clear() {
        unsafe bh_store_release_32(lasting, 0)
        unsafe bh_fill(base, 0, Int(MMIOTransport.size))
    }

    /// Causes of interrupts that are always shown: those of who can't say when there is one.
    var lastingCauses: InterruptCause {
        get { unsafe InterruptCause(rawValue: bh_load_acquire_32(lasting)) }
        nonmutating set {
            unsafe bh_store_release_32(lasting, newValue.rawValue)
            set(newValue.rawValue, in: .interruptStatus)
        }
    }

    /// The driver has handled what these bits say (``MMIORegister/interruptAcknowledge``); in any thread.
    public func acknowledge(_ bits: UInt32) { clear(bits & ~lastingCauses.rawValue, in: .interruptStatus) }

    /// What a guest reads: zero for what is no read of 1, 2, 4 or 8 bytes inside the page.
    func read(_ offset: UInt64, width: Int) -> UInt64 {
        guard offset < MMIOTransport.size, UInt64(clamping: width) <= MMIOTransport.size - offset else { return 0 }
        let place = unsafe base + Int(offset)
        switch width {
        case 1: return UInt64(unsafe bh_load_8(place))
        case 2: return UInt64(unsafe bh_load_16(place))
        case 4: return UInt64(unsafe bh_load_32(place))
        case 8: return unsafe bh_load_64(place)
        default: return 0
        }
    }

    subscript(register: MMIORegister) -> UInt32 {
        get { unsafe bh_load_acquire_32(place(register)) }
        nonmutating set { unsafe bh_store_release_32(place(register), newValue) }
    }

    func set(_ bits: UInt32, in register: MMIORegister) { unsafe bh_fetch_or_32(place(register), bits) }

    private func clear(_ bits: UInt32, in register: MMIORegister) { unsafe bh_fetch_and_32(place(register), ~bits) }

    /// Replaces the configuration space. A guest may read meanwhile: each aligned word is old or new.
    func setConfiguration(_ bytes: [UInt8]) {
        let start = Int(MMIORegister.configuration.rawValue)
        precondition(bytes.count <= Int(MMIOTransport.size) - start, "a configuration space ends with its page")
        for offset in stride(from: 0, to: bytes.count, by: 4) {
            var word: UInt32 = 0
            for index in offset..<min(offset + 4, bytes.count) {
                word |= UInt32(bytes[index]) << UInt32(8 * (index - offset))
            }
            unsafe bh_store_release_32(base + start + offset, word)
        }
    }

    @unsafe
    private func place(_ register: MMIORegister) -> UnsafeMutableRawPointer {
        precondition(register.rawValue % 4 == 0 && register.rawValue < MMIOTransport.size, "a register is in its page")
        return unsafe base + Int(register.rawValue)
    }
}
