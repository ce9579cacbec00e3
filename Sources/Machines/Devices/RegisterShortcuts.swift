#if arch(x86_64)
    import KVM
    import Linux
    import Virtio

    /// What spares a guest leaving at each interrupt of a virtio device: it reads registers as memory, and the kernel keeps
    /// its acknowledgements until a device asks for them.
    struct RegisterShortcuts {
        /// A page for each place.
        private let pages: RegisterPages
        private let writes: CoalescedWrites

        /// Behind those of persistent memory, before those of hot-plug memory.
        private static let memorySlot: UInt32 = 300

        /// - Parameters:
        ///   - count: places for devices.
        ///   - vcpu: any of the machine's.
        /// - Returns: nil where this host's KVM lacks one of the two.
        static func make(
            _ count: Int, _ vm: borrowing VirtualMachine, _ vcpu: borrowing VCPU
        ) throws(SystemError) -> RegisterShortcuts? {
            guard count > 0, vm.supports(.readOnlyMemory), vm.supports(.coalescedMMIO) else { return nil }
            let shortcuts = RegisterShortcuts(
                pages: try RegisterPages(count: count), writes: try vcpu.coalescedWrites(of: vm))
            try vm.setMemory(
                slot: memorySlot, at: AddressMap.firstDevice, shortcuts.pages.memory, flags: .readOnly)
            return shortcuts
        }

        func page(_ place: Int) -> RegisterPage { pages.page(place) }

        /// The kernel's part for a place: to be begun before its device interrupts, and ended after.
        func begin(_ place: ACPITables.DevicePlace, _ vm: borrowing VirtualMachine) throws(SystemError) {
            try vm.keepWrites(at: Self.acknowledgement(place), size: 4)
        }

        func end(_ place: ACPITables.DevicePlace, _ vm: borrowing VirtualMachine) {
            try? vm.stopKeepingWrites(at: Self.acknowledgement(place), size: 4)
            handOnAcknowledgements()
        }

        private static func acknowledgement(_ place: ACPITables.DevicePlace) -> UInt64 {
            place.address + MMIORegister.interruptAcknowledge.rawValue
        }

        /// Hands on those of all devices.
        func handOnAcknowledgements() {
            writes.take { address, size, value in
                guard size == 4, address >= AddressMap.firstDevice else { return }
                let place = Int((address - AddressMap.firstDevice) / MMIOTransport.size)
                guard place < pages.count else { return }
                pages.page(place).acknowledge(UInt32(truncatingIfNeeded: value))
            }
        }
    }

    /// A virtio device's interrupt, with acknowledgements that KVM may keep.
    final class DeviceLine: InterruptLine {
        let interrupt: EventInterrupt
        private let shortcuts: RegisterShortcuts?

        init(_ shortcuts: RegisterShortcuts?) throws(SystemError) {
            interrupt = try EventInterrupt()
            self.shortcuts = shortcuts
        }

        func raise() { interrupt.raise() }

        var event: EventInterrupt? { interrupt }

        func handOnAcknowledgements() { shortcuts?.handOnAcknowledgements() }
    }
#endif
