import CKVM
import Linux
import Synchronization

/// Slots of guest memory in the hands of one part of a machine, which shows and takes memory while the guest runs.
///
/// It has a descriptor of the machine of its own, so it may outlive the ``VirtualMachine``; then nobody sees the memory.
public final class MemorySlots: Sendable {
    private let machine: Descriptor
    private let book: SlotBook

    fileprivate init(_ machine: consuming Descriptor, _ book: SlotBook) {
        self.machine = machine
        self.book = book
    }

    /// As ``VirtualMachine/setMemory(slot:at:_:flags:)``.
    public func set(
        _ slot: UInt32, at guestAddress: UInt64, _ memory: UnsafeMutableRawBufferPointer, flags: MemoryFlags = []
    ) throws(SystemError) {
        try unsafe book.set(slot, at: guestAddress, memory, flags, on: machine)
    }

    /// As ``VirtualMachine/removeMemory(slot:)``.
    public func remove(_ slot: UInt32) throws(SystemError) { try book.remove(slot, on: machine) }
}

extension VirtualMachine {
    /// The machine's slots for a part of it that keeps them; which of them are whose is the caller's to say.
    public func memorySlots() throws(SystemError) -> MemorySlots { MemorySlots(try descriptor.duplicate(), slots) }
}

/// The memory slots of a machine that are in use.
final class SlotBook: Sendable {
    /// Bytes of each: the kernel writes a dirty log as long as its slot, whatever room there is.
    let sizes = Mutex<[UInt32: UInt64]>([:])

    func set(
        _ slot: UInt32, at guestAddress: UInt64, _ memory: UnsafeMutableRawBufferPointer, _ flags: MemoryFlags,
        on machine: borrowing Descriptor
    ) throws(SystemError) {
        let region = kvm_userspace_memory_region(
            slot: slot, flags: flags.rawValue, guest_phys_addr: guestAddress, memory_size: UInt64(memory.count),
            userspace_addr: UInt64(UInt(bitPattern: memory.baseAddress)))
        let size = region.memory_size
        let operation = Self.setting(slot, guestAddress, size)
        // An empty region would remove the slot.
        guard size > 0 else { throw SystemError(operation, .invalidArgument) }
        try change(slot, to: size, on: machine) { (machine) throws(SystemError) in
            try machine.control(.setMemoryRegion, from: region, operation)
        }
    }

    func remove(_ slot: UInt32, on machine: borrowing Descriptor) throws(SystemError) {
        var region = kvm_userspace_memory_region()
        region.slot = slot
        let filled = region
        try change(slot, to: nil, on: machine) { (machine) throws(SystemError) in
            try machine.control(.setMemoryRegion, from: filled, "remove memory slot \(slot)")
        }
    }

    static func setting(_ slot: UInt32, _ address: UInt64, _ size: UInt64) -> String {
        "set memory slot \(slot), \(size) bytes at 0x\(String(address, radix: 16))"
    }

    /// - Parameter size: of the slot afterwards; nil where it is gone.
    func change(
        _ slot: UInt32, to size: UInt64?, on machine: borrowing Descriptor,
        _ call: (borrowing Descriptor) throws(SystemError) -> Void
    ) throws(SystemError) {
        try sizes.withLock { (sizes) throws(SystemError) in
            try call(machine)
            sizes[slot] = size
        }
    }
}
