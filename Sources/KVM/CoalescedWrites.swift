import CKVM
import Linux
import Synchronization

extension VirtualMachine {
    /// Has the kernel keep a guest's writes to these addresses instead of leaving ``VCPU/run(_:)`` with each:
    /// ``CoalescedWrites`` gives them out. Without room for more (for 85 at least, on hosts with pages of 4 KiB) they come
    /// as ``Exit/memoryWrite(address:size:value:)`` all the same; `KVM_REGISTER_COALESCED_MMIO`, `KVM_CAP_COALESCED_MMIO`.
    ///
    /// - Throws: `ENOSPC` where the machine has a thousand places of this and other kinds.
    public func keepWrites(at address: UInt64, size: UInt32) throws(SystemError) {
        try descriptor.control(
            .registerCoalesced, from: Self.zone(address, size), "keep writes to 0x\(String(address, radix: 16))")
    }

    /// Ends what ``keepWrites(at:size:)`` began, said in the same numbers; no error where it was not begun.
    public func stopKeepingWrites(at address: UInt64, size: UInt32) throws(SystemError) {
        try descriptor.control(
            .unregisterCoalesced, from: Self.zone(address, size),
            "no longer keep writes to 0x\(String(address, radix: 16))")
    }

    private static func zone(_ address: UInt64, _ size: UInt32) -> kvm_coalesced_mmio_zone {
        var zone = kvm_coalesced_mmio_zone()
        zone.addr = address
        zone.size = size
        return zone
    }
}

extension VCPU {
    /// The writes that the kernel keeps for this vCPU's machine: all vCPUs share them.
    ///
    /// - Throws: `ENOTSUP` where the host keeps none.
    public func coalescedWrites(of machine: borrowing VirtualMachine) throws(SystemError) -> CoalescedWrites {
        let page = Int(bh_kvm_page_size())
        // The capability's value is the ring's page in what a vCPU maps.
        let offset = Int(try machine.value(of: .coalescedMMIO)) * page
        guard offset > 0, offset + page <= runPage.size else {
            throw SystemError("use KVM_CAP_COALESCED_MMIO", .notSupported)
        }
        return unsafe CoalescedWrites(
            runPage,
            (UnsafeMutableRawPointer(runPage.page) + offset).assumingMemoryBound(to: kvm_coalesced_mmio_ring.self))
    }
}

/// Guests' writes that the kernel keeps, in the order in which they were made; `struct kvm_coalesced_mmio_ring`.
@safe
public final class CoalescedWrites: @unchecked Sendable {
    private let runPage: RunPage
    private let ring: UnsafeMutablePointer<kvm_coalesced_mmio_ring>
    private let turn = Mutex<Void>(())
    private let most = bh_kvm_most_writes()

    fileprivate init(_ runPage: RunPage, _ ring: UnsafeMutablePointer<kvm_coalesced_mmio_ring>) {
        self.runPage = runPage
        unsafe self.ring = unsafe ring
    }

    /// Takes all writes that are there. On return each of them was shown to `body`, or to the `body` of another thread's
    /// call, which has returned.
    ///
    /// - Parameter body: must not call this again.
    public func take(_ body: (_ address: UInt64, _ size: Int, _ value: UInt64) -> Void) {
        // A write leaves the ring after it was shown, so an empty one needs no turn.
        guard unsafe bh_kvm_first_write(ring) != nil else { return }
        turn.withLock { _ in
            // No more than can be there now: a guest may write all the time.
            for _ in 0..<most {
                guard let write = unsafe bh_kvm_first_write(ring) else { return }
                let (address, size) = unsafe (write.pointee.phys_addr, Int(min(write.pointee.len, 8)))
                let value = unsafe withUnsafeBytes(of: write.pointee.data) {
                    unsafe LittleEndian.load(size, $0.baseAddress!)
                }
                body(address, size, value)
                unsafe bh_kvm_drop_write(ring)
            }
        }
    }
}
