#if arch(x86_64)
    import Synchronization
    import Virtio

    /// The devices whose limits, files and targets may change while the guest runs. Each takes its own lock.
    extension Machine {
        /// A disk by the ``MachineConfiguration/Disk/id`` that it was configured or added with.
        public func disk(_ id: String) -> Block? { find(.disk(id)) }

        /// A disk that another process serves, by the ``MachineConfiguration/Disk/id`` that it was configured or added with.
        public func servedDisk(_ id: String) -> VhostUserBlock? { find(.disk(id)) }

        /// A network card by the ``MachineConfiguration/NetworkCard/id`` that it was configured or added with.
        public func network(_ id: String) -> Network? { find(.network(id)) }

        /// Persistent memory by the ``MachineConfiguration/MemoryFile/id`` that it was configured or added with.
        public func persistentMemory(_ id: String) -> PersistentMemory? { find(.persistentMemory(id)) }

        public var balloon: Balloon? { only() }

        public var entropy: Entropy? { only() }

        /// What its ``MachineConfiguration/HotplugMemory`` is asked for by, and tells what the guest has.
        public var hotplugMemory: Memory? { only() }

        public var vsock: Vsock? { only() }

        public var serialCounts: PortCounts { relay.port.counts }

        /// Bytes of the serial port's output that were lost as there were too many; ``SerialEnds/outputLimit``.
        public var serialLoss: UInt64 { relay.lost.load(ordering: .relaxed) }

        /// How often the host refused the serial port's output: once, as there is none after that.
        public var serialFailures: UInt64 { relay.refused.load(ordering: .relaxed) }

        public var keyboardCounts: PortCounts { keyboard.counts }

        /// How often a device of this machine's asked its driver for a reset.
        public func transportCounts<Kind: Device>(of device: Kind) -> TransportCounts {
            placedDevices.first { Kind.from($0.transport.device) === device }?.transport.counts ?? TransportCounts()
        }

        private func find<Kind: Device>(_ name: DeviceName) -> Kind? {
            placedDevices.first { $0.name == name }.flatMap { Kind.from($0.transport.device) }
        }

        private func only<Kind: Device>() -> Kind? { devices.lazy.compactMap { Kind.from($0) }.first }
    }
#endif
