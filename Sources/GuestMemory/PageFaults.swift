import CGuestMemory
import Linux

/// The page faults of a guest's memory, which another process answers; `userfaultfd(2)`.
public struct PageFaults: ~Copyable, Sendable {
    /// What the other process needs. While it is open here, too, nobody who waits for a page reads zeros instead, whatever
    /// becomes of that process.
    public let descriptor: Descriptor

    /// Takes over the faults of all regions, whose pages are not there yet.
    ///
    /// - Throws: `EPERM` where the user may not take faults of the kernel's own accesses, as KVM's are: who has neither
    ///   `CAP_SYS_PTRACE` nor `/dev/userfaultfd`; `ENOSYS`.
    public init(of memory: GuestMemory) throws(SystemError) {
        let made = Descriptor(owning: try systemCall("userfaultfd") { bh_userfault_make() })
        let number = made.rawValue
        for index in 0..<memory.regionCount {
            try memory.withRegion(index) { (region: borrowing GuestRegion) throws(SystemError) in
                _ = try systemCall("take over the page faults of \(region.size) bytes") {
                    unsafe bh_userfault_register(number, region.hostAddress, Int(region.size))
                }
            }
        }
        descriptor = made
    }
}
