// swift-tools-version: 6.2
import PackageDescription

// Apart from the package itself, so that its builds need no fuzzer and nobody who depends on it gets one.
// scripts/fuzz builds it, with the flags that instrument the modules under test.
let package = Package(
    name: "fuzz",
    dependencies: [.package(name: "bulkhead", path: "..")],
    targets: [
        .systemLibrary(name: "CFuzzer"),
        .executableTarget(
            name: "fuzz",
            dependencies: [
                "CFuzzer",
                .product(name: "OCI", package: "bulkhead"),
                .product(name: "Containers", package: "bulkhead"),
                .product(name: "Seccomp", package: "bulkhead"),
                .product(name: "Namespaces", package: "bulkhead"),
                .product(name: "Cgroups", package: "bulkhead"),
                .product(name: "Capabilities", package: "bulkhead"),
                .product(name: "Linux", package: "bulkhead"),
                .product(name: "GuestMemory", package: "bulkhead"),
                .product(name: "Virtio", package: "bulkhead"),
                .product(name: "Machines", package: "bulkhead"),
            ],
            path: "Sources/Fuzz"),
    ],
    swiftLanguageModes: [.v6]
)
