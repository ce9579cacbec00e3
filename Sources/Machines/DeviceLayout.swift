/// In which places a machine's virtio devices are. A device has its place as long as it is there; what went has left a gap.
struct DeviceLayout: Hashable, Sendable {
    /// How many places there are.
    var count: Int
    /// The place of each device.
    var places: [Int]

    init(count: Int, places: some Sequence<Int>) {
        self.count = count
        self.places = Array(places)
    }

    /// Whether these are places for so many devices, each in one of its own.
    func isSound(_ devices: Int) -> Bool {
        count <= AddressMap.mostDevices && places.count == devices && Set(places).count == devices
            && places.allSatisfy { (0..<count).contains($0) }
    }
}
