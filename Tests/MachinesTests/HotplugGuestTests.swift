#if arch(x86_64)
    import Linux
    import TestSupport
    import Testing

    @testable import Machines
    @testable import bulkhead_vm

    // In the suite of machines, so that they boot one after the other.
    extension MachineTests {
        /// Debian's kernel with the initramfs of `scripts/vm-demo`, which waits for what comes.
        @Suite(.needs(.testVM), .serialized) struct HotplugGuestTests {
            private let scratch = Scratch()

            @Test func whatComesWhileItRunsIsThere() throws {
                let (kernel, files) = (try #require(debianKernel), try #require(demoFiles))
                var configuration = MachineConfiguration(kernel: kernel.elf)
                configuration.initialRAMDisk = "\(files)/initramfs.cpio"
                configuration.commandLine = "console=ttyS0 quiet panic=-1 demo.hotplug"
                configuration.maximumProcessors = 2
                // As old as a processor of Firecracker's own templates for these: Linux takes it, and the second one.
                configuration.processorTemplate = StaticTemplate.t2a.template
                configuration.maximumMemory = 512 << 20
                configuration.spareDevices = 2
                configuration.disks = [.init(path: "\(files)/disk.img", isReadOnly: true)]
                let pipe = try Pipe()
                let machine = try Machine(
                    configuration, console: SerialEnds(output: try pipe.writeEnd.duplicate()))
                try machine.start()
                defer {
                    machine.stop()
                    _ = machine.wait()
                }
                var text = ""
                func more() throws { text += String(decoding: try pipe.readEnd.next(), as: UTF8.self) }
                func read(until end: String) throws { while !text.contains(end) { try more() } }
                try read(until: "hotplug      waiting")
                #expect(text.contains("processors   1\r\n"), "\(text)")
                try machine.addProcessors(1)
                try read(until: "2 processors")
                try machine.addMemory(128 << 20)
                while text.split(separator: " MiB\r\n", omittingEmptySubsequences: false).count < 3 { try more() }
                let later = text.split(whereSeparator: \.isNewline).filter { $0.hasSuffix(" MiB") }
                let sizes = later.compactMap { $0.split(separator: " ").dropLast().last.flatMap { Int($0) } }
                // Some of it goes into the kernel's own books.
                #expect(sizes.count == 2 && sizes[1] - sizes[0] > 100, "\(text)")
                let disk = try scratch.file("disk", Array("from the new one".utf8) + [UInt8](repeating: 0, count: 4080))
                try machine.addDisk(.init(path: disk, isReadOnly: true))
                #expect(machine.wait() == .powerOff)
                try pipe.readEnd.setNonBlocking(true)
                while let more = try? pipe.readEnd.read(upTo: 65536), !more.isEmpty {
                    text += String(decoding: more, as: UTF8.self)
                }
                #expect(text.contains("4096 bytes: from the new one"), "\(text)")
                #expect(machine.faults.isEmpty)
            }
        }
    }
#endif
