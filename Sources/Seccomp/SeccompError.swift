import CLinux
import Linux

/// Why a profile could not be compiled, a program not be read, or a filter not be installed.
public enum SeccompError: Error, Hashable, Sendable {
    case unknownAction(String)
    case unknownArchitecture(String)
    case unknownComparison(String)
    case unknownFlag(String)
    /// Neither libseccomp nor this library knows the call on that architecture.
    case unknownSystemCall(String, SeccompArchitecture)
    /// libseccomp has no table of this architecture's calls.
    case architectureNotSupported(SeccompArchitecture)
    /// The direct compiler does not know how this architecture bundles calls.
    case needsLibrary(SeccompArchitecture)
    /// One filter can't serve two byte orders.
    case mixedByteOrders(SeccompArchitecture, SeccompArchitecture)
    /// Only `ERRNO` and `TRACE` carry data.
    case dataNotTaken(action: String)
    /// An error number above 4095, or data of more than 16 bits.
    case errnoOutOfRange(UInt32)
    /// A call has the arguments 0 to 5.
    case argumentIndexOutOfRange(UInt32, systemCall: String)
    /// A rule names no call, or one without a name.
    case emptyName(ruleIndex: Int)
    /// The kernel takes 4,096 instructions.
    case programTooLong(instructions: Int)
    /// The kernel would refuse the program: which instruction, counted from 0, and why.
    case malformedProgram(instruction: Int, reason: String)
    /// libseccomp refused.
    case library(SystemError)
    /// This thread has filters that the others have not, so none got the new one.
    case threadNotSynchronized(pid_t)
    /// The kernel refused.
    case system(SystemError)
}

extension SeccompError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownAction(let name): "unknown seccomp action \(quoted(name))"
        case .unknownArchitecture(let name): "unknown seccomp architecture \(quoted(name))"
        case .unknownComparison(let name): "unknown seccomp comparison \(quoted(name))"
        case .unknownFlag(let name): "unknown seccomp flag \(quoted(name))"
        case .unknownSystemCall(let name, let architecture): "\(architecture) has no system call \(quoted(name))"
        case .architectureNotSupported(let architecture):
            "the installed libseccomp does not know the architecture \(architecture)"
        case .needsLibrary(let architecture): "filters for \(architecture) are compiled by libseccomp alone"
        case .mixedByteOrders(let left, let right):
            "\(left) and \(right) differ in byte order: one filter can't serve both"
        case .dataNotTaken(let action): "the seccomp action \(action) takes no error number"
        case .errnoOutOfRange(let number): "\(number) is no error number that a filter can answer with"
        case .argumentIndexOutOfRange(let index, let name):
            "argument \(index) of \(quoted(name)): a system call has the arguments 0 to 5"
        case .emptyName(let index): "seccomp rule \(index) has an empty system call name"
        case .programTooLong(let count): "the filter has \(count) instructions, and the kernel takes 4096"
        case .malformedProgram(let instruction, let reason): "filter instruction \(instruction): \(reason)"
        case .library(let error): error.description
        case .threadNotSynchronized(let thread):
            "install the filter on all threads: thread \(thread) has a filter of its own"
        case .system(let error): error.description
        }
    }
}

/// Turns a kernel's refusal into this module's error.
func system<Result: ~Copyable>(
    _ body: () throws(SystemError) -> Result
) throws(SeccompError) -> Result {
    do throws(SystemError) { return try body() } catch { throw .system(error) }
}
