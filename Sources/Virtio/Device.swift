import Linux

/// A virtio device, as a transport drives it.
///
/// The transport calls every function with ``lock`` held, from whichever thread; a device's own public functions take
/// the lock themselves. Between ``start(_:)`` and ``stop()`` the device works; a fault it throws makes the transport
/// tell the driver that the device needs a reset.
public protocol Device: AnyObject, Sendable {
    /// What the device is.
    var type: DeviceType { get }
    #if hasFeature(Embedded)
        /// The class that it is an object of, for ``from(_:)``, as Embedded Swift has no `as?`. Not to be implemented: what
        /// every device has is right.
        var classIdentity: ObjectIdentifier { get }
    #endif
    /// The feature bits of the device's own that it offers.
    var offered: Features { get }
    /// The most entries of each queue.
    var queueSizes: [UInt16] { get }
    /// Which layouts and shortcuts of queues it can work with, where that is not all that this module can.
    var queueFeatures: Features { get }
    /// Whether another process works on the queues and interrupts the driver: then neither passes the loop. See
    /// ``VhostUserBlock``.
    var isServedElsewhere: Bool { get }
    /// Guards the device's state.
    var lock: DeviceLock { get }

    /// The configuration space as the driver reads it now. Reads past its end give zeros.
    func configuration() -> [UInt8]
    /// A driver's write to the configuration space; 1, 2, 4 or 8 bytes.
    func writeConfiguration(at offset: Int, _ bytes: [UInt8])
    /// Whether the device can work with these features; the transport has checked that all were offered.
    func accepts(_ features: Features) -> Bool

    /// The driver is ready.
    func start(_ host: DeviceHost) throws(DeviceFault)
    /// The driver made buffers available in a queue.
    func queueReady(_ index: Int) throws(DeviceFault)
    /// A descriptor is ready that the device registered.
    func eventReady(_ token: UInt32, _ readiness: Readiness) throws(DeviceFault)
    /// Ends all work. On return no buffer is in the device's hands and no descriptor of it is watched; queues are as
    /// if every buffer that was not completed had not been taken.
    func pause()
    /// Goes on after ``pause()``.
    func resume() throws(DeviceFault)
    /// The guest's memory has one region more.
    func memoryGrew() throws(DeviceFault)
    /// Forgets the driver, after ``pause()``.
    func stop()

    /// What the driver made of the device, as bytes; while paused.
    func save() -> [UInt8]
    /// Takes up what ``save()`` gave, before ``start(_:)``.
    func restore(_ bytes: [UInt8]) throws(StateError)
}

extension Device {
    /// A device as one of this class; nil where it is of another one, be it of a subclass.
    ///
    /// - Parameter device: any.
    public static func from(_ device: any Device) -> Self? {
        #if hasFeature(Embedded)
            device.classIdentity == ObjectIdentifier(Self.self) ? unsafe unsafeDowncast(device, to: Self.self) : nil
        #else
            Swift.type(of: device) == Self.self ? device as? Self : nil
        #endif
    }

    #if hasFeature(Embedded)
        public var classIdentity: ObjectIdentifier { ObjectIdentifier(Self.self) }
    #endif
    public func writeConfiguration(at offset: Int, _ bytes: [UInt8]) {}
    public var queueFeatures: Features { .queue }
    public var isServedElsewhere: Bool { false }
    public func accepts(_ features: Features) -> Bool { true }
    public func eventReady(_ token: UInt32, _ readiness: Readiness) throws(DeviceFault) {}
    public func memoryGrew() throws(DeviceFault) {}
}
