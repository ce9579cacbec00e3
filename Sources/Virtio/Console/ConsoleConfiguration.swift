import CLinux
import CVirtio
import Linux

extension Features {
    /// Of a console; virtio 1.2, section 5.3.3.
    public enum Console {
        /// `VIRTIO_CONSOLE_F_SIZE`
        public static let size = Features(bit: 0)
        /// `VIRTIO_CONSOLE_F_MULTIPORT`
        public static let multiplePorts = Features(bit: 1)
        /// `VIRTIO_CONSOLE_F_EMERG_WRITE`
        public static let emergencyWrite = Features(bit: 2)
    }
}

extension Console {
    private static let emergencyOffset = 8

    /// `struct virtio_console_config`; section 5.3.4.
    public func configuration() -> [UInt8] {
        var space = ConfigurationSpace(size: 12)
        space.set(size.columns, at: 0)
        space.set(size.rows, at: 2)
        space.set(UInt32(ports.count), at: 4)
        return space.bytes
    }

    /// A byte for the first port from a guest that has no queues yet, or no longer.
    public func writeConfiguration(at offset: Int, _ bytes: [UInt8]) {
        guard offset == Console.emergencyOffset, let byte = bytes.first else { return }
        ports[0].writeEmergency(byte)
    }
}

extension ConsolePort {
    func writeEmergency(_ byte: UInt8) {
        switch output {
        case .some(let output):
            var byte = byte
            unsafe withUnsafeMutableBytes(of: &byte) {
                var vector = unsafe iovec(iov_base: $0.baseAddress, iov_len: 1)
                unsafe _ = bh_write_quietly(output.rawValue, &vector, 1)
            }
        case nil: break
        }
    }
}
