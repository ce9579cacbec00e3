import CKVM
import Linux

/// What device `KVM_CREATE_DEVICE` makes.
public struct DeviceType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Ties VFIO groups to the machine.
    public static let vfio = DeviceType(rawValue: 4)
    #if arch(arm64)
        public static let gicV2 = DeviceType(rawValue: 5)
        public static let gicV3 = DeviceType(rawValue: 7)
        /// The interrupt translation service of a GICv3.
        public static let gicITS = DeviceType(rawValue: 8)
    #endif
}

/// A device that the kernel emulates, with attributes in groups; `Documentation/virt/kvm/devices`.
public struct KernelDevice: ~Copyable, Sendable {
    public let descriptor: Descriptor

    /// An attribute's place.
    public struct Attribute: Hashable, Sendable {
        public var group: UInt32
        public var number: UInt64
        public init(group: UInt32, _ number: UInt64) {
            self.group = group
            self.number = number
        }
    }

    /// `KVM_HAS_DEVICE_ATTR`.
    public func has(_ attribute: Attribute) -> Bool { descriptor.hasAttribute(attribute) }

    /// `KVM_SET_DEVICE_ATTR`, of an attribute whose value has this type.
    public func set<Value: BitwiseCopyable>(_ attribute: Attribute, to value: Value) throws(SystemError) {
        try descriptor.setAttribute(attribute, to: value)
    }

    /// `KVM_SET_DEVICE_ATTR`, of an attribute that is an order and has no value.
    public func perform(_ attribute: Attribute) throws(SystemError) { try descriptor.performAttribute(attribute) }

    /// `KVM_GET_DEVICE_ATTR`, of an attribute whose value has this type.
    ///
    /// - Parameters:
    ///   - attribute: the attribute.
    ///   - empty: what the kernel writes over, or reads first where the attribute asks for it.
    public func get<Value: BitwiseCopyable>(
        _ attribute: Attribute, _ empty: Value
    ) throws(SystemError) -> Value {
        try descriptor.attribute(attribute, empty)
    }
}

extension VirtualMachine {
    /// A device in the kernel; `KVM_CREATE_DEVICE`. It lives as long as the machine, whatever becomes of the value.
    ///
    /// - Throws: `ENODEV` for a type that is not there, `EEXIST` for one too many.
    public func makeDevice(_ type: DeviceType) throws(SystemError) -> KernelDevice {
        var request = kvm_create_device()
        request.type = type.rawValue
        try descriptor.control(.createDevice, with: &request, "make device of type \(type.rawValue)")
        return KernelDevice(descriptor: Descriptor(owning: CInt(request.fd)))
    }
}

// Devices, machines and vCPUs have attributes.
extension Descriptor {
    private static func request(_ attribute: KernelDevice.Attribute, _ value: UInt) -> kvm_device_attr {
        kvm_device_attr(flags: 0, group: attribute.group, attr: attribute.number, addr: UInt64(value))
    }

    private static func text(_ verb: String, _ attribute: KernelDevice.Attribute) -> String {
        "\(verb) attribute \(attribute.number) of group \(attribute.group)"
    }

    func hasAttribute(_ attribute: KernelDevice.Attribute) -> Bool {
        (try? control(.hasDeviceAttribute, from: Self.request(attribute, 0), "KVM_HAS_DEVICE_ATTR")) != nil
    }

    func performAttribute(_ attribute: KernelDevice.Attribute) throws(SystemError) {
        try control(.setDeviceAttribute, from: Self.request(attribute, 0), Self.text("set", attribute))
    }

    func setAttribute<Value: BitwiseCopyable>(
        _ attribute: KernelDevice.Attribute, to value: Value
    ) throws(SystemError) {
        var value = value
        try withPointer(to: &value) { (address) throws(SystemError) in
            try control(.setDeviceAttribute, from: Self.request(attribute, address), Self.text("set", attribute))
        }
    }

    func attribute<Value: BitwiseCopyable>(
        _ attribute: KernelDevice.Attribute, _ empty: Value
    ) throws(SystemError) -> Value {
        var value = empty
        try withPointer(to: &value) { (address) throws(SystemError) in
            try control(.getDeviceAttribute, from: Self.request(attribute, address), Self.text("get", attribute))
        }
        return value
    }

    /// The kernel wants addresses as numbers inside structures.
    func withPointer<Value: BitwiseCopyable>(
        to value: inout Value, _ call: (UInt) throws(SystemError) -> Void
    ) throws(SystemError) {
        try unsafe withUnsafeMutablePointer(to: &value) { (pointer) throws(SystemError) in
            try call(UInt(bitPattern: pointer))
        }
    }
}
