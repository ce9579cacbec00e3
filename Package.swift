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
        .library(name: "OCI", targets: ["OCI"]),
        .library(name: "Containers", targets: ["Containers"]),
        .executable(name: "bulkhead-oci", targets: ["bulkhead-oci"]),
        .executable(name: "bulkhead", targets: ["bulkhead"]),
    ],
    targets: [
        // Layer 0: the system-call edge.
        .target(name: "CLinux"),
        .target(name: "Linux", dependencies: ["CLinux"], swiftSettings: strict),

        // Layer 1: the primitives. None imports another.
        .target(name: "CLaunch", cSettings: [.define("BULKHEAD_FAULTS", .when(configuration: .debug))]),
        .target(name: "Launch", dependencies: ["Linux", "CLinux", "CLaunch"], swiftSettings: strict),
        .target(name: "Namespaces", dependencies: ["Linux", "CLinux"], swiftSettings: strict),
        .target(name: "Cgroups", dependencies: ["Linux", "CLinux"], swiftSettings: strict),
        .systemLibrary(name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .target(name: "Seccomp", dependencies: ["Linux", "CLinux", "CSeccomp"], swiftSettings: strict),
        .systemLibrary(name: "CCapability", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
        .target(name: "Capabilities", dependencies: ["Linux", "CLinux", "CCapability"], swiftSettings: strict),

        // Layer 2: documents.
        .target(name: "OCI"),

        // Layer 3: compositions.
        .target(
            name: "Containers",
            dependencies: ["Linux", "Launch", "Namespaces", "Cgroups", "Seccomp", "Capabilities", "OCI"]),

        // Layer 4: examples, over the public API alone.
        .target(name: "CSelfSeal", path: "Sources/Examples/SelfSeal"),
        .executableTarget(
            name: "bulkhead-oci",
            dependencies: [
                "CSelfSeal", "Containers", "OCI", "Linux", "Cgroups", "Namespaces", "Seccomp", "Capabilities",
            ],
            path: "Sources/Examples/OCIRuntime"),
        .executableTarget(
            name: "bulkhead", dependencies: ["Linux", "Namespaces", "Cgroups", "Seccomp", "Capabilities"],
            path: "Sources/Examples/Doctor"),

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
            name: "bulkhead-test-helper", dependencies: ["Containers", "Linux", "CLinux"], path: "Tests/Helper"),
        .target(name: "TestSupport", dependencies: ["Linux"], path: "Tests/TestSupport"),
        .testTarget(name: "LinuxTests", dependencies: ["Linux", "TestSupport"]),
        .testTarget(name: "LaunchTests", dependencies: ["Launch", "Linux", "TestSupport"]),
        .testTarget(name: "NamespacesTests", dependencies: ["Namespaces", "Linux", "CLinux", "TestSupport"]),
        .testTarget(name: "CgroupsTests", dependencies: ["Cgroups", "Linux", "CLinux", "TestSupport"]),
        .testTarget(name: "SeccompTests", dependencies: ["Seccomp", "Linux", "CLinux", "TestSupport"]),
        .testTarget(name: "CapabilitiesTests", dependencies: ["Capabilities", "Linux", "TestSupport"]),
        .testTarget(name: "OCITests", dependencies: ["OCI"], resources: [.copy("Documents")]),
        .testTarget(
            name: "LessonTests",
            dependencies: [
                "lesson-first", "lesson-launch", "lesson-namespaces", "lesson-cgroups", "lesson-seccomp",
                "lesson-capabilities", "Launch", "Linux", "TestSupport",
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
