extension Configuration {
    /// `linux.intelRdt` (config-linux.md, IntelRdt): a group of the resctrl file system.
    public struct IntelRDT: Equatable, Sendable {
        /// `closID`: the class of service; nil makes one named after the container, `/` is the default one.
        public var closID: String?
        /// `schemata`: lines for the `schemata` file, written last (1.3).
        public var schemata: [String] = []
        /// `l3CacheSchema`: a line that starts with `L3:`.
        public var l3CacheSchema: String?
        /// `memBwSchema`: a line that starts with `MB:`.
        public var memBwSchema: String?
        /// `enableMonitoring`: a monitoring group of its own (1.3).
        public var enableMonitoring = false
        /// `enableCMT`: cache monitoring, in documents of 1.1 and 1.2; replaced by `enableMonitoring`.
        public var enableCMT = false
        /// `enableMBM`: bandwidth monitoring, in documents of 1.1 and 1.2; replaced by `enableMonitoring`.
        public var enableMBM = false

        /// Nothing set.
        public init() {}
    }
}

extension Configuration.IntelRDT: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        closID = try fields.text("closID")
        schemata = try fields.list("schemata")
        l3CacheSchema = try fields.text("l3CacheSchema")
        memBwSchema = try fields.text("memBwSchema")
        enableMonitoring = try fields.flag("enableMonitoring")
        enableCMT = try fields.flag("enableCMT")
        enableMBM = try fields.flag("enableMBM")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("closID", closID)
        object.add("schemata", list: schemata)
        object.add("l3CacheSchema", l3CacheSchema)
        object.add("memBwSchema", memBwSchema)
        object.add("enableMonitoring", flag: enableMonitoring)
        object.add("enableCMT", flag: enableCMT)
        object.add("enableMBM", flag: enableMBM)
        return object.json
    }
}
