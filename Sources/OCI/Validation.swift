extension Configuration {
    /// Checks what the specification says of values beyond their types: what MUST be, and what MUST be an error.
    ///
    /// What depends on the host (a path that must exist, a sysctl that needs a namespace of its own) is the runtime's
    /// to check.
    ///
    /// - Throws: ``DocumentError`` for the first field at fault.
    public func validate() throws(DocumentError) {
        // A later minor version only adds what may be left aside, and what was written before 1.0.0, as the specification's
        // own example is, holds nothing that 1.0.0 gave another meaning. A later major version may.
        if ociVersion.major > Configuration.specificationVersion.major {
            throw DocumentError(path: "ociVersion", problem: "expected a version before 2.0.0, found \(ociVersion)")
        }
        if let process {
            try checking("process") { () throws(DocumentError) in try process.validate() }
        }
        if root.path.isEmpty { throw DocumentError(path: "root.path", problem: "must not be empty") }
        for (index, mount) in mounts.enumerated() {
            try checking("mounts[\(index)]") { () throws(DocumentError) in
                try mount.validate(inUserNamespace: linux.namespace(.user) != nil)
            }
        }
        if hooks != Hooks() { try validateHooks() }
        if annotations[""] != nil { throw DocumentError(path: "annotations", problem: "a name must not be empty") }
        try checking("linux") { () throws(DocumentError) in try linux.validate() }
    }

    private func validateHooks() throws(DocumentError) {
        for (name, hooks) in hooks.byName {
            for (index, hook) in hooks.enumerated() {
                try requireAbsolute(hook.path, at: "hooks.\(name)[\(index)].path")
                if let timeout = hook.timeout, timeout < 1 {
                    throw DocumentError(
                        path: "hooks.\(name)[\(index)].timeout", problem: "must be greater than zero, found \(timeout)")
                }
            }
        }
    }
}

extension Configuration.Process {
    /// Checks what the specification says of values beyond their types (config.md, Process).
    public func validate() throws(DocumentError) {
        try requireAbsolute(cwd, at: "cwd")
        if args.isEmpty { throw DocumentError(path: "args", problem: "at least one entry is required") }
        for (index, limit) in rlimits.enumerated() where rlimits[..<index].contains(where: { $0.type == limit.type }) {
            throw DocumentError(
                path: "rlimits[\(index)].type", problem: "\"\(limit.type.rawValue)\" is already limited")
        }
        if let ioPriority, !(0...7).contains(ioPriority.priority) {
            throw DocumentError(
                path: "ioPriority.priority", problem: "expected an integer from 0 to 7, found \(ioPriority.priority)")
        }
        if let affinity = execCPUAffinity {
            try requireList(affinity.initial, at: "execCPUAffinity.initial")
            try requireList(affinity.final, at: "execCPUAffinity.final")
        }
    }

    private func requireList(_ list: String?, at path: String) throws(DocumentError) {
        guard let list else { return }
        let isList = list.utf8.allSatisfy {
            0x30...0x39 ~= $0 || $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: " ")
        }
        if !isList {
            throw DocumentError(path: path, problem: "expected a list such as 0-3,7, found \"\(abridged(list))\"")
        }
    }
}

extension Configuration.Mount {
    func validate(inUserNamespace: Bool) throws(DocumentError) {
        if destination.isEmpty { throw DocumentError(path: "destination", problem: "must not be empty") }
        if uidMappings.isEmpty != gidMappings.isEmpty {
            let (given, missing) = uidMappings.isEmpty ? ("gidMappings", "uidMappings") : ("uidMappings", "gidMappings")
            throw DocumentError(path: missing, problem: "required, because \(given) is given")
        }
        if uidMappings.isEmpty, !inUserNamespace,
            let index = options.firstIndex(where: { $0 == "idmap" || $0 == "ridmap" })
        {
            throw DocumentError(
                path: "options[\(index)]",
                problem: "\"\(options[index])\" needs uidMappings and gidMappings, or a user namespace")
        }
    }
}

extension Configuration.LinuxSection {
    func validate() throws(DocumentError) {
        for (index, namespace) in namespaces.enumerated() {
            if namespaces[..<index].contains(where: { $0.type == namespace.type }) {
                throw DocumentError(
                    path: "namespaces[\(index)].type", problem: "\"\(namespace.type.rawValue)\" is already listed")
            }
            if let path = namespace.path { try requireAbsolute(path, at: "namespaces[\(index)].path") }
        }
        if let resources {
            try checking("resources") { () throws(DocumentError) in try resources.validate() }
        }
        if let seccomp {
            try checking("seccomp") { () throws(DocumentError) in try seccomp.validate() }
        }
        for (index, path) in maskedPaths.enumerated() { try requireAbsolute(path, at: "maskedPaths[\(index)]") }
        for (index, path) in readonlyPaths.enumerated() { try requireAbsolute(path, at: "readonlyPaths[\(index)]") }
        if let intelRdt {
            try checking("intelRdt") { () throws(DocumentError) in try intelRdt.validate() }
        }
        if let flag = personality?.flags.first {
            throw DocumentError(
                path: "personality.flags[0]", problem: "no flags are defined, found \"\(abridged(flag))\"")
        }
    }
}

extension Configuration.Resources {
    /// Checks what the specification says of values beyond their types (config-linux.md, Control groups).
    public func validate() throws(DocumentError) {
        for (index, rule) in devices.enumerated() {
            guard let access = rule.access else { continue }
            // No set of characters: its first use has the runtime search every conformance of the program.
            if !access.utf8.allSatisfy({ $0 == UInt8(ascii: "r") || $0 == UInt8(ascii: "w") || $0 == UInt8(ascii: "m") }
            ) {
                throw DocumentError(
                    path: "devices[\(index)].access",
                    problem: "expected some of r, w and m, found \"\(abridged(access))\"")
            }
        }
        if let quota = cpu?.quota, quota > 0, let burst = cpu?.burst, burst > UInt64(quota) {
            throw DocumentError(
                path: "cpu.burst", problem: "must not be larger than cpu.quota (\(quota)), found \(burst)")
        }
        for (index, limit) in hugepageLimits.enumerated() where !limit.hasValidPageSize {
            throw DocumentError(
                path: "hugepageLimits[\(index)].pageSize",
                problem: "expected a size such as 64KB, 2MB or 1GB, found \"\(abridged(limit.pageSize))\"")
        }
        for (index, device) in (blockIO?.weightDevice ?? []).enumerated()
        where device.weight == nil && device.leafWeight == nil {
            throw DocumentError(path: "blockIO.weightDevice[\(index)]", problem: "weight or leafWeight is required")
        }
        if let limit = rdma.first(where: { $0.hcaHandles == nil && $0.hcaObjects == nil }) {
            var path = "rdma"
            appendName(limit.device, to: &path)
            throw DocumentError(path: path, problem: "hcaHandles or hcaObjects is required")
        }
    }
}

extension Configuration.Resources.HugepageLimit {
    fileprivate var hasValidPageSize: Bool {
        let bytes = Array(pageSize.utf8)
        guard bytes.count >= 3, bytes[bytes.count - 1] == UInt8(ascii: "B"), bytes[0] != UInt8(ascii: "0") else {
            return false
        }
        return "KMG".utf8.contains(bytes[bytes.count - 2]) && bytes.dropLast(2).allSatisfy { 0x30...0x39 ~= $0 }
    }
}

extension Configuration.Seccomp {
    func validate() throws(DocumentError) {
        if defaultErrnoRet != nil, !defaultAction.takesErrno {
            throw DocumentError(path: "defaultErrnoRet", problem: "\(defaultAction.rawValue) takes no error number")
        }
        if listenerMetadata != nil, listenerPath == nil {
            throw DocumentError(path: "listenerMetadata", problem: "must not be given without listenerPath")
        }
        for (index, syscall) in syscalls.enumerated() {
            if syscall.names.isEmpty {
                throw DocumentError(path: "syscalls[\(index)].names", problem: "at least one entry is required")
            }
            if syscall.errnoRet != nil, !syscall.action.takesErrno {
                throw DocumentError(
                    path: "syscalls[\(index)].errnoRet", problem: "\(syscall.action.rawValue) takes no error number")
            }
        }
    }
}

extension Configuration.IntelRDT {
    func validate() throws(DocumentError) {
        if let schema = memBwSchema, !schema.hasPrefix("MB:") || schema.utf8.contains(0x0A) {
            throw DocumentError(
                path: "memBwSchema", problem: "expected one line that starts with MB:, found \"\(abridged(schema))\"")
        }
        if let index = schemata.firstIndex(where: { $0.utf8.contains(0x0A) }) {
            throw DocumentError(path: "schemata[\(index)]", problem: "must be one line")
        }
    }
}

/// Checks that a path starts with a slash.
private func requireAbsolute(_ value: String, at path: @autoclosure () -> String) throws(DocumentError) {
    if value.utf8.first != UInt8(ascii: "/") {
        throw DocumentError(path: path(), problem: "expected an absolute path, found \"\(abridged(value))\"")
    }
}
