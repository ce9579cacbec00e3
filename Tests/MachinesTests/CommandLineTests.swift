#if arch(x86_64)
    import Glibc
    import KVM
    import Linux
    import TestSupport
    import Testing

    @testable import Machines

    /// `bulkhead-vm` as a person meets it who has made a mistake: one line that names the option, a status that says what
    /// kind of mistake it was, and nothing left behind.
    @Suite struct CommandLineTests {
        private let scratch = Scratch()

        struct Mistake: Sendable, CustomTestStringConvertible {
            var words: [String]
            var complaint: String
            var testDescription: String { words.joined(separator: " ") }
            init(_ words: String..., complaint: String) {
                self.words = words
                self.complaint = complaint
            }
        }

        static let options: [Mistake] = [
            Mistake(complaint: "--kernel is missing"),
            Mistake("--kernel", complaint: "--kernel needs a value"),
            Mistake("--kernel", "k", "--colour", "red", complaint: "unknown option \"--colour\""),
            Mistake("--kernel", "k", "--cpus", "0", complaint: "--cpus: \"0\" is not a positive number"),
            Mistake("--kernel", "k", "--cpus", "33", complaint: "--cpus: 33 processors are not 1 to 32"),
            Mistake("--kernel", "k", "--memory", "much", complaint: "--memory: \"much\" is no size"),
            Mistake("--kernel", "k", "--memory", "15", complaint: "--memory: 15728640 bytes"),
            Mistake("--kernel", "k", "--balloon", "1G", complaint: "--balloon: a balloon of 1073741824 bytes"),
            Mistake("--kernel", "k", "--boot", "bios", complaint: "--boot: \"bios\" is none of auto"),
            Mistake("--kernel", "k", "--disk", "d,speed=9", complaint: "--disk: \"speed=9\" is none of ro"),
            Mistake("--kernel", "k", "--disk", "d,iops=0", complaint: "--disk: iops: \"0\" is not a positive"),
            Mistake("--kernel", "k", "--disk", "d,bandwidth=x", complaint: "--disk: bandwidth: \"x\" is no size"),
            Mistake("--kernel", "k", "--disk", ",ro", complaint: "--disk: a disk's path is empty"),
            Mistake(
                "--kernel", "k", "--disk", "socket=s,ro", complaint: "--disk: a disk that another process serves has"),
            Mistake("--kernel", "k", "--net", "mac=02:00:00:00:00:01", complaint: "--net: \"\" is no name"),
            Mistake("--kernel", "k", "--net", "tap=t,mac=2:0", complaint: "--net: \"2:0\" is no address"),
            Mistake(
                "--kernel", "k", "--net", "tap=t,mac=01:00:00:00:00:01",
                complaint: "--net: \"01:00:00:00:00:01\" is the address of a group"),
            Mistake("--kernel", "k", "--net", "tap=t,pps=-1", complaint: "--net: pps: \"-1\" is not a positive"),
            Mistake("--kernel", "k", "--pmem", "p,rw", complaint: "--pmem: \"rw\" is not ro"),
            Mistake("--kernel", "k", "--pmem", ",ro", complaint: "--pmem: the path of persistent memory is empty"),
            Mistake("--kernel", "k", "--vsock", "three", complaint: "--vsock: \"three\" is not CID,PATH"),
            Mistake("--kernel", "k", "--vsock", "2,s", complaint: "--vsock: the CID 2 is not"),
            Mistake(
                "--kernel", "k", "--vsock", "3,\(String(repeating: "a", count: 108))",
                complaint: "--vsock: a Unix socket's path has 1 to 107 bytes, this one 108"),
            Mistake("--kernel", "k", "--share", "/srv", complaint: "--share: a tag has 1 to 36 bytes, this one 0"),
            Mistake("--kernel", "k", "--share", ",tag=t", complaint: "--share: a shared directory's path is empty"),
            Mistake("--kernel", "k", "--share", "/srv,rw", complaint: "--share: \"rw\" is none of tag=NAME and ro"),
            Mistake(
                "--kernel", "k", "--share", "a,tag=t", "--share", "b,tag=t",
                complaint: "--share: a tag is given twice"),
            Mistake("--kernel", "k", "--console", "file=", complaint: "--console: \"file=\" is none of stdio"),
            Mistake(
                "--kernel", "k", "--console", "stdio", "--console", "virtio",
                complaint: "--console: only one can lead to this terminal"),
            Mistake("--kernel", "k", "--verbose=1", complaint: "--verbose takes no value"),
        ]

        @Test(arguments: options) func aWrongOptionIsNamed(_ mistake: Mistake) throws {
            try expect(try Monitor(["run"] + mistake.words).finish(), 2, mistake.complaint)
        }

        @Test func aCommandIsAskedFor() throws {
            try expect(try Monitor(["walk"]).finish(), 2, "unknown command \"walk\"")
            for words in [["--help"], ["run", "--help"], ["run", "--cpus", "2", "-h"]] {
                let help = try Monitor(words).finish()
                #expect(help.status == 0 && help.out.contains("--kernel FILE") && help.err == "", "\(words)")
            }
        }

        static let documents: [Mistake] = [
            Mistake("{", complaint: ""),
            Mistake("[]", complaint: "the document is not an object"),
            Mistake(#"{"kernel": 1}"#, complaint: "kernel is not a string"),
            Mistake(#"{"kernel": "k", "colour": "red"}"#, complaint: "colour is not known"),
            Mistake(#"{"kernel": "k", "cpus": "two"}"#, complaint: "cpus is not a number that fits"),
            Mistake(#"{"kernel": "k", "cpus": 2.5}"#, complaint: "cpus is not a number that fits"),
            Mistake(#"{"kernel": "k", "memory": "much"}"#, complaint: "memory: \"much\" is no size"),
            Mistake(#"{"kernel": "k", "entropy": "yes"}"#, complaint: "entropy is not true or false"),
            Mistake(#"{"kernel": "k", "disks": {}}"#, complaint: "disks is not a list"),
            Mistake(
                #"{"kernel": "k", "disks": [{"path": "d"}, {"file": "d"}]}"#, complaint: "disks[1].file is not known"),
            Mistake(
                #"{"kernel": "k", "disks": [{"path": "d", "iops": {"size": 9, "refillTime": 0}}]}"#,
                complaint: "disks[0].iops is not a limit"),
            Mistake(
                #"{"kernel": "k", "disks": [{"socket": 1}]}"#, complaint: "disks[0].socket is not a string"),
            Mistake(
                #"{"kernel": "k", "nets": [{"tap": "t", "bandwidth": {"rate": 9}}]}"#,
                complaint: "nets[0].bandwidth.rate is not known"),
            Mistake(#"{"kernel": "k", "nets": [{"tap": "t", "mac": 2}]}"#, complaint: "nets[0].mac is not a string"),
            Mistake(#"{"kernel": "k", "shares": [{"tag": 1}]}"#, complaint: "shares[0].tag is not a string"),
            Mistake(#"{"kernel": "k", "pmem": [{"ro": true}]}"#, complaint: "pmem[0].ro is not known"),
            Mistake(#"{"kernel": "k", "vsock": {"cid": -3}}"#, complaint: "vsock.cid is not a number that fits"),
            Mistake(#"{"kernel": "k", "console": ["stdio", 1]}"#, complaint: "console is not a string"),
            Mistake(#"{"kernel": "k", "console": "lpt"}"#, complaint: "console: \"lpt\" is none of stdio"),
        ]

        @Test(arguments: documents) func aWrongDocumentIsNamed(_ mistake: Mistake) throws {
            let path = try scratch.file("vm.json", Array(mistake.words[0].utf8))
            try expect(try runMonitor("--config", path), 2, "--config \"\(path)\": \(mistake.complaint)")
        }

        @Test func aDocumentThatIsMissingIsNamed() throws {
            try expect(try runMonitor("--config", "/nonexistent"), 1, "--config: ")
        }

        /// Mistakes that show when the machine is made. What was made before them has to go again.
        @Test(.needs(.kvm)) func whatIsNotThereIsNamed() throws {
            let kernel = try scratch.file("kernel", TestELF().bytes)
            let text = try scratch.file("text", Array("not a kernel, but a text of some length".utf8))
            let truncated = try scratch.file("truncated", Array(TestELF(memorySize: 1 << 20).bytes.dropLast(1)))
            let image = try scratch.file("image", Array(TestBzImage().bytes.prefix(0x300)))
            let large = try scratch.hole("large", size: 64 << 20)
            let small = try scratch.file("small", [1, 2, 3])
            let taken = try scratch.file("taken", [])
            let (socket, console) = ("\(scratch.path)/vsock", "\(scratch.path)/console")
            func fails(
                _ status: CInt, _ complaint: String, kernel path: String? = nil, _ words: String...,
                sourceLocation: SourceLocation = #_sourceLocation
            ) throws {
                // Every one of them has a socket that was made by then, or would be.
                let common = [
                    "run", "--accept-emulation", "--memory", "32", "--kernel", path ?? kernel, "--console",
                    "socket=\(console)",
                ]
                let vsock = words.contains("--vsock") ? [] : ["--vsock", "3,\(socket)"]
                try expect(
                    try Monitor(common + vsock + words).finish(), status, complaint, sourceLocation: sourceLocation)
                #expect(access(socket, F_OK) != 0 && access(console, F_OK) != 0, sourceLocation: sourceLocation)
            }
            try fails(1, "--kernel: ", kernel: "/nonexistent")
            try fails(2, "--kernel: \"/tmp\" is not a regular file", kernel: "/tmp")
            try fails(3, "--kernel: it is no kernel", kernel: text)
            try fails(3, "--kernel: the file is truncated", kernel: truncated)
            try fails(3, "--kernel: the file is truncated", kernel: image)
            try fails(1, "--initrd: ", "--initrd", "/nonexistent")
            try fails(3, "--initrd: 67108864 bytes do not fit", "--initrd", large)
            try fails(3, "--append: the command line has 3000 bytes", "--append", String(repeating: "a", count: 3000))
            try fails(1, "--disk: ", "--disk", "/nonexistent")
            try fails(1, "--disk: ", "--disk", scratch.path)
            try fails(1, "--pmem: ", "--pmem", "/nonexistent")
            try fails(1, "--pmem: use \"\(taken)\" as persistent memory: ", "--pmem", taken)
            try fails(1, "--pmem: use \"/dev/null\" as persistent memory: ", "--pmem", "/dev/null,ro")
            try fails(1, "--share: ", "--share", "/nonexistent,tag=t")
            try fails(1, "--share: ", "--share", "\(small),tag=t")
            try fails(1, "--vsock: ", "--vsock", "3,\(taken)")
            try fails(1, "--vsock: ", "--vsock", "3,/nonexistent/socket")
        }

        @Test(.needs(.kvm)) func aConsoleThatCanNotBeIsNamed() throws {
            let kernel = try scratch.file("kernel", TestELF().bytes)
            let taken = try scratch.file("taken", [])
            for console in ["socket=\(taken)", "virtio,socket=\(taken)", "file=/nonexistent/file"] {
                try expect(
                    try runMonitor("--accept-emulation", "--kernel", kernel, "--console", console), 1, "--console: ")
            }
            #expect(access(taken, F_OK) == 0)
        }

        @Test(.needs(.kvm)) func memoryThatTheHostRefusesIsNamed() throws {
            let kernel = try scratch.file("kernel", TestELF().bytes)
            try expect(
                try runMonitor(
                    "--accept-emulation", "--kernel", kernel, "--memory", "8G",
                    prefix: ["prlimit", "--as=\(4 << 30)"]), 1, "--memory: ")
        }

        @Test(.needs(.testVM)) func aTapInUseIsNamed() throws {
            let kernel = try scratch.file("kernel", TestELF(code: [0xf4, 0xeb, 0xfd]).bytes)
            let socket = "\(scratch.path)/vsock"
            // Made by the first, so it goes with it.
            let first = try Monitor(["run", "--kernel", kernel, "--net", "tap=inuse", "--vsock", "3,\(socket)"])
            #expect(eventually(60) { access(socket, F_OK) == 0 })
            #expect(access("/sys/class/net/inuse", F_OK) == 0)
            try expect(try runMonitor("--kernel", kernel, "--net", "tap=inuse"), 1, "--net: ")
            first.signal(SIGTERM)
            #expect(try first.finish().status == 128 + SIGTERM)
            #expect(access("/sys/class/net/inuse", F_OK) != 0)
            #expect(access(socket, F_OK) != 0)
        }

        @Test(.needs(.kvm)) func aHostThatEmulatesIsRefusedInOneLine() throws {
            let powerOff: [UInt8] = [0x66, 0xba, 0x00, 0x06, 0xb0, 0x34, 0xee, 0xf4]
            let kernel = try scratch.file("kernel", TestELF(code: powerOff).bytes)
            let socket = "\(scratch.path)/vsock"
            let outcome = try runMonitor("--kernel", kernel, "--vsock", "3,\(socket)")
            if try Hypervisor().measureRingZero().isReal {
                #expect(outcome.status == 0, "\(outcome.err)")
            } else {
                try expect(outcome, 1, "/dev/kvm emulates ring 0")
            }
            #expect(access(socket, F_OK) != 0)
        }

        private func expect(
            _ outcome: Monitor.Outcome, _ status: CInt, _ complaint: String,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            #expect(outcome.status == status, "\(outcome.err)", sourceLocation: sourceLocation)
            #expect(
                outcome.err.hasPrefix("bulkhead-vm: \(complaint)"), "\(outcome.err)", sourceLocation: sourceLocation)
            #expect(outcome.err.count { $0 == "\n" } == 1, "\(outcome.err)", sourceLocation: sourceLocation)
            #expect(outcome.out == "", sourceLocation: sourceLocation)
        }
    }
#endif
