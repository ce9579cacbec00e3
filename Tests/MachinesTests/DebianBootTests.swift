#if arch(x86_64)
    import Glibc
    import Linux
    import Synchronization
    import Testing
    import TestSupport

    @testable import Machines

    // In the other suite of machines: one after the other, as that one counts what is open.
    extension MachineTests {
        /// Debian's kernel, unmodified, with the initramfs and the disk of `scripts/vm-demo`.
        @Suite(.needs(.testVM), .serialized) struct DebianBootTests {
            enum Image: CaseIterable { case bzImage, elf }

            /// Boots, and says how it ended and what the console showed.
            private func boot(
                _ image: Image, _ bootProtocol: BootProtocol = .automatic, processors: Int = 1, append: String = "",
                _ change: (inout MachineConfiguration) -> Void = { _ in }
            ) throws -> (ending: Ending, console: String) {
                let files = try #require(demoFiles)
                let kernel = try #require(debianKernel)
                var configuration = MachineConfiguration(kernel: image == .elf ? kernel.elf : kernel.image)
                configuration.bootProtocol = bootProtocol
                configuration.initialRAMDisk = "\(files)/initramfs.cpio"
                configuration.commandLine = "console=ttyS0 quiet panic=-1 \(append)"
                configuration.processors = processors
                configuration.disks = [.init(path: "\(files)/disk.img", isReadOnly: true)]
                change(&configuration)
                let scratch = Scratch()
                let path = try scratch.file("console", [])
                let machine = try Machine(
                    configuration, console: SerialEnds(output: try Descriptor.open(path, [.writeOnly])))
                try machine.start()
                let watchdog = try MachineThread("watchdog") { [weak machine] in
                    // Far above what a boot takes in an emulated machine.
                    for _ in 0..<1800 where machine.map({ $0.ending == nil }) == true { usleep(100_000) }
                    machine?.stop()
                }
                let ending = machine.wait()
                watchdog.join()
                return (ending, try readText(path))
            }

            @Test(arguments: [
                (Image.bzImage, BootProtocol.automatic, 1), (.elf, .pvh, 2), (.elf, .linux64, 4),
            ])
            func itBootsAndSwitchesOff(_ image: Image, _ bootProtocol: BootProtocol, _ processors: Int) throws {
                let (ending, console) = try boot(image, bootProtocol, processors: processors)
                #expect(ending == .powerOff, "\(console)")
                #expect(console.contains("processors   \(processors)"), "\(console)")
                #expect(console.contains("disk         hello from the disk (16777216 bytes)"), "\(console)")
                #expect(console.contains("reboot: Power down"), "\(console)")
            }

            @Test func everyDeviceHasItsDriver() throws {
                let (files, fixed) = (Scratch(), Scratch())
                _ = try files.file("hello", Array("hello from the share".utf8))
                for number in 0..<300 { _ = try files.file("many-\(number)", []) }
                _ = try fixed.file("hello", Array("hello from the other".utf8))
                let (ending, console) = try boot(.elf, append: "demo.share") {
                    $0.sharedDirectories = [
                        .init(path: files.path, tag: "files"), .init(path: fixed.path, tag: "fixed", isReadOnly: true),
                    ]
                    $0.balloon = .init(target: 16 << 20)
                    $0.vsock = .init(cid: 3, path: "/tmp/bulkhead-vsock-test")
                }
                #expect(ending == .powerOff, "\(console)")
                for driver in ["virtio_blk", "virtio_rng", "virtio_balloon", "vmw_vsock_virtio_transport", "virtiofs"] {
                    #expect(console.contains(driver), "\(console)")
                }
                try checkShares(files.path, fixed.path, console)
                #expect(access("/tmp/bulkhead-vsock-test", F_OK) != 0)
            }

            /// What the guest found in the shared directories, and what it left there.
            private func checkShares(_ files: String, _ fixed: String, _ console: String) throws {
                defer { system("rm -rf '\(files)/made'") }
                for line in [
                    "share        hello from the share", "many         300", "links        written 2",
                    "large        same", "listed       copy large link moved second", "gone         still here",
                    "fixed        hello from the other", "refused      2",
                ] {
                    #expect(console.contains("  \(line)\r\n"), "\(line): \(console)")
                }
                #expect(try readText("\(files)/made/second") == "written\n")
                #expect(system("cmp -s '\(files)/made/large' '\(files)/made/copy'") == 0)
                #expect(system("test \"$(stat -c %s '\(files)/made/large')\" = 2097152") == 0)
                #expect(system("test -L '\(files)/made/link' -a ! -e '\(files)/made/open'") == 0)
                #expect(system("ls '\(fixed)' | grep -qxF hello && test \"$(ls '\(fixed)' | wc -l)\" = 1") == 0)
            }

            @Test func itsResetIsSeen() throws {
                let (ending, console) = try boot(.elf, append: "demo.reset")
                #expect(ending == .reset, "\(console)")
                #expect(try boot(.elf, append: "demo.reset reboot=k").ending == .reset)
            }

            @Test func itsPanicIsSeen() throws {
                let (ending, console) = try boot(.elf, append: "demo.panic")
                #expect(ending == .panic, "\(console)")
            }

            @Test func aDiskThatIsWrittenKeepsIt() throws {
                // The guest's own file system, on a copy that it may write to.
                let (ending, console) = try boot(.elf, append: "demo.write") { configuration in
                    configuration.disks[0].isReadOnly = false
                }
                #expect(ending == .powerOff, "\(console)")
                // Not by searching in Swift, which takes minutes for so much where all is emulated.
                let disk = "\(try #require(demoFiles))/disk.img"
                #expect(system("grep -qaF 'written by the guest' '\(disk)'") == 0)
            }
        }
    }
#endif
