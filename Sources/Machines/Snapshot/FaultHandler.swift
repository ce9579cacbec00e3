#if arch(x86_64)
    import GuestMemory
    import Linux

    /// A process that answers the page faults of a restored guest, as Firecracker's clients have them: it listens at a Unix
    /// socket, and gets one message with the pieces of memory as JSON and the descriptor of their faults.
    final class FaultHandler: Sendable {
        /// Kept open: a handler that is gone stops the guest, which would go on with zeros otherwise.
        private let faults: PageFaults
        /// By its end the handler sees that the machine is gone.
        private let socket: Descriptor

        /// - Throws: what the host refuses, and when nobody listens.
        init(of memory: GuestMemory, at path: String) throws(SystemError) {
            faults = try PageFaults(of: memory)
            socket = try UnixSocket.connect(to: path)
            try UnixSocket.send(faults.descriptor, with: Array(Self.message(memory).utf8), over: socket)
        }

        private static func message(_ memory: GuestMemory) -> String {
            var offset: UInt64 = 0
            let regions = (0..<memory.regionCount).map { index in
                memory.withRegion(index) { region in
                    defer { offset += region.size }
                    let page = region.pageSize.size
                    let address = UInt(bitPattern: region.hostAddress)
                    // The last name is wrong, and Firecracker's all the same.
                    return "{\"base_host_virt_addr\":\(address),\"size\":\(region.size),\"offset\":\(offset),"
                        + "\"page_size\":\(page),\"page_size_kib\":\(page)}"
                }
            }
            return "[\(regions.joined(separator: ","))]"
        }
    }
#endif
