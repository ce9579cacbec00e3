import Glibc
import Launch
import Linux

#if DEBUG
    /// A fault to inject into a create, for tests of what it leaves behind. Compiled into debug builds only.
    public enum CreateFault: Hashable, Sendable {
        /// The runtime's own step with this number fails.
        case fail(step: Int)
        /// The runtime dies after its own step with this number.
        case kill(step: Int)
        /// The operation of the launch plan with this index fails.
        case failOperation(Int, Errno)
        /// The runtime dies after the operation with this index.
        case killAfterOperation(Int)
    }

    extension LaunchPlan {
        mutating func inject(_ fault: CreateFault?, runtime: CInt) {
            switch fault {
            case .failOperation(let index, let errno): self.fault = .fail(operation: index, errno)
            case .killAfterOperation(let index): self.fault = .kill(parent: runtime, after: index)
            case .fail, .kill, nil: break
            }
        }
    }
#endif

/// Counts the runtime's own steps, so that a test can end it at each in turn. Costs nothing in a release build.
struct StepCounter {
    #if DEBUG
        var fault: CreateFault?
        private var count = 0

        init(_ fault: CreateFault?) { self.fault = fault }

        mutating func passed(_ step: String) throws(ContainerError) {
            defer { count += 1 }
            if fault == .kill(step: count) { kill(getpid(), SIGKILL) }
            if fault == .fail(step: count) { throw ContainerError(.system, "\(step): injected failure") }
        }
    #else
        @inline(__always)
        func passed(_ step: StaticString) throws(ContainerError) {}
    #endif
}
