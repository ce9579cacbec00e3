/// The registers of a virtio device over MMIO, by their offset; virtio 1.2, section 4.2.2.
public struct MMIORegister: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt64
    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let magicValue = MMIORegister(rawValue: 0x000)
    public static let version = MMIORegister(rawValue: 0x004)
    public static let deviceID = MMIORegister(rawValue: 0x008)
    public static let vendorID = MMIORegister(rawValue: 0x00c)
    public static let deviceFeatures = MMIORegister(rawValue: 0x010)
    public static let deviceFeaturesSelect = MMIORegister(rawValue: 0x014)
    public static let driverFeatures = MMIORegister(rawValue: 0x020)
    public static let driverFeaturesSelect = MMIORegister(rawValue: 0x024)
    public static let queueSelect = MMIORegister(rawValue: 0x030)
    public static let queueSizeMax = MMIORegister(rawValue: 0x034)
    public static let queueSize = MMIORegister(rawValue: 0x038)
    public static let queueReady = MMIORegister(rawValue: 0x044)
    public static let queueNotify = MMIORegister(rawValue: 0x050)
    public static let interruptStatus = MMIORegister(rawValue: 0x060)
    public static let interruptAcknowledge = MMIORegister(rawValue: 0x064)
    public static let status = MMIORegister(rawValue: 0x070)
    public static let queueDescriptorLow = MMIORegister(rawValue: 0x080)
    public static let queueDescriptorHigh = MMIORegister(rawValue: 0x084)
    public static let queueDriverLow = MMIORegister(rawValue: 0x090)
    public static let queueDriverHigh = MMIORegister(rawValue: 0x094)
    public static let queueDeviceLow = MMIORegister(rawValue: 0x0a0)
    public static let queueDeviceHigh = MMIORegister(rawValue: 0x0a4)
    public static let sharedMemorySelect = MMIORegister(rawValue: 0x0ac)
    public static let sharedMemoryLengthLow = MMIORegister(rawValue: 0x0b0)
    public static let sharedMemoryLengthHigh = MMIORegister(rawValue: 0x0b4)
    public static let sharedMemoryBaseLow = MMIORegister(rawValue: 0x0b8)
    public static let sharedMemoryBaseHigh = MMIORegister(rawValue: 0x0bc)
    public static let queueReset = MMIORegister(rawValue: 0x0c0)
    public static let configurationGeneration = MMIORegister(rawValue: 0x0fc)
    /// The device's own configuration space starts here.
    public static let configuration = MMIORegister(rawValue: 0x100)
}

/// Why a device interrupted; the bits of ``MMIORegister/interruptStatus``.
public struct InterruptCause: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    @inlinable
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// A buffer was used.
    public static let usedBuffer = InterruptCause(rawValue: 1)
    /// The configuration changed, or the device needs a reset.
    public static let configuration = InterruptCause(rawValue: 2)
}
