/// What a device is; virtio 1.2, section 5. A number newer than this library survives.
public struct DeviceType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let network = DeviceType(rawValue: 1)
    public static let block = DeviceType(rawValue: 2)
    public static let console = DeviceType(rawValue: 3)
    public static let entropy = DeviceType(rawValue: 4)
    public static let balloon = DeviceType(rawValue: 5)
    public static let vsock = DeviceType(rawValue: 19)
    public static let memory = DeviceType(rawValue: 24)
    public static let fileSystem = DeviceType(rawValue: 26)
    public static let persistentMemory = DeviceType(rawValue: 27)
}
