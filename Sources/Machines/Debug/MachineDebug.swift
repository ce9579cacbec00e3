#if arch(x86_64)
    import Linux

    extension Machine {
        /// Lets a debugger at the guest: GDB's `target remote`. The guest stands before its first instruction until one
        /// has come and lets it go on. Each processor is a thread; addresses are the guest's own.
        ///
        /// To be called before ``Machine/start(preparing:)``.
        ///
        /// - Returns: the port where ``DebugAddress/port(_:)`` is asked for.
        /// - Throws: ``MachineError`` for a path or port that can't be had.
        @discardableResult
        public func serveDebugger(at address: DebugAddress) throws(MachineError) -> UInt16? {
            try building(.debugger) { () throws(SystemError) in
                let server = try GDBServer(address, memory, lifecycle)
                for processor in processors { processor.seat = try server.makeSeat(processor.kicker) }
                debugger.withLock { $0 = server }
                return server.port
            }
        }
    }
#endif
