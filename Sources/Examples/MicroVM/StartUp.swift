import Glibc
import Linux

/// Gives the pages of this program's code back to the page cache: most of them have made the machine and are not needed to
/// run it. Those that are come back by themselves. A host with many machines has more room for guests by it.
///
/// What can't be done is left: it changes nothing but numbers.
func forgetStartUp() {
    guard let maps = try? readText("/proc/self/maps"),
        // The first mappings are the program itself.
        let code = maps.split(separator: "\n").prefix(4).first(where: { $0.contains(" r-xp ") }),
        let range = code.split(separator: " ").first?.split(separator: "-"), range.count == 2,
        let start = UInt(range[0], radix: 16), let end = UInt(range[1], radix: 16), start < end
    else { return }
    madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_DONTNEED)
}
