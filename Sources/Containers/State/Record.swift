import Glibc
import Linux
import OCI

/// What this runtime remembers of a container between its commands.
struct Record: Equatable {
    var id: String
    var bundle: String
    var rootfs: String
    /// RFC 3339, UTC.
    var created: String
    var owner: String
    var annotations: [String: String]
    /// Absolute; nil without one.
    var cgroup: String?
    /// How many of the cgroup path's last levels this container made.
    var cgroupLevels: Int
    /// Nil until the container is created: a record without one is what a runtime left that died on the way.
    var process: Process?
    /// Which hooks are still to run, so that nobody has to read the document to see that there are none.
    var laterHooks: LaterHooks = .all

    /// Hooks of the document that later commands run.
    struct LaterHooks: OptionSet {
        var rawValue: UInt8
        static let poststart = Self(rawValue: 1)
        static let poststop = Self(rawValue: 2)
        static let all: Self = [.poststart, .poststop]

        init(rawValue: UInt8) { self.rawValue = rawValue }

        init(_ hooks: Configuration.Hooks) {
            self = []
            if !hooks.poststart.isEmpty { insert(.poststart) }
            if !hooks.poststop.isEmpty { insert(.poststop) }
        }
    }

    /// A process as it can be found again: ids are reused, a start time with them is not.
    struct Process: Equatable {
        var pid: pid_t
        /// Clock ticks after boot, field 22 of `/proc/PID/stat`.
        var startTime: UInt64
    }

    func encoded() -> [UInt8] {
        var members: [JSON.Member] = [
            .init("id", .string(id)), .init("bundle", .string(bundle)), .init("rootfs", .string(rootfs)),
            .init("created", .string(created)), .init("owner", .string(owner)),
            .init(
                "annotations", .object(annotations.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })),
            .init("cgroupLevels", JSON(cgroupLevels)), .init("laterHooks", JSON(laterHooks.rawValue)),
        ]
        if let cgroup { members.append(.init("cgroup", .string(cgroup))) }
        if let process {
            members.append(.init("pid", JSON(process.pid)))
            members.append(.init("startTime", JSON(process.startTime)))
        }
        return JSON.object(members).encodedBytes()
    }

    init(
        id: String, bundle: String, rootfs: String, created: String, owner: String, annotations: [String: String],
        cgroup: String? = nil, cgroupLevels: Int = 0, process: Process? = nil, laterHooks: LaterHooks = .all
    ) {
        self.id = id
        self.bundle = bundle
        self.rootfs = rootfs
        self.created = created
        self.owner = owner
        self.annotations = annotations
        self.cgroup = cgroup
        self.cgroupLevels = cgroupLevels
        self.process = process
        self.laterHooks = laterHooks
    }

    init(decoding bytes: [UInt8]) throws(DocumentError) {
        let json = try JSON(parsing: bytes)
        func text(_ name: String) -> String { json[name]?.stringValue ?? "" }
        var annotations: [String: String] = [:]
        if case .object(let members)? = json["annotations"] {
            for member in members { annotations[member.name] = member.value.stringValue }
        }
        var process: Process?
        if let pid: pid_t = json["pid"]?.integerValue(), let startTime: UInt64 = json["startTime"]?.integerValue() {
            process = Process(pid: pid, startTime: startTime)
        }
        self.init(
            id: text("id"), bundle: text("bundle"), rootfs: text("rootfs"), created: text("created"),
            owner: text("owner"), annotations: annotations, cgroup: json["cgroup"]?.stringValue,
            cgroupLevels: json["cgroupLevels"]?.integerValue() ?? 0, process: process,
            laterHooks: json["laterHooks"]?.integerValue().map(LaterHooks.init(rawValue:)) ?? .all)
    }
}

extension Record.Process {
    /// The process with this id as it is now; nil when there is none, or only its zombie.
    init?(running pid: pid_t) {
        guard let fields = Self.statFields(pid), fields.state != "Z", fields.state != "X" else { return nil }
        self.init(pid: pid, startTime: fields.startTime)
    }

    /// Whether this very process still runs.
    var isRunning: Bool { Record.Process(running: pid) == self }

    /// State and start time. The name in parentheses may hold anything, so the fields are counted after the last one.
    private static func statFields(_ pid: pid_t) -> (state: Substring, startTime: UInt64)? {
        guard let text = try? readText("/proc/\(pid)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let startTime = UInt64(fields[19]) else { return nil }
        return (fields[0], startTime)
    }
}
