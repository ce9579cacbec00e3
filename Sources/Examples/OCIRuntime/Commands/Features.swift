import Capabilities
import Linux
import Namespaces
import OCI
import Seccomp

extension Command {
    static var features: Command {
        Command(
            name: "features", summary: "Show what this runtime can do.", usage: "", options: [], arguments: 0...0
        ) { _, _ throws(Failure) in
            try output(runtimeFeatures().json.encoded(indentation: "    ") + "\n")
            return 0
        }
    }
}

/// What this runtime was built to do, whatever the host allows of it.
func runtimeFeatures() -> Features {
    var features = Features(ociVersionMin: SemanticVersion(1, 0, 0), ociVersionMax: SemanticVersion(1, 3, 0))
    features.hooks = [
        "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
    ]
    features.mountOptions = MountOptions.knownWords
    features.annotations = ["bulkhead.version": version]
    features.potentiallyUnsafeConfigAnnotations = []

    var linux = Features.LinuxSection()
    linux.namespaces = Configuration.Namespace.Kind.allCases.map { $0.rawValue }
    linux.capabilities = Capability.allKnown.map { $0.description }
    linux.cgroup = cgroupFeatures()
    linux.seccomp = seccompFeatures()
    linux.apparmor = .init(enabled: true)
    linux.selinux = .init(enabled: true)
    linux.intelRdt = .init()
    linux.intelRdt?.enabled = false
    linux.memoryPolicy = .init()
    linux.memoryPolicy?.modes = Configuration.MemoryPolicy.Mode.allCases.map { $0.rawValue }
    linux.memoryPolicy?.flags = Configuration.MemoryPolicy.Flag.allCases.map { $0.rawValue }
    linux.mountExtensions = .init()
    linux.mountExtensions?.idmap = .init(enabled: true)
    linux.netDevices = .init(enabled: true)
    features.linux = linux
    return features
}

private func cgroupFeatures() -> Features.Cgroup {
    var cgroup = Features.Cgroup()
    cgroup.v1 = false
    cgroup.v2 = true
    // The naming is understood, the daemon is not spoken to.
    cgroup.systemd = false
    cgroup.systemdUser = false
    cgroup.rdma = true
    return cgroup
}

private func seccompFeatures() -> Features.Seccomp {
    var seccomp = Features.Seccomp()
    seccomp.enabled = true
    seccomp.actions = Configuration.Seccomp.Action.allCases.map { $0.rawValue }
    seccomp.operators = Configuration.Seccomp.Operator.allCases.map { $0.rawValue }
    // What the linked library knows: an older one lacks the newest.
    seccomp.archs = SeccompArchitecture.allNames.filter {
        (try? SeccompArchitecture(name: $0))?.isKnownToLibrary == true
    }
    let flags = Configuration.Seccomp.Flag.allCases.map { $0.rawValue }
    seccomp.knownFlags = flags
    seccomp.supportedFlags = flags
    return seccomp
}
