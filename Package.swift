// swift-tools-version: 6.2
import PackageDescription

/// Layers 0 and 1 touch the kernel's interfaces directly, so every unsafe use there is spelled out.
let strict: [SwiftSetting] = [.strictMemorySafety()]

let package = Package(
    name: "bulkhead",
    products: [
        .library(name: "Linux", targets: ["Linux"]),
        .library(name: "Launch", targets: ["Launch"]),
        .library(name: "Namespaces", targets: ["Namespaces"]),
        .library(name: "Cgroups", targets: ["Cgroups"]),
        .library(name: "Seccomp", targets: ["Seccomp"]),
        .library(name: "Capabilities", targets: ["Capabilities"]),
        .library(name: "KVM", targets: ["KVM"]),
        .library(name: "GuestMemory", targets: ["GuestMemory"]),
        .library(name: "Virtio", targets: ["Virtio"]),
        .library(name: "OCI", targets: ["OCI"]),
        .library(name: "Containers", targets: ["Containers"]),
        .library(name: "Machines", targets: ["Machines"]),
        .executable(name: "bulkhead-oci", targets: ["bulkhead-oci"]),
        .executable(name: "bulkhead-vm", targets: ["bulkhead-vm"]),
        .executable(name: "bulkhead-jailer", targets: ["bulkhead-jailer"]),
        .executable(name: "bulkhead", targets: ["bulkhead"]),
    ],
    targets: [
        // Layer 0: the system-call edge.
        .target(name: "CLinux"),
        .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: strict),
        .target(name: "CGuestMemory"),
        .target(name: "GuestMemory", dependencies: ["Linux", "CLinux", "CGuestMemory"], swiftSettings: strict),

        // Layer 1: the primitives. None imports another.
        .target(name: "CLaunch", cSettings: [.define("BULKHEAD_FAULTS", .when(configuration: .debug))]),
        .target(name: "Launch", dependencies: ["Linux", "CLinux", "CLaunch"], swiftSettings: strict),
        .target(name: "Namespaces", dependencies: ["Linux", "CLinux"], swiftSettings: strict),
        .target(name: "Cgroups", dependencies: ["Linux", "CLinux"], swiftSettings: strict),
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .target(name: "Seccomp", dependencies: ["Linux", "CLinux", "CSeccomp"], swiftSettings: strict),
        .systemLibrary(name: "CCapability", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
        .target(name: "Capabilities", dependencies: ["Linux", "CLinux", "CCapability"], swiftSettings: strict),
        .target(name: "CKVM"),
        .target(name: "KVM", dependencies: ["Linux", "CKVM"], swiftSettings: strict),
        .target(name: "CVirtio", dependencies: ["CLinux"]),
        .target(
            name: "Virtio", dependencies: ["Linux", "CLinux", "GuestMemory", "CGuestMemory", "CVirtio"],
            swiftSettings: strict),

        // Layer 2: documents.
        .target(name: "OCI"),

        // Layer 3: compositions.
        .target(
            name: "Containers",
            dependencies: ["Linux", "CLinux", "Launch", "Namespaces", "Cgroups", "Seccomp", "Capabilities", "OCI"]),
        .target(name: "CMachines"),
        .target(name: "Machines", dependencies: ["Linux", "CLinux", "KVM", "GuestMemory", "Virtio", "CMachines"]),

        // Layer 4: examples, over the public API alone.
        .target(name: "CProgram", path: "Sources/Examples/CProgram"),
        .target(name: "CEmbedded", path: "Sources/Examples/CEmbedded"),
        .executableTarget(
            name: "bulkhead-oci",
            dependencies: [
                "CProgram", "CEmbedded", "Containers", "OCI", "Linux", "Cgroups", "Namespaces", "Seccomp",
                "Capabilities",
            ],
            path: "Sources/Examples/OCIRuntime"),
        .executableTarget(
            name: "bulkhead", dependencies: ["Linux", "Namespaces", "Cgroups", "Seccomp", "Capabilities"],
            path: "Sources/Examples/Doctor"),

        .target(name: "CConfinement", path: "Sources/Examples/CConfinement"),
        .executableTarget(
            name: "bulkhead-vm",
            dependencies: [
                "Machines", "KVM", "Virtio", "GuestMemory", "OCI", "Linux", "Launch", "Seccomp", "CConfinement",
                "CEmbedded",
            ],
            path: "Sources/Examples/MicroVM"),
        .executableTarget(
            name: "bulkhead-jailer", dependencies: ["Launch", "Cgroups", "Namespaces", "Linux"],
            path: "Sources/Examples/Jailer"),

        // The README's first program, and one lesson for each primitive.
        .executableTarget(
            name: "lesson-first", dependencies: ["Linux", "Namespaces"], path: "Sources/Examples/Lessons/First"),
        .executableTarget(
            name: "lesson-launch", dependencies: ["Linux", "Launch"], path: "Sources/Examples/Lessons/Launch"),
        .executableTarget(
            name: "lesson-namespaces", dependencies: ["Linux", "Namespaces"],
            path: "Sources/Examples/Lessons/Namespaces"),
        .executableTarget(
            name: "lesson-cgroups", dependencies: ["Cgroups"], path: "Sources/Examples/Lessons/Cgroups"),
        .executableTarget(
            name: "lesson-seccomp", dependencies: ["Linux", "Seccomp"], path: "Sources/Examples/Lessons/Seccomp"),
        .executableTarget(
            name: "lesson-capabilities", dependencies: ["Linux", "Capabilities"],
            path: "Sources/Examples/Lessons/Capabilities"),
        .executableTarget(
            name: "lesson-kvm", dependencies: ["Linux", "KVM"], path: "Sources/Examples/Lessons/KVM"),
        .executableTarget(
            name: "lesson-virtio", dependencies: ["Linux", "GuestMemory", "Virtio"],
            path: "Sources/Examples/Lessons/Virtio"),

        .executableTarget(
            name: "bulkhead-test-helper", dependencies: ["Containers", "Linux", "CLinux"], path: "Tests/Helper"),
        .target(name: "TestSupport", dependencies: ["Linux"], path: "Tests/TestSupport"),
        .testTarget(name: "LinuxTests", dependencies: ["Linux", "TestSupport"]),
        .testTarget(name: "LaunchTests", dependencies: ["Launch", "Linux", "TestSupport"]),
        .testTarget(name: "NamespacesTests", dependencies: ["Namespaces", "Linux", "CLinux", "TestSupport"]),
        .testTarget(name: "CgroupsTests", dependencies: ["Cgroups", "Linux", "CLinux", "TestSupport"]),
        .testTarget(name: "SeccompTests", dependencies: ["Seccomp", "CSeccomp", "Linux", "CLinux", "TestSupport"]),
        .testTarget(name: "CapabilitiesTests", dependencies: ["Capabilities", "Linux", "TestSupport"]),
        .target(name: "KVMHeaders", path: "Tests/KVMHeaders"),
        .testTarget(name: "KVMTests", dependencies: ["KVM", "CKVM", "KVMHeaders", "Linux", "TestSupport"]),
        .testTarget(name: "GuestMemoryTests", dependencies: ["GuestMemory", "Linux", "TestSupport"]),
        .testTarget(
            name: "VirtioTests", dependencies: ["Virtio", "GuestMemory", "Linux", "CLinux", "CVirtio", "TestSupport"]),
        .testTarget(
            name: "MachinesTests",
            dependencies: [
                "bulkhead-vm", "bulkhead-jailer", "Machines", "GuestMemory", "KVM", "Virtio", "OCI", "Linux", "Seccomp",
                "CConfinement", "TestSupport",
            ]),
        .testTarget(name: "OCITests", dependencies: ["OCI"], resources: [.copy("Documents")]),
        .testTarget(
            name: "LessonTests",
            dependencies: [
                "lesson-first", "lesson-launch", "lesson-namespaces", "lesson-cgroups", "lesson-seccomp",
                "lesson-capabilities", "lesson-kvm", "lesson-virtio", "Launch", "Linux", "TestSupport",
            ]),
        .testTarget(
            name: "ContainersTests",
            dependencies: ["Containers", "OCI", "Cgroups", "Seccomp", "Linux", "TestSupport", "bulkhead-test-helper"]),
        .testTarget(
            name: "OCIRuntimeTests",
            dependencies: ["bulkhead-oci", "bulkhead", "Cgroups", "OCI", "Linux", "TestSupport"]),
    ],
    swiftLanguageModes: [.v6]
)
