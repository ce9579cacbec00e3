#if arch(x86_64)
    import Synchronization
    import Virtio

    /// A place for a virtio device that is empty until one comes. While it is empty, the guest's tables say that nothing
    /// is there; who looks all the same sees no device.
    final class SparePlace: BusDevice {
        let place: ACPITables.DevicePlace
        private let transport = Mutex<MMIOTransport?>(nil)

        init(_ place: ACPITables.DevicePlace) { self.place = place }

        func fill(_ transport: MMIOTransport) { self.transport.withLock { $0 = transport } }

        // The lock is not held while the device answers: another processor may ask at the same time.
        private var device: MMIOTransport? { transport.withLock { $0 } }

        func read(_ offset: UInt64, width: Int) -> UInt64 { device?.read(offset, width: width) ?? 0 }

        func write(_ offset: UInt64, _ value: UInt64, width: Int) { device?.write(offset, value, width: width) }
    }
#endif
