// swift-tools-version: 6.2
import PackageDescription

// A package of its own: it sees of Virtio what any user of it does.
let package = Package(
    name: "virtio-paths",
    dependencies: [.package(name: "bulkhead", path: "../..")],
    targets: [
        .executableTarget(
            name: "virtio-paths",
            dependencies: [
                .product(name: "Virtio", package: "bulkhead"), .product(name: "GuestMemory", package: "bulkhead"),
                .product(name: "Linux", package: "bulkhead"),
            ])
    ],
    swiftLanguageModes: [.v6]
)
