import Glibc
import Launch
import Namespaces
import OCI

extension PlanBuilder {
    /// The directory of the socket of `sd_notify(3)`, on top of what the document mounts there. The program may send to
    /// the socket and change nothing.
    mutating func addNotifyDirectory() throws(ContainerError) {
        guard let directory = channels.notifyDirectory else { return }
        let tree: DescriptorReference
        // The mapped root may not reach it. When a plan is only to be explained there is nothing to be reached.
        if isMapped && geteuid() == 0 && access(directory, F_OK) == 0 {
            tree = .inherited(try cloneTree(directory, recursive: false))
            plan.append(.mountAttributes(tree, set: 0, clear: 0, propagation: slave))
        } else {
            let slot = slotForMount()
            plan.append(.cloneTree(path: directory, from: .workingDirectory, recursive: false, into: slot))
            tree = .slot(slot)
        }
        let attributes: MountAttributes = [.readOnly, .noSuid, .noDev, .noExec]
        plan.append(.mountAttributes(tree, set: attributes.rawValue, clear: 0))
        plan.append(.attach(tree, root: root, path: ReadyNotification.directoryInside, create: .directory))
    }

    /// Tells the program of the socket.
    static func addNotifyVariable(to process: inout Configuration.Process) {
        // Of two variables with one name programs disagree which one counts.
        process.env.removeAll { $0.hasPrefix("\(ReadyNotification.variable)=") }
        process.env.append(
            "\(ReadyNotification.variable)=\(ReadyNotification.directoryInside)/\(ReadyNotification.socketName)")
    }
}
