import Glibc
import Linux
import Machines

/// How the program ends. The numbers are a promise to scripts; Docs/MicroVM.md lists them.
struct ExitStatus: Hashable {
    let rawValue: CInt

    /// The guest switched its machine off.
    static let powerOff = ExitStatus(rawValue: 0)
    /// The host refused something: KVM, memory, a file, a tap.
    static let refused = ExitStatus(rawValue: 1)
    /// The command line or the configuration's file is wrong.
    static let usage = ExitStatus(rawValue: 2)
    /// The kernel or the initial RAM disk is not what it should be.
    static let badImage = ExitStatus(rawValue: 3)
    /// The guest reset its machine.
    static let reset = ExitStatus(rawValue: 10)
    /// The guest's kernel panicked.
    static let panic = ExitStatus(rawValue: 11)
    /// A triple fault.
    static let tripleFault = ExitStatus(rawValue: 12)
    /// KVM or this program could not go on.
    static let failed = ExitStatus(rawValue: 13)
    /// The person at the terminal typed the escape sequence.
    static let quit = ExitStatus(rawValue: 14)

    // What Firecracker ends with besides 0 and 1.

    /// A system call that the filter does not allow.
    static let badSystemCall = ExitStatus(rawValue: 148)
    /// A configuration file, or a level of the log, that is wrong.
    static let badConfiguration = ExitStatus(rawValue: 152)
    /// A command line that is wrong.
    static let badArguments = ExitStatus(rawValue: 153)

    /// Those that are waited for. The program is ended by the signal itself once all is put right.
    static let signals: [Signal] = [.hangUp, .interrupt, .terminate]
    /// A signal ended it, as a shell says it.
    static func signal(_ number: CInt) -> ExitStatus { ExitStatus(rawValue: 128 + number) }

    init(rawValue: CInt) { self.rawValue = rawValue }

    init(_ ending: Ending) {
        self =
            switch ending {
            case .powerOff: .powerOff
            case .reset: .reset
            case .panic: .panic
            case .tripleFault: .tripleFault
            case .stopped: .quit
            case .failed: .failed
            }
    }
}

/// What ends the program before a guest ran.
struct Failure: Error {
    var status: ExitStatus
    /// One line.
    var message: String

    init(_ status: ExitStatus, _ message: String) {
        self.status = status
        self.message = message
    }

    init(_ error: MachineError) {
        status =
            switch error.reason {
            case .configuration: .usage
            case .image: .badImage
            case .refused, .backend, .emulated, .snapshot: .refused
            }
        message = (error.part.option.map { "\($0): " } ?? "") + error.description
    }
}

extension MachineError.Part {
    /// The option that says it.
    var option: String? {
        switch self {
        case .kernel: "--kernel"
        case .initialRAMDisk: "--initrd"
        case .commandLine: "--append"
        case .processors: "--cpus"
        case .memory: "--memory"
        case .balloon: "--balloon"
        case .disk: "--disk"
        case .network: "--net"
        case .persistentMemory: "--pmem"
        case .vsock: "--vsock"
        case .sharedDirectory: "--share"
        case .console: "--console"
        case .debugger: "--gdb"
        case .machine, .snapshot, .hotplugMemory: nil
        }
    }
}

/// Says what is wrong, in one line on standard error.
func complain(_ message: String) {
    let line = Array("bulkhead-vm: \(message)\n".utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
