import Cgroups
import Glibc
import Launch
import Linux
import OCI

/// A container that has just been made, while its maker still holds it.
public struct Creation: ~Copyable {
    public let container: Container
    private let launched: LaunchedProcess
    private let configuration: Configuration
    private let operations: [Operation]

    init(
        container: Container, launched: consuming LaunchedProcess, configuration: Configuration,
        operations: [Operation]
    ) {
        self.container = container
        self.launched = launched
        self.configuration = configuration
        self.operations = operations
    }

    /// The id of the container's first process, as the caller sees it.
    public var pid: pid_t { launched.pid }

    /// Runs the program of a container that ``Runtime/prepareRun(_:_:)`` made, and the poststart hooks.
    ///
    /// - Parameter manager: as for ``Container/start(reportingTo:)``.
    /// - Returns: likewise.
    /// - Throws: what the program could not be run for; the container is then gone.
    @discardableResult
    public func start(reportingTo manager: String? = nil) throws(ContainerError) -> ReadyNotification? {
        let readiness: ReadyNotification?
        do throws(ContainerError) {
            readiness = try container.readiness(reportingTo: manager, pid: pid)
            do throws(SystemError) { try launched.proceed() } catch { throw ContainerError(error) }
            do throws(LaunchError) {
                guard try launched.next() == .executed else {
                    throw LaunchError(.parent("start the program"), .ioError, detail: "an unexpected report")
                }
            } catch { throw ContainerError(error) }
        } catch {
            try? container.delete(force: true)
            throw error
        }
        container.runPoststartHooks(configuration, pid: pid)
        return readiness
    }

    /// Waits until the container's first process has ended, and reaps it: for ``Runtime/prepareRun(_:_:)``.
    public func wait() throws(ContainerError) -> ExitStatus {
        do throws(SystemError) { return try launched.wait() } catch { throw ContainerError(error) }
    }

    /// Lends the process, to poll for its end.
    public func withProcess<Result>(_ body: (borrowing ProcessDescriptor) -> Result) -> Result {
        body(launched.process)
    }

    /// What each step took, as far as the process has come; empty unless ``CreateOptions/isTraced``.
    public func times() -> [(step: String, nanoseconds: UInt64)] {
        zip(operations, launched.times()).map { ($0.description, $1) }
    }
}
