import Glibc
import Linux
import Testing

/// Inside testvm every requirement holds, so nothing is skipped there: a test whose need is missing runs and fails.
public let insideTestVM = environmentVariable("BULKHEAD_TESTVM") != nil

/// What a test needs of the machine.
public enum Need: Sendable {
    case root
    /// A cgroup2 file system at /sys/fs/cgroup with this controller.
    case controller(String)
    /// A cgroup2 file system at /sys/fs/cgroup.
    case cgroup2
    /// A usable /dev/kvm.
    case kvm
    /// A program on PATH.
    case program(String)
    /// The package's own test machine: what the test does would disturb a shared one.
    case testVM

    var isMet: Bool {
        switch self {
        case .root: geteuid() == 0
        case .cgroup2: access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
        case .controller(let name):
            ((try? readText("/sys/fs/cgroup/cgroup.controllers")) ?? "").split(whereSeparator: \.isWhitespace)
                .contains(Substring(name))
        case .kvm: access("/dev/kvm", R_OK | W_OK) == 0
        case .program(let name):
            (environmentVariable("PATH") ?? "").split(separator: ":").contains {
                access("\($0)/\(name)", X_OK) == 0
            }
        case .testVM: insideTestVM
        }
    }

    var reason: String {
        switch self {
        case .root: "needs root"
        case .cgroup2: "needs a cgroup2 file system at /sys/fs/cgroup"
        case .controller(let name): "needs the cgroup v2 controller \(name) at /sys/fs/cgroup"
        case .kvm: "needs /dev/kvm"
        case .program(let name): "needs the program \(name)"
        case .testVM: "runs inside testvm only"
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, saying why, where the machine lacks what it needs; never inside testvm.
    public static func needs(_ need: Need) -> Self {
        .enabled(if: insideTestVM || need.isMet, Comment(rawValue: need.reason))
    }
}

func environmentVariable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}

/// A descriptor that has to be there; `#require` takes copyable values only.
public func required(_ descriptor: consuming Descriptor?) throws(SystemError) -> Descriptor {
    switch consume descriptor {
    case .some(let descriptor): return descriptor
    case nil: throw SystemError("receive a descriptor", .invalidArgument)
    }
}
