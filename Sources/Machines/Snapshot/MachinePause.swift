#if arch(x86_64)
    import KVM
    import Linux
    import Virtio

    extension Machine {
        /// Stops the guest where it is: its processors, its devices and its serial port. Nothing of the machine uses a
        /// processor of the host's then, and neither guest memory nor a disk changes. It has no effect on a machine that
        /// is paused. From any thread; it returns when all is still.
        ///
        /// ``stop()`` ends a paused machine as it ends any other.
        ///
        /// - Throws: ``MachineError`` for a machine that was not started, or has ended, or that a debugger may stop.
        public func pause() throws(MachineError) {
            try control.withLock { (isPaused) throws(MachineError) in
                if isPaused { return }
                try checkRunning("paused")
                // A processor that rests for the debugger would not come.
                guard debugger.withLock({ $0 == nil }) else {
                    throw MachineError(.debugger, "a machine with a debugger can't be paused")
                }
                gate.close()
                for processor in processors { processor.kicker.kick() }
                relay.nudge()
                gate.waitForAll()
                guard !lifecycle.isOver else {
                    gate.open()
                    throw MachineError(.machine, "a machine that has ended can't be paused")
                }
                // After the processors, which could otherwise wait for a device that does not answer.
                for transport in transports { transport.pause() }
                isPaused = true
            }
        }

        /// Lets the guest go on after ``pause()``, or for the first time after a restore. It has no effect on a machine
        /// that runs. A guest with a paravirtual clock is told that it was stopped, so that its watchdogs keep still.
        ///
        /// - Throws: ``MachineError`` for a machine that was not started, or has ended.
        public func resume() throws(MachineError) {
            try control.withLock { (isPaused) throws(MachineError) in
                try checkRunning("resumed")
                guard isPaused else { return }
                for transport in transports { transport.resume() }
                isPaused = false
                gate.open()
            }
        }

        /// Whether the guest is stopped by ``pause()``, or was restored and not resumed yet.
        public var isPaused: Bool { control.withLock { $0 } }

        private func checkRunning(_ what: String) throws(MachineError) {
            if lifecycle.isOver { throw MachineError(.machine, "a machine that has ended can't be \(what)") }
            guard threads.withLock({ !$0.isEmpty }) else {
                throw MachineError(.machine, "a machine that was not started can't be \(what)")
            }
        }
    }
#endif
