import Machines
import Testing
import Virtio

@testable import bulkhead_vm

/// What the command line of `bulkhead-vm run` comes to.
@Suite struct OptionTests {
    private func parse(_ words: String...) throws -> Arguments { try Arguments((["--kernel", "k"] + words)[...]) }

    @Test func whatIsNotSaidIsTheDefault() throws {
        let arguments = try parse()
        #expect(arguments.machine == MachineConfiguration(kernel: "k"))
        #expect(arguments.consoles == [ConsoleChoice(.serial, .standard)])
        #expect(!arguments.isVerbose)
    }

    @Test func limitsAreForASecond() throws {
        let machine = try parse(
            "--disk", "d,ro,queues=2,bandwidth=10M,iops=100", "--net", "tap=t,bandwidth=1000M,pps=5000"
        ).machine
        // A bucket for a tenth of a second, so that the first second has little more than the others.
        let time: UInt64 = 100_000_000
        let disk = RateLimiter(
            bandwidth: TokenBucket(size: 1 << 20, refillTime: time),
            operations: TokenBucket(size: 10, refillTime: time))
        #expect(machine.disks == [.init(path: "d", isReadOnly: true, queues: 2, limit: disk)])
        let card = RateLimiter(
            bandwidth: TokenBucket(size: 100 << 20, refillTime: time),
            operations: TokenBucket(size: 500, refillTime: time))
        #expect(machine.networks.map(\.receiveLimit) == [card])
        #expect(machine.networks.map(\.transmitLimit) == [card])
        #expect(TokenBucket(perSecond: 1) == TokenBucket(size: 1, refillTime: 1_000_000_000))
        #expect(TokenBucket(perSecond: 15) == TokenBucket(size: 1, refillTime: 66_666_666))
        #expect(TokenBucket(perSecond: .max).refillTime == 99_999_999)
    }

    @Test func aDiskIsAFileOrASocket() throws {
        let machine = try parse("--disk", "socket=a/b,queues=2", "--disk", "./socket=c").machine
        #expect(machine.disks == [.init(server: .socket("a/b"), queues: 2), .init(path: "./socket=c")])
    }

    @Test func persistentMemoryIsAFile() throws {
        let machine = try parse("--pmem", "a", "--pmem", "b,ro").machine
        #expect(machine.persistentMemory == [.init(path: "a"), .init(path: "b", isReadOnly: true)])
    }

    @Test func aCardIsOnATapASocketOrAPasst() throws {
        let arguments = try parse(
            "--net", "socket=a/b,mac=02:00:00:00:00:01", "--net", "passt,-t8080,--tcp-ports=1:2,mtu=1400", "--net",
            "tap=t", "--net", "passt")
        let ends = arguments.machine.networks.map(\.end)
        #expect(ends == [.socket("a/b"), .connection(Passt.notYet), .tap("t"), .connection(Passt.notYet)])
        #expect(arguments.machine.networks.map(\.mtu) == [nil, 1400, nil, Passt.mtu])
        #expect(arguments.passts == [1: ["-t8080", "--tcp-ports=1:2"], 3: []])
        for text in ["passt=x", "-t,passt", "tap=t,--tcp-ports=1", "passt,mtu=70000"] {
            #expect(throws: Failure.self) { try parse("--net", text) }
        }
    }

    @Test func whatMayComeLaterIsSaid() throws {
        let machine = try parse("--cpus", "1,max=4", "--memory=128M,max=1G").machine
        #expect(machine.processors == 1 && machine.maximumProcessors == 4)
        #expect(machine.memory == 128 << 20 && machine.maximumMemory == 1 << 30)
        let plain = try parse("--cpus", "2,max=4,threads=2", "--cpus", "3").machine
        #expect(plain.processors == 3 && plain.maximumProcessors == nil && plain.threadsPerCore == 1)
        #expect(try parse("--cpus", "2,threads=2").machine.threadsPerCore == 2)
        for words in [
            ["--cpus", "1,4"], ["--cpus", "1,max=x"], ["--cpus", "1,max=2,max=2"], ["--cpus", "1,threads=x"],
            ["--memory", "128,"], ["--memory", "1,max=1,max=2"],
        ] {
            #expect(throws: Failure.self) { try Arguments((["--kernel", "k"] + words)[...]) }
        }
    }

    @Test func aDebuggerHasAnAddress() throws {
        #expect(try parse().debugger == nil)
        #expect(try parse("--gdb", ":1234").debugger == .port(1234))
        #expect(try parse("--gdb=a/socket").debugger == .path("a/socket"))
        for text in [":", ":0", ":65536", ":x", "", String(repeating: "a", count: 108)] {
            #expect(throws: Failure.self) { try parse("--gdb", text) }
        }
    }

    @Test func directoriesAreSharedByTheirTags() throws {
        let machine = try parse("--share", "/srv,tag=files", "--share", "b,ro,tag=other").machine
        #expect(
            machine.sharedDirectories == [
                .init(path: "/srv", tag: "files"), .init(path: "b", tag: "other", isReadOnly: true),
            ])
        #expect(machine.deviceCount == 3)
    }

    @Test func consolesAreOneOfEachKind() throws {
        #expect(try parse("--console", "virtio").consoles == [ConsoleChoice(.virtio, .standard)])
        #expect(try parse("--console=serial,none").consoles == [ConsoleChoice(.serial, .none)])
        #expect(
            try parse("--console", "file=a,b", "--console", "virtio,socket=s", "--console", "socket=t").consoles
                == [ConsoleChoice(.virtio, .socket("s")), ConsoleChoice(.serial, .socket("t"))])
    }

    @Test func theKernelSpeaksWhereSomebodyListens() throws {
        #expect(try parse("--console", "virtio").machine.commandLine == "console=hvc0 panic=-1")
        #expect(try parse("--console", "virtio", "--append", "quiet").machine.commandLine == "quiet")
        #expect(
            try parse("--console", "virtio", "--console", "file=f").machine.commandLine == "console=ttyS0 panic=-1")
    }

    @Test func aBalloonsSizeMayBeLeftOut() throws {
        #expect(try parse("--balloon").machine.balloon == .init(target: 0))
        #expect(try parse("--balloon", "--verbose").machine.balloon == .init(target: 0))
        #expect(try parse("--balloon", "64M").machine.balloon == .init(target: 64 << 20))
        #expect(try parse("--balloon=1G", "--memory", "2G").machine.balloon == .init(target: 1 << 30))
    }
}
