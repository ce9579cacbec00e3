#if arch(x86_64)
    import Virtio

    /// The devices whose limits, files and targets may change while the guest runs. Each takes its own lock.
    extension Machine {
        /// A disk by the ``MachineConfiguration/Disk/id`` that it was configured with.
        public func disk(_ id: String) -> Block? { find(id, configuration.disks.map(\.id)) }

        /// A network card by the ``MachineConfiguration/NetworkCard/id`` that it was configured with.
        public func network(_ id: String) -> Network? { find(id, configuration.networks.map(\.id)) }

        public var balloon: Balloon? { only() }

        public var entropy: Entropy? { only() }

        /// Configured devices of a kind come first, in the configuration's order.
        private func find<Kind: Device>(_ id: String, _ ids: [String]) -> Kind? {
            guard !id.isEmpty, let index = ids.firstIndex(of: id) else { return nil }
            let all = devices.compactMap { $0 as? Kind }
            return index < all.count ? all[index] : nil
        }

        private func only<Kind: Device>() -> Kind? { devices.lazy.compactMap { $0 as? Kind }.first }
    }
#endif
