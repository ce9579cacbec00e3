extension Configuration {
    /// `linux.seccomp` (config-linux.md, Seccomp): which system calls the container may make.
    public struct Seccomp: Equatable, Sendable {
        /// `defaultAction`: for calls that no entry matches.
        public var defaultAction: Action
        /// `defaultErrnoRet`: the error number (or the tracer's message) of the default action; nil means EPERM.
        public var defaultErrnoRet: UInt32?
        /// `architectures`: those besides the native one.
        public var architectures: [Architecture] = []
        /// `flags`: for seccomp(2).
        public var flags: [Flag] = []
        /// `listenerPath`: the socket to which the notify descriptor is sent.
        public var listenerPath: String?
        /// `listenerMetadata`: sent along with it.
        public var listenerMetadata: String?
        /// `syscalls`: the exceptions to the default.
        public var syscalls: [Syscall] = []

        /// A filter that does the same for every call.
        public init(defaultAction: Action) { self.defaultAction = defaultAction }

        /// An entry of `syscalls`.
        public struct Syscall: Equatable, Sendable {
            /// `names`: at least one. Names that the kernel lacks are no error.
            public var names: [String]
            /// `action`
            public var action: Action
            /// `errnoRet`: the error number (or the tracer's message) of the action; nil means EPERM.
            public var errnoRet: UInt32?
            /// `args`: conditions, all of which must hold.
            public var args: [Argument] = []

            /// A rule for calls by name.
            public init(names: [String], action: Action, errnoRet: UInt32? = nil, args: [Argument] = []) {
                self.names = names
                self.action = action
                self.errnoRet = errnoRet
                self.args = args
            }
        }

        /// An entry of `syscalls[].args`: a condition on one argument.
        public struct Argument: Equatable, Sendable {
            /// `index`: from 0 to 5.
            public var index: UInt32
            /// `value`: what it is compared with; the mask for ``Operator/maskedEqual``.
            public var value: UInt64
            /// `valueTwo`: what the masked argument is compared with.
            public var valueTwo: UInt64 = 0
            /// `op`
            public var op: Operator

            /// A condition.
            public init(index: UInt32, value: UInt64, valueTwo: UInt64 = 0, op: Operator) {
                self.index = index
                self.value = value
                self.valueTwo = valueTwo
                self.op = op
            }
        }
    }
}

extension Configuration.Seccomp: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        defaultAction = try fields.required("defaultAction")
        defaultErrnoRet = try fields.optional("defaultErrnoRet")
        architectures = try fields.list("architectures")
        flags = try fields.list("flags")
        listenerPath = try fields.text("listenerPath")
        listenerMetadata = try fields.text("listenerMetadata")
        syscalls = try fields.list("syscalls")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("defaultAction", defaultAction)
        object.add("defaultErrnoRet", defaultErrnoRet)
        object.add("architectures", list: architectures)
        object.add("flags", list: flags)
        object.add("listenerPath", listenerPath)
        object.add("listenerMetadata", listenerMetadata)
        object.add("syscalls", list: syscalls)
        return object.json
    }
}

extension Configuration.Seccomp.Syscall: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        names = try fields.required("names")
        action = try fields.required("action")
        errnoRet = try fields.optional("errnoRet")
        args = try fields.list("args")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("names", names)
        object.add("action", action)
        object.add("errnoRet", errnoRet)
        object.add("args", list: args)
        return object.json
    }
}

extension Configuration.Seccomp.Argument: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        index = try fields.required("index")
        value = try fields.required("value")
        valueTwo = try fields.value("valueTwo", default: 0)
        op = try fields.required("op")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("index", index)
        object.add("value", value)
        object.add("valueTwo", unless: valueTwo == 0, valueTwo)
        object.add("op", op)
        return object.json
    }
}
