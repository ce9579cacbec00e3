extension Configuration.Process {
    /// `process.scheduler` (config.md, Linux Process): what sched_setattr(2) takes.
    public struct Scheduler: Equatable, Sendable {
        /// The scheduling policies of sched(7).
        public enum Policy: String, CaseIterable, Sendable {
            /// The default.
            case other = "SCHED_OTHER"
            /// First in, first out; real-time.
            case fifo = "SCHED_FIFO"
            /// Round robin; real-time.
            case roundRobin = "SCHED_RR"
            /// For batches.
            case batch = "SCHED_BATCH"
            /// Reserved: no kernel has it.
            case iso = "SCHED_ISO"
            /// Only when nothing else runs.
            case idle = "SCHED_IDLE"
            /// Earliest deadline first.
            case deadline = "SCHED_DEADLINE"
        }

        /// The flags of sched_setattr(2).
        public enum Flag: String, CaseIterable, Sendable {
            /// Children get the default policy.
            case resetOnFork = "SCHED_FLAG_RESET_ON_FORK"
            /// Unused time of other deadline threads may be used.
            case reclaim = "SCHED_FLAG_RECLAIM"
            /// SIGXCPU when a deadline thread overruns.
            case deadlineOverrun = "SCHED_FLAG_DL_OVERRUN"
            /// Leaves the policy as it is.
            case keepPolicy = "SCHED_FLAG_KEEP_POLICY"
            /// Leaves the parameters as they are.
            case keepParameters = "SCHED_FLAG_KEEP_PARAMS"
            /// Sets the lower utilisation clamp.
            case utilizationMinimum = "SCHED_FLAG_UTIL_CLAMP_MIN"
            /// Sets the upper utilisation clamp.
            case utilizationMaximum = "SCHED_FLAG_UTIL_CLAMP_MAX"
        }

        /// `policy`
        public var policy: Policy
        /// `nice`: from -20 (favoured) to 19.
        public var nice: Int32 = 0
        /// `priority`: from 1 to 99, under a real-time policy.
        public var priority: Int32 = 0
        /// `flags`
        public var flags: [Flag] = []
        /// `runtime`: in nanoseconds, under the deadline policy.
        public var runtime: UInt64 = 0
        /// `deadline`: in nanoseconds, under the deadline policy.
        public var deadline: UInt64 = 0
        /// `period`: in nanoseconds, under the deadline policy.
        public var period: UInt64 = 0

        /// A policy with nothing else set.
        public init(policy: Policy) { self.policy = policy }
    }

    /// `process.ioPriority` (config.md, Linux Process): what ioprio_set(2) takes.
    public struct IOPriority: Equatable, Sendable {
        /// The scheduling classes of ioprio_set(2).
        public enum Class: String, CaseIterable, Sendable {
            /// Served first.
            case realtime = "IOPRIO_CLASS_RT"
            /// The default.
            case bestEffort = "IOPRIO_CLASS_BE"
            /// Served when nothing else wants the device.
            case idle = "IOPRIO_CLASS_IDLE"
        }

        /// `class`
        public var `class`: Class
        /// `priority`: from 0 (first) to 7.
        public var priority: Int32

        /// A priority within a class.
        public init(class: Class, priority: Int32) {
            self.class = `class`
            self.priority = priority
        }
    }

    /// `process.execCPUAffinity` (config.md, Linux Process): lists such as `0-3,7`.
    public struct CPUAffinity: Equatable, Sendable {
        /// `initial`: until the process is in the container's cgroup.
        public var initial: String?
        /// `final`: from then on; nil leaves it to the kernel.
        public var final: String?

        /// No affinity.
        public init() {}
    }
}

extension Configuration.Process.Scheduler.Policy: DocumentName {
    package static var noun: String { "a scheduling policy" }
}

extension Configuration.Process.Scheduler.Flag: DocumentName {
    package static var noun: String { "a scheduling flag" }
}

extension Configuration.Process.Scheduler: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        policy = try fields.required("policy")
        nice = try fields.value("nice", default: 0)
        priority = try fields.value("priority", default: 0)
        flags = try fields.list("flags")
        runtime = try fields.value("runtime", default: 0)
        deadline = try fields.value("deadline", default: 0)
        period = try fields.value("period", default: 0)
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("policy", policy)
        object.add("nice", unless: nice == 0, nice)
        object.add("priority", unless: priority == 0, priority)
        object.add("flags", list: flags)
        object.add("runtime", unless: runtime == 0, runtime)
        object.add("deadline", unless: deadline == 0, deadline)
        object.add("period", unless: period == 0, period)
        return object.json
    }
}

extension Configuration.Process.IOPriority.Class: DocumentName {
    package static var noun: String { "an I/O scheduling class" }
}

extension Configuration.Process.IOPriority: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        self.class = try fields.required("class")
        priority = try fields.required("priority")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("class", self.class)
        object.add("priority", priority)
        return object.json
    }
}

extension Configuration.Process.CPUAffinity: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        initial = try fields.text("initial")
        final = try fields.text("final")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("initial", initial)
        object.add("final", final)
        return object.json
    }
}
