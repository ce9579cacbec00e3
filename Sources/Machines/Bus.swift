/// What answers a guest's accesses to ports, or to addresses without memory. It is called from any vCPU's thread.
public protocol BusDevice: AnyObject, Sendable {
    /// A guest's read.
    ///
    /// - Parameters:
    ///   - offset: from where the device begins.
    ///   - width: 1, 2, 4 or 8 bytes; they are the device's.
    /// - Returns: the value, in its lowest `width` bytes.
    func read(_ offset: UInt64, width: Int) -> UInt64
    /// A guest's write.
    func write(_ offset: UInt64, _ value: UInt64, width: Int)
}

/// The devices of an address space, each in a range of its own. It does not change once a machine runs.
public struct Bus: Sendable {
    /// Why a device has no place.
    public enum Refusal: Error, Hashable, Sendable {
        /// Another one is there.
        case overlap(start: UInt64, size: UInt64)
        /// A range without bytes, or past the end of the space.
        case badRange(start: UInt64, size: UInt64)
    }

    private struct Place {
        let start: UInt64
        let size: UInt64
        let device: any BusDevice
    }

    // Sorted by address. A machine has some twenty.
    private var places: [Place] = []

    public init() {}

    /// Puts a device into a range.
    ///
    /// - Throws: ``Refusal``; the bus is as it was then.
    public mutating func attach(_ device: any BusDevice, at start: UInt64, size: UInt64) throws(Refusal) {
        let (last, overflow) = start.addingReportingOverflow(size &- 1)
        guard size > 0, !overflow else { throw .badRange(start: start, size: size) }
        for place in places where place.start <= last && start <= place.start + (place.size - 1) {
            throw .overlap(start: place.start, size: place.size)
        }
        let index = places.firstIndex { $0.start > start } ?? places.count
        places.insert(Place(start: start, size: size, device: device), at: index)
    }

    /// A guest's read. All bits are set where nothing answers, as on a bus that nobody drives.
    public func read(_ address: UInt64, width: Int) -> UInt64 {
        guard let index = find(address, width) else { return .max }
        return places[index].device.read(address - places[index].start, width: width)
    }

    /// A guest's write; it is lost where nothing takes it.
    public func write(_ address: UInt64, _ value: UInt64, width: Int) {
        guard let index = find(address, width) else { return }
        places[index].device.write(address - places[index].start, value, width: width)
    }

    /// The device that has all bytes of an access.
    private func find(_ address: UInt64, _ width: Int) -> Int? {
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            if places[middle].start > address { high = middle } else { low = middle + 1 }
        }
        guard low > 0 else { return nil }
        let offset = address - places[low - 1].start
        let size = places[low - 1].size
        return offset < size && UInt64(width) <= size - offset ? low - 1 : nil
    }
}

extension Bus.Refusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .overlap(let start, let size): "a device with \(size) bytes at 0x\(String(start, radix: 16)) is there"
        case .badRange(let start, let size): "\(size) bytes at 0x\(String(start, radix: 16)) are no range of addresses"
        }
    }
}
