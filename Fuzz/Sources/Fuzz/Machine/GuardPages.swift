import Glibc
import GuestMemory

/// Puts pages before and behind a region that nobody may touch, where nothing is mapped yet.
func guardPages(_ region: borrowing GuestRegion) {
    // MAP_FIXED_NOREPLACE.
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | 0x10_0000
    for address in [region.hostAddress - 0x10000, region.hostAddress + Int(region.size)] {
        _ = mmap(address, 0x10000, PROT_NONE, flags, -1, 0)
    }
}
