import CConfinement
import Glibc
import Linux
import Machines
import Seccomp
import Synchronization

/// What the threads of this program may ask of the kernel: a seccomp filter for each kind of thread, which the thread puts
/// on before it does anything for the guest.
///
/// ```swift
/// let confinement = try Confinement(.own)
/// try machine.start(preparing: confinement.preparation)
/// try confinement.confine(.main)
/// ```
///
/// A call that a filter forbids ends the process with status 148 and one line that names the call and the kind of thread.
/// A thread inherits the filters of its maker, and is under both: the main thread puts its own on when the machine's
/// threads are there.
final class Confinement: Sendable {
    /// Whose filters.
    enum Choice: Hashable, Sendable {
        /// This program's.
        case own
        /// Those in a file; see ``FilterFile``.
        case file(String)
        case none
    }

    private let isOn: Bool
    /// Those of a file, and of this program's own those that a thread has needed. A list, as there are few.
    private let programs: Mutex<[(role: ThreadRole, program: SeccompProgram)]>

    /// Compiles the filters of a file, and makes ready for what filters forbid.
    ///
    /// - Throws: for a file that can't be read or is wrong.
    init(_ choice: Choice) throws(Failure) {
        var programs: [(role: ThreadRole, program: SeccompProgram)] = []
        switch choice {
        case .none, .own: break
        case .file(let path):
            for (role, profile) in try FilterFile(path: path).profiles {
                do throws(SeccompError) { programs.append((role, try profile.compile().program)) } catch {
                    throw Failure(.usage, "the seccomp filter of the thread \(role): \(error)")
                }
            }
        }
        self.programs = Mutex(programs)
        isOn = choice != .none
        guard isOn else { return }
        let error = bh_confinement_begin("bulkhead-vm")
        guard error == 0 else {
            throw Failure(.refused, SystemError("handle SIGSYS", Errno(rawValue: error)).description)
        }
    }

    /// What a machine's threads do first. The filters of those that every machine has are made now, in memory that the
    /// calling thread has already.
    var preparation: ThreadPreparation {
        if isOn { for role in [ThreadRole.processor, .devices, .serial] { _ = program(for: role) } }
        return { [self] role throws(MachineError) in try confine(role) }
    }

    private func program(for role: ThreadRole) -> SeccompProgram {
        programs.withLock { programs in
            if let known = programs.first(where: { $0.role == role }) { return known.program }
            let program = CompiledFilters.program(of: role, process: UInt32(getpid()))
            programs.append((role, program))
            return program
        }
    }

    /// Puts the calling thread under its kind's filter, for good.
    func confine(_ role: ThreadRole) throws(MachineError) {
        guard isOn else { return }
        // Static, for a signal's handler to read.
        bh_confinement_name_thread(role.staticName)
        do throws(SeccompError) { try program(for: role).install(noNewPrivileges: true) } catch {
            throw MachineError(
                .machine, .refused(SystemError("put the thread \(role) under its seccomp filter", error.errno)))
        }
    }
}

extension SeccompError {
    /// Why a filter could not be put on.
    fileprivate var errno: Errno { if case .system(let error) = self { error.errno } else { .invalidArgument } }
}

extension ThreadRole {
    /// The thread that this program begins with: it waits for the guest's end and for signals, and cleans up.
    static let main = ThreadRole(rawValue: "vmm")
    /// The thread that serves the API, if it is not the main one.
    static let api = ThreadRole(rawValue: "api")
    /// A console's other end.
    static let console = ThreadRole(rawValue: "console")

    /// Every kind of thread that this program has.
    static let all: [ThreadRole] = [.main, .api, .devices, .share, .serial, .console, .processor, .debugger]

    /// The kind's name for as long as the process runs.
    fileprivate var staticName: UnsafePointer<CChar> {
        func pointer(_ text: StaticString) -> UnsafePointer<CChar> {
            UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
        }
        return switch self {
        case .main: pointer("vmm")
        case .api: pointer("api")
        case .devices: pointer("devices")
        case .share: pointer("share")
        case .serial: pointer("serial")
        case .console: pointer("console")
        case .processor: pointer("vcpu")
        default: pointer("unnamed")
        }
    }
}
