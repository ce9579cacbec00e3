/// How far a driver is with its device; virtio 1.2, section 2.1.
public struct DeviceStatus: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The guest noticed the device.
    public static let acknowledge = DeviceStatus(rawValue: 1)
    /// The guest knows how to drive it.
    public static let driver = DeviceStatus(rawValue: 2)
    /// The driver is ready: the device may work.
    public static let driverOK = DeviceStatus(rawValue: 4)
    /// Both sides agree on the features.
    public static let featuresOK = DeviceStatus(rawValue: 8)
    /// The device met something from which only a reset leads.
    public static let needsReset = DeviceStatus(rawValue: 64)
    /// The driver gave up.
    public static let failed = DeviceStatus(rawValue: 128)
}
