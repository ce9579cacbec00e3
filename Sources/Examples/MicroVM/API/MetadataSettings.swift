import OCI

/// `/mmds/config`: by which cards, and how, the guest asks for what it is told about itself.
struct MetadataSettings: Hashable {
    enum Version: String, CaseIterable {
        case v1 = "V1"
        case v2 = "V2"
    }

    /// The ids of network interfaces.
    var networks: [String]
    /// The second asks for a token, which a program gets for a while.
    var version: Version
    var address: IPv4Address?
    /// Nobody gets JSON, whatever they accept.
    var isPlain: Bool

    init(_ json: JSON) throws(BodyError) {
        let members = try Members(
            json, "MmdsConfig", ["version", "network_interfaces", "ipv4_address", "imds_compat"])
        version = try members.value("version", or: .v1, Value.name)
        networks = try members.required("network_interfaces") { (json) throws(BodyError) in
            try Value.list(json, Value.text)
        }
        address = try members.optional("ipv4_address") { (json) throws(BodyError) in
            guard let address = IPv4Address(try Value.text(json, "IPv4 address")) else {
                throw BodyError("invalid IPv4 address syntax")
            }
            return address
        }
        isPlain = try members.value("imds_compat", or: false, Value.truth)
    }

    /// - Parameter networks: the ids of those there are.
    func check(beside networks: [String]) throws(Fault) {
        if let address, !address.isLinkLocal { throw Self.fault("The MMDS IPv4 address is not link local.") }
        guard !self.networks.isEmpty else {
            throw Self.fault("The list of network interface IDs that allow forwarding MMDS requests is empty.")
        }
        guard self.networks.allSatisfy(networks.contains) else {
            throw Self.fault(
                "The list of network interface IDs provided contains at least one ID that does not correspond to any "
                    + "existing network interface.")
        }
    }

    /// The three Ms are Firecracker's.
    private static func fault(_ why: String) -> Fault { Fault("MMMDS config error: \(why)") }

    var json: JSON {
        [
            "version": JSON(version.rawValue), "network_interfaces": .array(networks.map { JSON($0) }),
            "ipv4_address": JSON((address ?? MetadataStack.defaultAddress).description), "imds_compat": .bool(isPlain),
        ]
    }
}

extension Fault {
    /// What became of a document that the store did not take.
    init(_ refusal: MetadataStore.Refusal) {
        switch refusal {
        case .tooLarge:
            self.init("MMDS limit exceeded error: The MMDS patch request doesn't fit.", status: .payloadTooLarge)
        case .notInitialized: self.init("MMDS error: The MMDS data store is not initialized.")
        }
    }
}

extension MetadataStore {
    /// Does what is asked of the document.
    ///
    /// - Returns: nil for what is asked of something else.
    func perform(_ action: Action) throws(Fault) -> Answer? {
        do throws(Refusal) {
            switch action {
            case .describeMetadata:
                let contents = contents
                return .value(contents == .null ? .object([]) : contents)
            case .setMetadata(let contents): try replace(contents)
            case .changeMetadata(let patch): try merge(patch)
            default: return nil
            }
            return .done
        } catch { throw Fault(error) }
    }
}
