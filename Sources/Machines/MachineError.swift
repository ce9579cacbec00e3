import GuestMemory
import KVM
import Linux
import Virtio

/// Why a machine could not be made or kept running. It names the part of the configuration that is at fault, and reads
/// as one line.
public struct MachineError: Error, Hashable, Sendable {
    /// A part of a ``MachineConfiguration``.
    public enum Part: String, Hashable, Sendable {
        case kernel, initialRAMDisk, commandLine, processors, memory, hotplugMemory, balloon, disk, network,
            persistentMemory, vsock,
            sharedDirectory, console, debugger
        /// A file that a machine was, or is to be, saved in.
        case snapshot
        /// What every machine has: KVM itself, interrupt controllers, threads.
        case machine
    }

    /// What kind of failure it is.
    public enum Reason: Hashable, Sendable {
        /// The configuration asks for what can't be.
        case configuration(String)
        /// An image is not what it should be.
        case image(ImageError)
        /// The host refused.
        case refused(SystemError)
        /// Another process does not serve a device.
        case backend(VhostUserError)
        /// A snapshot can't be taken up.
        case snapshot(SnapshotError)
        #if arch(x86_64)
            /// A kernel would not finish booting on this host.
            case emulated(RingZero)
        #endif
    }

    public var part: Part
    public var reason: Reason

    public init(_ part: Part, _ reason: Reason) {
        self.part = part
        self.reason = reason
    }

    init(_ part: Part, _ error: SystemError) { self.init(part, Reason.refused(error)) }
    init(_ part: Part, _ message: String) { self.init(part, Reason.configuration(message)) }

    init(_ part: Part, _ error: GuestMemoryError) {
        if case .refused(let refusal) = error {
            self.init(part, refusal)
        } else {
            self.init(part, error.description)
        }
    }
}

extension MachineError: CustomStringConvertible {
    public var description: String {
        switch reason {
        case .configuration(let message): message
        case .image(let error): error.description
        case .refused(let error): error.description
        case .backend(let error): error.description
        case .snapshot(let error): error.description
        #if arch(x86_64)
            case .emulated(let ringZero): ringZero.description
        #endif
        }
    }
}

/// Runs a part of a machine's set-up; a refusal by the host names the part.
func building<Result: ~Copyable>(
    _ part: MachineError.Part, _ body: () throws(SystemError) -> Result
) throws(MachineError) -> Result {
    do throws(SystemError) { return try body() } catch { throw MachineError(part, error) }
}
