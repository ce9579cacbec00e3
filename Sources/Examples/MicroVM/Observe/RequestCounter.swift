/// Which counters a request belongs to: Firecracker's for its method and the first part of its path.
struct RequestCounter: Equatable {
    enum Group: Int, CaseIterable {
        case get
        case patch
        case put

        var name: String {
            switch self {
            case .get: "get_api_requests"
            case .patch: "patch_api_requests"
            case .put: "put_api_requests"
            }
        }

        /// What requests of this method are counted for.
        fileprivate var resources: [Resource] {
            switch self {
            case .get: [.hotplug, .instance, .machine, .metadata, .version]
            case .patch: [.drive, .hotplug, .machine, .metadata, .network, .pmem]
            case .put:
                [
                    .actions, .bootSource, .processors, .drive, .hotplug, .logger, .machine, .metrics, .metadata,
                    .network, .pmem, .serial, .vsock,
                ]
            }
        }
    }

    enum Resource: Int, CaseIterable {
        case actions, bootSource, processors, drive, hotplug, instance, logger, machine, metrics, metadata, network,
            pmem
        case serial, version, vsock

        fileprivate var name: String {
            switch self {
            case .actions: "actions"
            case .bootSource: "boot_source"
            case .processors: "cpu_cfg"
            case .drive: "drive"
            case .hotplug: "hotplug_memory"
            case .instance: "instance_info"
            case .logger: "logger"
            case .machine: "machine_cfg"
            case .metrics: "metrics"
            case .metadata: "mmds"
            case .network: "network"
            case .pmem: "pmem"
            case .serial: "serial"
            case .version: "vmm_version"
            case .vsock: "vsock"
            }
        }

        /// - Parameter part: the first part of a path.
        fileprivate init?(_ part: String) {
            switch part {
            case "": self = .instance
            case "actions": self = .actions
            case "boot-source": self = .bootSource
            case "cpu-config": self = .processors
            case "drives": self = .drive
            case "hotplug": self = .hotplug
            case "logger": self = .logger
            case "machine-config": self = .machine
            case "metrics": self = .metrics
            case "mmds": self = .metadata
            case "network-interfaces": self = .network
            case "pmem": self = .pmem
            case "serial": self = .serial
            case "version": self = .version
            case "vsock": self = .vsock
            default: return nil
            }
        }
    }

    let group: Group
    let resource: Resource

    /// nil for a request that Firecracker has no counter for.
    ///
    /// - Parameter parts: those of the request's path, where they are known.
    init?(_ request: HTTPRequest, _ parts: [String]? = nil) {
        switch request.method {
        case .get: group = .get
        case .patch: group = .patch
        case .put: group = .put
        case .delete: return nil
        }
        guard let resource = Resource((parts ?? request.pathParts).first ?? "") else { return nil }
        self.resource = resource
    }
}

/// How often each was asked for, and refused.
struct RequestCounts {
    private var asked = [UInt64](repeating: 0, count: RequestCounter.Group.allCases.count * stride)
    private var refused = [UInt64](repeating: 0, count: RequestCounter.Group.allCases.count * stride)

    private static let stride = RequestCounter.Resource.allCases.count
    private static func place(_ group: RequestCounter.Group, _ resource: RequestCounter.Resource) -> Int {
        group.rawValue * stride + resource.rawValue
    }

    mutating func count(_ counter: RequestCounter) { asked[Self.place(counter.group, counter.resource)] += 1 }
    mutating func countRefusal(_ counter: RequestCounter) { refused[Self.place(counter.group, counter.resource)] += 1 }

    /// By Firecracker's names: what it has no counter for is not there.
    var groups: [CounterGroup] {
        RequestCounter.Group.allCases.map { group in
            let counters: [[(String, UInt64)]] = group.resources.map { resource in
                let place = Self.place(group, resource)
                let count = ("\(resource.name)_count", asked[place])
                // A request that only asks can't be refused for what it says.
                return group == .get ? [count] : [count, ("\(resource.name)_fails", refused[place])]
            }
            return CounterGroup(group.name, counters.flatMap { $0 })
        }
    }
}
