import Glibc
import Linux
import OCI

extension Configuration {
    /// What only somebody outside the container's user namespace may do to its process.
    func configureFromOutside(_ process: Process, pid: pid_t) throws(ContainerError) {
        if let score = process.oomScoreAdj {
            do throws(SystemError) { try writeText("\(score)", to: "/proc/\(pid)/oom_score_adj") } catch {
                let hint = error.errno == .permissionDenied ? ": lowering it needs CAP_SYS_RESOURCE" : ""
                throw ContainerError(.system, "process.oomScoreAdj: \(error)\(hint)")
            }
        }
        guard linux.namespace(.user) != nil else { return }
        for limit in process.rlimits {
            do throws(SystemError) {
                try setResourceLimit(limit.type.number, soft: limit.soft, hard: limit.hard, of: pid)
            } catch {
                let hint = error.errno == .notPermitted ? ": raising a hard limit needs CAP_SYS_RESOURCE" : ""
                throw ContainerError(.system, "process.rlimits: set \(limit.type.rawValue): \(error.errno)\(hint)")
            }
        }
    }

    /// The seccomp agent takes the listener with the state of the container, on the socket that the document names.
    func handOver(_ listener: consuming Descriptor, pid: pid_t, state: State) throws(ContainerError) {
        guard let seccomp = linux.seccomp, let path = seccomp.listenerPath else { return }
        let message = ContainerProcessState(pid: pid, state: state, metadata: seccomp.listenerMetadata)
        let socket = try connect(path, "linux.seccomp.listenerPath")
        do throws(SystemError) {
            try UnixSocket.send(listener, with: message.json.encodedBytes(), over: socket)
        } catch { throw ContainerError(error) }
    }
}
