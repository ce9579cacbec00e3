import Glibc
import Linux
import TestSupport
import Testing

@testable import Namespaces

/// Devices that move between two network namespaces of a thread's own; none of the machine's is touched.
@Suite(.needs(.root)) struct NetworkDeviceTests {
    /// Makes a namespace for devices to move to, and leaves the calling thread in one of its own with a pair of devices,
    /// `first` and `second`.
    private static func prepare() throws -> Namespace {
        let target = try Namespace.current(.network)
        try Namespace.unshare(.network)
        try command("ip link add first type veth peer name second")
        return target
    }

    private static func command(_ line: String) throws {
        guard system("PATH=$PATH:/usr/sbin:/sbin; \(line)") == 0 else { throw SystemError(line, .ioError) }
    }

    /// What a command prints in a namespace.
    private static func output(_ line: String, in namespace: borrowing Namespace) throws -> String {
        let own = try Namespace.current(.network)
        try namespace.enter()
        defer { try? own.enter() }
        return try withTemporaryDirectory { folder in
            try command("\(line) >\(folder)/out")
            return try readText("\(folder)/out")
        }
    }

    @Test func itTakesItsAddressesAlongAndIsUp() throws {
        let shown = try onPrivateThread(unsharing: .network) {
            let target = try Self.prepare()
            try Self.command(
                """
                ip address add 192.0.2.7/24 broadcast 192.0.2.255 dev first; ip address add 2001:db8::7/64 dev first nodad;
                ip address add 169.254.1.1/16 scope link dev first; ip link set first mtu 1400 up;
                ip address add 192.0.2.8/32 dev second
                """)
            let name = try NetworkDevice(named: "first").move(to: target, as: "inside")
            guard refusal({ _ = try NetworkDevice(named: "first") })?.errno == .noSuchDevice else { return "it stayed" }
            return name + "\n" + (try Self.output("ip address show", in: target))
        }
        #expect(shown.hasPrefix("inside\n"), "\(shown)")
        #expect(shown.contains("inet 192.0.2.7/24 brd 192.0.2.255 scope global inside"), "\(shown)")
        #expect(shown.contains("inet6 2001:db8::7/64 scope global"), "\(shown)")
        #expect(shown.contains("mtu 1400") && shown.contains(",UP"), "\(shown)")
        #expect(!shown.contains("169.254.1.1") && !shown.contains("192.0.2.8"), "\(shown)")
    }

    @Test func aNameThatIsTakenIsRefusedBeforeAnythingMoves() throws {
        let outcome: [String] = try onPrivateThread(unsharing: .network) {
            let target = try Self.prepare()
            _ = try Self.output("ip link add taken0 type veth peer name taken1", in: target)
            let device = try NetworkDevice(named: "first")
            let names = ["taken0", "lo"].compactMap { name in
                refusal { try device.move(to: target, as: name) }?.description
            }
            guard try NetworkDevice(named: "first").index == device.index else { return [] }
            return names + [
                try device.move(to: target, as: "taken%d"), try NetworkDevice(named: "second").move(to: target),
            ]
        }
        #expect(
            outcome == [
                "name a network device \"taken0\": file exists (EEXIST): one there has that name",
                "name a network device \"lo\": file exists (EEXIST): one there has that name", "taken2", "second",
            ])
    }

    @Test func whatIsNoDeviceIsRefused() throws {
        let errors = try onPrivateThread(unsharing: .network) {
            let target = try Self.prepare()
            return [
                refusal { _ = try NetworkDevice(named: "nobody") }, refusal { _ = try NetworkDevice(named: "") },
                refusal { _ = try NetworkDevice(named: String(repeating: "x", count: 16)) },
                refusal { try NetworkDevice(named: "first").move(to: target, as: "a/b") },
                refusal { try NetworkDevice(named: "lo").move(to: target, as: "lo2") },
            ].map { $0?.errno }
        }
        #expect(errors == [.noSuchDevice, .invalidArgument, .invalidArgument, .invalidArgument, .invalidArgument])
    }
}
