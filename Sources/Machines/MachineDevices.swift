#if arch(x86_64)
    import Virtio

    /// The devices whose limits, files and targets may change while the guest runs. Each takes its own lock.
    extension Machine {
        /// A disk by the ``MachineConfiguration/Disk/id`` that it was configured or added with.
        public func disk(_ id: String) -> Block? {
            find(id, configuration.disks.map(\.id) + added { if case .disk(let disk) = $0 { disk.id } else { nil } })
        }

        /// A network card by the ``MachineConfiguration/NetworkCard/id`` that it was configured or added with.
        public func network(_ id: String) -> Network? {
            find(
                id,
                configuration.networks.map(\.id) + added { if case .network(let card) = $0 { card.id } else { nil } })
        }

        public var balloon: Balloon? { only() }

        public var entropy: Entropy? { only() }

        /// What its ``MachineConfiguration/HotplugMemory`` is asked for by, and tells what the guest has.
        public var hotplugMemory: Memory? { only() }

        public var vsock: Vsock? { only() }

        public var serialCounts: PortCounts { relay.port.counts }

        public var keyboardCounts: PortCounts { keyboard.counts }

        /// The ids of devices that came while the machine ran.
        private func added(_ id: (MachineConfiguration.Addition) -> String?) -> [String] {
            growth.withLock { $0.added }.compactMap { $0.flatMap(id) }
        }

        /// Configured devices of a kind come first, in the configuration's order, and added ones last in theirs.
        private func find<Kind: Device>(_ id: String, _ ids: [String]) -> Kind? {
            guard !id.isEmpty, let index = ids.firstIndex(of: id) else { return nil }
            let all = devices.compactMap { $0 as? Kind }
            return index < all.count ? all[index] : nil
        }

        private func only<Kind: Device>() -> Kind? { devices.lazy.compactMap { $0 as? Kind }.first }
    }
#endif
