import CLinux
import Linux

/// A size of huge pages, as interface files name it: `2MB`, `1GB`, `64KB`.
public struct HugePageSize: Hashable, Sendable, LosslessStringConvertible {
    /// Bytes, a power of two.
    public let bytes: UInt64

    public init(bytes: UInt64) { self.bytes = bytes }

    /// Reads the kernel's notation: a number and `KB`, `MB` or `GB`.
    public init?(_ text: String) {
        guard text.count > 2, let number = UInt64(text.dropLast(2)), number > 0 else { return nil }
        let shift: UInt64
        switch text.suffix(2) {
        case "KB": shift = 10
        case "MB": shift = 20
        case "GB": shift = 30
        default: return nil
        }
        let (bytes, overflows) = number.multipliedReportingOverflow(by: 1 << shift)
        if overflows { return nil }
        self.init(bytes: bytes)
    }

    public var description: String {
        if bytes >= 1 << 30 { return "\(bytes >> 30)GB" }
        if bytes >= 1 << 20 { return "\(bytes >> 20)MB" }
        return "\(bytes >> 10)KB"
    }

    /// The sizes that this machine has; `/sys/kernel/mm/hugepages`.
    public static func available() -> [HugePageSize] {
        guard let folder = try? Descriptor.open("/sys/kernel/mm/hugepages", [.readOnly, .directory]),
            let names = try? subdirectories(of: folder.rawValue)
        else { return [] }
        return names.compactMap { name in
            guard name.hasPrefix("hugepages-"), name.hasSuffix("kB") else { return nil }
            return UInt64(name.dropFirst(10).dropLast(2)).map { HugePageSize(bytes: $0 << 10) }
        }.sorted { $0.bytes < $1.bytes }
    }
}

extension InterfaceFile where Value == Limit {
    /// Bytes of huge pages in use; `hugetlb.SIZE.max`.
    public static func hugePagesMax(_ size: HugePageSize) -> Self { Self("hugetlb.\(size).max") }
    /// Bytes of huge pages promised to mappings; `hugetlb.SIZE.rsvd.max`, since Linux 5.7.
    public static func hugePageReservationMax(_ size: HugePageSize) -> Self { Self("hugetlb.\(size).rsvd.max") }
}

/// A limit on huge pages of one size.
public struct HugePageLimit: Hashable, Sendable {
    public var size: HugePageSize
    /// Bytes. A fault past it gets SIGBUS.
    public var max: Limit
    /// Bytes promised to mappings; `mmap` past it fails, which a program can handle. By default ``max``; where the
    /// kernel does not have it, ``max`` alone holds.
    public var reservationMax: Limit?

    public init(size: HugePageSize, max: Limit, reservationMax: Limit? = nil) {
        self.size = size
        self.max = max
        self.reservationMax = reservationMax
    }

    func appendSettings(to settings: inout [Setting]) {
        settings.append(.hugePagesMax(size), max)
        settings.append(
            .hugePageReservationMax(size), reservationMax ?? max, ifAbsent: reservationMax == nil ? .skip : .fail)
    }
}

/// Huge pages of one size.
public struct HugePageStatistics: Hashable, Sendable {
    public var size: HugePageSize
    /// Bytes in use.
    public var current: UInt64
    /// Bytes promised to mappings.
    public var reserved: UInt64?
    public var max: Limit
    /// Times the limit refused a page; `hugetlb.SIZE.events`.
    public var refusals: UInt64
}

extension Cgroup {
    /// Huge pages in use, for each size that this machine has.
    ///
    /// - Parameter sizes: the sizes asked for; looking up what the machine has takes a directory listing.
    public func hugePageStatistics(
        sizes: [HugePageSize] = HugePageSize.available()
    ) throws(CgroupError) -> [HugePageStatistics] {
        var result: [HugePageStatistics] = []
        for size in sizes {
            result.append(
                HugePageStatistics(
                    size: size, current: try get(InterfaceFile("hugetlb.\(size).current")),
                    reserved: try getIfPresent(InterfaceFile("hugetlb.\(size).rsvd.current")),
                    max: try get(.hugePagesMax(size)),
                    refusals: try counters("hugetlb.\(size).events")["max"] ?? 0))
        }
        return result
    }
}
