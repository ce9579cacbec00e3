extension Configuration {
    /// `hooks`: programs run along the container's life (config.md, POSIX-platform Hooks).
    public struct Hooks: Equatable, Sendable {
        /// `prestart`: as `createRuntime`, and before it. Deprecated.
        public var prestart: [Hook] = []
        /// `createRuntime`: once the namespaces exist, before the root is pivoted; in the runtime's namespaces.
        public var createRuntime: [Hook] = []
        /// `createContainer`: as `createRuntime`, and after it; in the container's namespaces.
        public var createContainer: [Hook] = []
        /// `startContainer`: before the program starts; in the container.
        public var startContainer: [Hook] = []
        /// `poststart`: after the program has started; in the runtime's namespaces.
        public var poststart: [Hook] = []
        /// `poststop`: after the container is deleted; in the runtime's namespaces.
        public var poststop: [Hook] = []

        /// No hooks.
        public init() {}
    }

    /// One hook: a program that gets the container's ``State`` on its standard input.
    public struct Hook: Equatable, Sendable {
        /// `path`: the program, an absolute path.
        public var path: String
        /// `args`: its arguments, the first of them its name.
        public var args: [String] = []
        /// `env`: its environment, as `NAME=value`.
        public var env: [String] = []
        /// `timeout`: the seconds after which it is ended; at least 1.
        public var timeout: Int?

        /// A hook.
        public init(path: String, args: [String] = [], env: [String] = [], timeout: Int? = nil) {
            self.path = path
            self.args = args
            self.env = env
            self.timeout = timeout
        }
    }
}

extension Configuration.Hooks: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        prestart = try fields.list("prestart")
        createRuntime = try fields.list("createRuntime")
        createContainer = try fields.list("createContainer")
        startContainer = try fields.list("startContainer")
        poststart = try fields.list("poststart")
        poststop = try fields.list("poststop")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        for (name, hooks) in byName { object.add(name, list: hooks) }
        return object.json
    }

    /// Each kind of hook under its name in the document, in the order in which they run.
    package var byName: [(name: String, hooks: [Configuration.Hook])] {
        [
            ("prestart", prestart), ("createRuntime", createRuntime), ("createContainer", createContainer),
            ("startContainer", startContainer), ("poststart", poststart), ("poststop", poststop),
        ]
    }
}

extension Configuration.Hook: DocumentValue {
    package init(_ element: DocumentElement) throws(DocumentError) {
        let fields = try element.fields()
        path = try fields.required("path")
        args = try fields.list("args")
        env = try fields.list("env")
        timeout = try fields.optional("timeout")
    }

    package var json: JSON {
        var object = ObjectBuilder()
        object.add("path", path)
        object.add("args", list: args)
        object.add("env", list: env)
        object.add("timeout", timeout)
        return object.json
    }
}
