import Linux

/// A process to be, as a list of steps: which namespaces it is born into, and what it does, in order, before its
/// program runs. A plan is a value; printing it shows every step, and nothing runs before ``launch()``.
///
/// ```swift
/// var plan = LaunchPlan()
/// plan.newNamespaces = [.uts, .pid, .mount]
/// plan.append(.hostname("compartment"))
/// plan.append(.findExecutable("/bin/hostname", searchPath: []))
/// plan.append(.execute(arguments: ["hostname"], environment: []))
/// let process = try plan.launch()
/// try process.waitUntilExecuted()
/// print(try process.wait())
/// ```
public struct LaunchPlan: Sendable {
    /// Namespaces made with the process; `clone3(2)`. The time namespace cannot be among them: the kernel lets its
    /// offsets be set only before a process is in it, so it takes an ``Operation/unshare(_:)``.
    public var newNamespaces: NamespaceFlags = []

    /// The id maps of a new user namespace; written by the parent before the first operation.
    public var identityMaps: IdentityMaps?

    /// Namespaces joined before the process is made, in order, by a helper process that ends at once. A pid namespace
    /// must be joined here, as joining one moves only later children; so must all that a new user namespace would no
    /// longer be allowed to join. The rest can be ``Operation/join(_:_:)`` operations.
    public var joinsBeforeClone: [Join] = []

    /// A directory of a cgroup2 file system in which the process starts; `CLONE_INTO_CGROUP`. Where the kernel refuses
    /// that, the parent moves the process there before its first operation.
    public var cgroup: CInt?

    /// The steps, in order.
    public private(set) var operations: [Operation] = []

    /// Text for the steps after ``Operation/awaitStart(on:)``, told to a peer that does not have the plan.
    var labels: [(operation: Int, text: String)] = []

    /// The standard input of ``Operation/hook(_:)`` steps. It can be set at any sync point before them.
    public var hookInput: [UInt8] = []

    /// Whether the time of each step is taken.
    public var isTraced = false

    #if DEBUG
        /// A fault to inject: for tests of the failure paths, and compiled into debug builds only.
        public var fault: Fault?
    #endif

    private var slotCount: Int16 = 0

    public init() {}

    /// A namespace, or several of one process, to join.
    public struct Join: Hashable, Sendable {
        public var kinds: NamespaceFlags
        /// A namespace's descriptor or, for several kinds, a pidfd.
        public var descriptor: CInt

        public init(_ kinds: NamespaceFlags, _ descriptor: CInt) {
            self.kinds = kinds
            self.descriptor = descriptor
        }
    }

    /// Adds a step at the end.
    public mutating func append(_ operation: Operation) {
        operations.append(operation)
    }

    /// Adds a step at the end with the text by which a failure names it to who has not got the plan.
    public mutating func append(_ operation: Operation, label: String) {
        labels.append((operations.count, label))
        operations.append(operation)
    }

    /// A new place for a descriptor that a step makes. A plan has at most 64.
    public mutating func makeSlot() -> Slot {
        precondition(slotCount < 64, "a launch plan has at most 64 slots")
        defer { slotCount += 1 }
        return Slot(index: slotCount)
    }
}

#if DEBUG
    /// A fault for ``LaunchPlan/fault``.
    public enum Fault: Hashable, Sendable {
        /// The operation with this index fails with this errno, without having run.
        case fail(operation: Int, Errno)
        /// The process that reads the child's reports kills itself after the operation with this index.
        case killParent(after: Int)
    }
#endif

extension LaunchPlan: CustomStringConvertible {
    /// Every step in order, one on a line, numbered as errors number them.
    public var description: String {
        var lines: [String] = []
        for join in joinsBeforeClone {
            lines.append("join the \(join.kinds) namespace of descriptor \(join.descriptor), in a helper process")
        }
        let namespaces = newNamespaces.isEmpty ? "" : " in new namespaces: \(newNamespaces)"
        lines.append("clone the process" + namespaces + (cgroup == nil ? "" : ", in its cgroup"))
        if let identityMaps { lines.append("write the id maps: \(identityMaps)") }
        let width = String(operations.count).count
        for (index, operation) in operations.enumerated() {
            let number = String(index)
            lines.append(String(repeating: " ", count: width - number.count) + "\(number)  \(operation)")
        }
        return lines.joined(separator: "\n")
    }
}
