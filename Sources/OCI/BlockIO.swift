extension Configuration.Resources {
    /// `linux.resources.blockIO` (config-linux.md, Block IO).
    public struct BlockIO: Equatable, Sendable {
        /// An entry of `weightDevice`: at least one of the weights.
        public struct WeightDevice: Equatable, Sendable {
            /// `major`
            public var major: Int64
            /// `minor`
            public var minor: Int64
            /// `weight`
            public var weight: UInt16?
            /// `leafWeight`: cgroup v1 only.
            public var leafWeight: UInt16?

            /// A device's weights.
            public init(major: Int64, minor: Int64, weight: UInt16? = nil, leafWeight: UInt16? = nil) {
                self.major = major
                self.minor = minor
                self.weight = weight
                self.leafWeight = leafWeight
            }
        }

        /// An entry of the four throttle lists.
        public struct ThrottleDevice: Equatable, Sendable {
            /// `major`
            public var major: Int64
            /// `minor`
            public var minor: Int64
            /// `rate`: bytes or operations per second.
            public var rate: UInt64

            /// A device's limit.
            public init(major: Int64, minor: Int64, rate: UInt64) {
                self.major = major
                self.minor = minor
                self.rate = rate
            }
        }

        /// `weight`: as cgroup v1 counts it, from 10 to 1000.
        public var weight: UInt16?
        /// `leafWeight`: cgroup v1 only.
        public var leafWeight: UInt16?
        /// `weightDevice`
        public var weightDevice: [WeightDevice] = []
        /// `throttleReadBpsDevice`: bytes per second.
        public var throttleReadBpsDevice: [ThrottleDevice] = []
        /// `throttleWriteBpsDevice`: bytes per second.
        public var throttleWriteBpsDevice: [ThrottleDevice] = []
        /// `throttleReadIOPSDevice`: operations per second.
        public var throttleReadIOPSDevice: [ThrottleDevice] = []
        /// `throttleWriteIOPSDevice`: operations per second.
        public var throttleWriteIOPSDevice: [ThrottleDevice] = []

        /// Nothing set.
        public init() {}
    }
}

extension Configuration.Resources.BlockIO: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        weight = try fields.optional("weight")
        leafWeight = try fields.optional("leafWeight")
        weightDevice = try fields.list("weightDevice")
        throttleReadBpsDevice = try fields.list("throttleReadBpsDevice")
        throttleWriteBpsDevice = try fields.list("throttleWriteBpsDevice")
        throttleReadIOPSDevice = try fields.list("throttleReadIOPSDevice")
        throttleWriteIOPSDevice = try fields.list("throttleWriteIOPSDevice")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("weight", weight)
        object.add("leafWeight", leafWeight)
        object.add("weightDevice", list: weightDevice)
        object.add("throttleReadBpsDevice", list: throttleReadBpsDevice)
        object.add("throttleWriteBpsDevice", list: throttleWriteBpsDevice)
        object.add("throttleReadIOPSDevice", list: throttleReadIOPSDevice)
        object.add("throttleWriteIOPSDevice", list: throttleWriteIOPSDevice)
        return object.json
    }
}

extension Configuration.Resources.BlockIO.WeightDevice: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        major = try fields.required("major")
        minor = try fields.required("minor")
        weight = try fields.optional("weight")
        leafWeight = try fields.optional("leafWeight")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("major", major)
        object.add("minor", minor)
        object.add("weight", weight)
        object.add("leafWeight", leafWeight)
        return object.json
    }
}

extension Configuration.Resources.BlockIO.ThrottleDevice: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        major = try fields.required("major")
        minor = try fields.required("minor")
        rate = try fields.required("rate")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("major", major)
        object.add("minor", minor)
        object.add("rate", rate)
        return object.json
    }
}
