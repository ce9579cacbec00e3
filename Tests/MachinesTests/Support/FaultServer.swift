#if arch(x86_64)
    import Glibc
    import Linux
    import OCI
    import Testing

    @testable import Machines

    /// Answers page faults from a file until the machine is gone: another process, or here a thread, that knows Firecracker's
    /// message and the kernel's `Documentation/admin-guide/mm/userfaultfd.rst`.
    struct FaultServer: Sendable {
        private struct Region {
            var base: UInt64
            var size: UInt64
            var offset: UInt64
        }

        /// `UFFDIO_COPY`.
        private static let copy: UInt = 0xc028_aa03
        /// `UFFD_EVENT_PAGEFAULT`.
        private static let pageFault: UInt8 = 0x12

        /// - Parameters:
        ///   - size: the memory's.
        ///   - page: that of its pages.
        static func serve(_ listener: borrowing Descriptor, _ path: String, size: UInt64, page: Int = 4096) {
            do {
                try listener.waitReadable()
                let socket = try UnixSocket.accept(on: listener)
                var received: Descriptor?
                let text = String(decoding: try UnixSocket.receive(from: socket, descriptor: &received), as: UTF8.self)
                let regions = try #require(try JSON(parsing: text).arrayValue).map { region in
                    #expect(region["page_size"] == JSON(page) && region["page_size_kib"] == JSON(page))
                    func number(_ name: String) throws -> UInt64 {
                        try #require(region[name]?.integerValue(as: UInt64.self))
                    }
                    return Region(
                        base: try number("base_host_virt_addr"), size: try number("size"), offset: try number("offset"))
                }
                #expect(regions.reduce(0) { $0 + $1.size } == size)
                guard let faults = received.take() else { throw SystemError("receive", .invalidArgument) }
                let file = try Descriptor.open(path, .readOnly)
                while true {
                    var polled = [
                        pollfd(fd: faults.rawValue, events: Int16(POLLIN), revents: 0),
                        pollfd(fd: socket.rawValue, events: Int16(POLLIN), revents: 0),
                    ]
                    guard poll(&polled, 2, 150_000) > 0, polled[1].revents == 0 else { return }
                    try answer(faults, file, regions, page)
                }
            } catch { Issue.record(error) }
        }

        private static func answer(
            _ faults: borrowing Descriptor, _ file: borrowing Descriptor, _ regions: [Region], _ size: Int
        ) throws {
            guard let message = try? faults.read(upTo: 32), message.first == pageFault else { return }
            let page = message.load(UInt64.self, at: 16) & ~UInt64(size - 1)
            let region = try #require(regions.first { page >= $0.base && page - $0.base < $0.size })
            let number = file.rawValue
            var bytes = [UInt8](repeating: 0, count: size)
            let place = off_t(page - region.base + region.offset)
            #expect(bytes.withUnsafeMutableBytes { pread(number, $0.baseAddress, size, place) } == size)
            let target = faults.rawValue
            bytes.withUnsafeBytes { source in
                var request: [UInt64] = [page, UInt64(UInt(bitPattern: source.baseAddress)), UInt64(size), 0, 0]
                _ = request.withUnsafeMutableBytes { ioctl(target, copy, $0.baseAddress!) }
            }
        }
    }
#endif
