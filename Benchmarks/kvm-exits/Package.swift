// swift-tools-version: 6.2
import PackageDescription

// A package of its own: it sees of KVM what any user of it does.
let package = Package(
    name: "kvm-exits",
    dependencies: [.package(name: "bulkhead", path: "../..")],
    targets: [
        .target(name: "Plain"),
        .executableTarget(
            name: "kvm-exits", dependencies: ["Plain", .product(name: "KVM", package: "bulkhead")]),
    ],
    swiftLanguageModes: [.v6]
)
