/// Whether a cgroup distributes processes or threads; `cgroup.type`, `cgroups(7)`, "Thread mode".
public enum CgroupType: Hashable, Sendable {
    /// The usual one: processes.
    case domain
    /// The root of a threaded subtree.
    case domainThreaded
    /// Inside a threaded subtree but not threaded itself: it can hold nothing yet.
    case domainInvalid
    /// Threads.
    case threaded
    /// A word newer than this library.
    case other(String)
}

extension CgroupType: InterfaceValue {
    public init?(interfaceText: String) {
        self =
            switch interfaceText {
            case "domain": .domain
            case "domain threaded": .domainThreaded
            case "domain invalid": .domainInvalid
            case "threaded": .threaded
            default: .other(interfaceText)
            }
    }

    public var interfaceText: String {
        switch self {
        case .domain: "domain"
        case .domainThreaded: "domain threaded"
        case .domainInvalid: "domain invalid"
        case .threaded: "threaded"
        case .other(let word): word
        }
    }
}

extension Cgroup {
    /// Whether this cgroup distributes processes or threads. The root is a domain.
    public func type() throws(CgroupError) -> CgroupType {
        isRoot && !has("cgroup.type") ? .domain : try get(InterfaceFile("cgroup.type"))
    }

    /// Makes this cgroup threaded; its parent becomes the threaded subtree's root. There is no way back.
    ///
    /// - Throws: `EOPNOTSUPP` when it holds processes, has domain controllers enabled for its children, or its parent
    ///   can't be the root of a threaded subtree.
    public func makeThreaded() throws(CgroupError) { try write("threaded", to: "cgroup.type") }
}
