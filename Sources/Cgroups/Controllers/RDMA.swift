import Linux

/// A limit on, or a use of, a remote-memory device; a line of `rdma.max` or `rdma.current`.
public struct RDMALimit: Hashable, Sendable {
    /// The device's name, such as `mlx5_0`.
    public var device: String
    /// Open handles; nil leaves it as it is.
    public var handles: Limit?
    /// Objects, such as queue pairs and memory regions; nil leaves it as it is.
    public var objects: Limit?

    public init(device: String, handles: Limit? = nil, objects: Limit? = nil) {
        self.device = device
        self.handles = handles
        self.objects = objects
    }

    init(_ line: NestedLine) {
        self.init(
            device: String(line.key), handles: line.limit("hca_handle"), objects: line.limit("hca_object"))
    }

    func appendSettings(to settings: inout [Setting]) {
        guard handles != nil || objects != nil else { return }
        var text = device
        if let handles { text += " hca_handle=\(handles)" }
        if let objects { text += " hca_object=\(objects)" }
        settings.append(Setting(file: "rdma.max", value: text + "\n"))
    }
}

extension Cgroup {
    /// `rdma.max`, a value for each device.
    public func rdmaLimits() throws(CgroupError) -> [RDMALimit] { try nestedLines("rdma.max").map { RDMALimit($0) } }

    /// `rdma.current`, a value for each device.
    public func rdmaStatistics() throws(CgroupError) -> [RDMALimit] {
        try nestedLines("rdma.current").map { RDMALimit($0) }
    }
}
