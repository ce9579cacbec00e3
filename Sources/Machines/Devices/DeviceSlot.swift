#if arch(x86_64)
    import Linux
    import Synchronization
    import Virtio

    /// A place for a virtio device, into which one comes and from which it goes. While it is empty, the guest's tables say
    /// that nothing is there; who looks all the same sees no device.
    final class DeviceSlot: BusDevice {
        let number: Int
        let place: ACPITables.DevicePlace
        private let transport = Mutex<MMIOTransport?>(nil)
        private let hotplug: HotplugController
        /// nil where this host has none.
        let shortcuts: RegisterShortcuts?

        /// - Parameters:
        ///   - number: of all places; its address and its interrupt go by it.
        ///   - hotplug: who is told that a driver has let go of the device.
        init(_ number: Int, _ hotplug: HotplugController, _ shortcuts: RegisterShortcuts?) {
            self.number = number
            self.hotplug = hotplug
            self.shortcuts = shortcuts
            place = ACPITables.DevicePlace(
                address: AddressMap.firstDevice + UInt64(number) * MMIOTransport.size,
                interrupt: AddressMap.deviceInterrupts.lowerBound + UInt32(number))
        }

        func fill(_ transport: MMIOTransport) { self.transport.withLock { $0 = transport } }

        func empty() { transport.withLock { $0 = nil } }

        // The lock is not held while the device answers: another processor may ask at the same time.
        private var device: MMIOTransport? { transport.withLock { $0 } }

        /// Not called where the guest has shortcuts.
        func read(_ offset: UInt64, width: Int) -> UInt64 { device?.read(offset, width: width) ?? 0 }

        func write(_ offset: UInt64, _ value: UInt64, width: Int) {
            guard let device else { return }
            device.write(offset, value, width: width)
            // What a driver does last, which is all that is seen of its end.
            if offset == MMIORegister.status.rawValue, device.currentStatus.isEmpty { hotplug.wasReset(device: number) }
        }
    }
#endif
