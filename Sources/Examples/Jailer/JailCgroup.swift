import Cgroups
import Linux

/// The cgroup of a monitor: made with limits where there are any, an existing one where only its parent is named, none
/// else.
struct JailCgroup: ~Copyable {
    private let cgroup: Cgroup

    init?(_ jail: borrowing Jail) throws(Failure) {
        let arguments = jail.arguments
        guard !arguments.settings.isEmpty || arguments.parentCgroup != nil else { return nil }
        let hierarchy = try attemptCgroup { () throws(CgroupError) in try CgroupHierarchy.find() }
        if arguments.settings.isEmpty {
            let parent = arguments.parentCgroup ?? ""
            cgroup = try attemptCgroup { () throws(CgroupError) in try hierarchy.open(parent) }
            return
        }
        var controllers: [Controller] = []
        for setting in arguments.settings {
            if let controller = Controller(ofFile: setting.file), !controllers.contains(controller) {
                controllers.append(controller)
            }
        }
        let made = try attemptCgroup { () throws(CgroupError) in
            try hierarchy.create(Self.path(jail), controllers: controllers)
        }
        do throws(CgroupError) {
            for setting in arguments.settings { try made.write(setting.value, to: setting.file) }
        } catch {
            try? made.removeCreated()
            throw Failure("--cgroup: \(error)")
        }
        cgroup = made
    }

    /// The directory that a process is born into.
    var directory: CInt { cgroup.directory.rawValue }

    /// Removes what was made.
    func rollBack() { try? cgroup.removeCreated(killing: true) }

    /// From the hierarchy's mount point.
    static func path(_ jail: borrowing Jail) -> String {
        "\(jail.arguments.parentCgroup ?? jail.name)/\(jail.arguments.id)"
    }
}
