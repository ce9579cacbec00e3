import CLinux
import Linux

/// A file system being configured, before it can be seen anywhere; `fsopen(2)`, `fsconfig(2)`, `fsmount(2)`.
///
/// ```swift
/// let context = try FileSystemContext("tmpfs")
/// try context.set("size", "64m")
/// try context.create()
/// let scratch = try context.mount([.noSuid, .noDev])
/// ```
///
/// When a parameter is refused, the file system's own words become the error's hint.
public struct FileSystemContext: ~Copyable, Sendable {
    /// The context's descriptor.
    public let descriptor: Descriptor
    /// The file system's name, for messages.
    public let type: String

    /// Starts configuring a new file system of this type; `fsopen(2)`.
    ///
    /// - Throws: `ENODEV` when the kernel does not have it, `EPERM` without `CAP_SYS_ADMIN` in the user namespace that
    ///   owns the mount namespace.
    public init(_ type: String) throws(SystemError) {
        try refuseNul(type)
        let number = try failing(hint: { createHint($0, type: nil) }) { () throws(SystemError) in
            try systemCall("open file system \(quoted(type))") { unsafe bh_fsopen(type) }
        }
        descriptor = Descriptor(owning: number)
        self.type = type
    }

    /// Starts reconfiguring the file system of a mount; `fspick(2)`. End with ``reconfigure()``.
    ///
    /// - Parameter place: the mount's root.
    public init(reconfiguring place: borrowing Descriptor) throws(SystemError) {
        let number = place.rawValue
        let context = try failing(hint: setAttributesHint) { () throws(SystemError) in
            // FSPICK_EMPTY_PATH
            try systemCall("pick file system at \(pathForMessage(number))") { unsafe bh_fspick(number, "", 8) }
        }
        descriptor = Descriptor(owning: context)
        type = "at \(pathForMessage(number))"
    }

    /// Sets a parameter that has no value, as `ro`; `FSCONFIG_SET_FLAG`.
    public func set(_ flag: String) throws(SystemError) {
        try refuseNul(flag)
        try configure(0, flag, nil, 0) { quoted(flag) }
    }

    /// Sets a parameter to text, as `size` to `64m`; `FSCONFIG_SET_STRING`. The parameter `source` is what
    /// `mount(2)` has as its first argument.
    public func set(_ key: String, _ value: String) throws(SystemError) {
        try refuseNul(key)
        try refuseNul(value)
        try configure(1, key, value, 0) { quoted("\(key)=\(value)") }
    }

    /// Sets a parameter to an open file; `FSCONFIG_SET_FD`. overlayfs takes its layers so since Linux 6.13.
    public func set(_ key: String, _ value: borrowing Descriptor) throws(SystemError) {
        try refuseNul(key)
        let number = value.rawValue
        try configure(5, key, nil, number) { "\(quoted(key)) to \(pathForMessage(number))" }
    }

    /// Sets one parameter.
    public func set(_ parameter: FileSystemParameter) throws(SystemError) {
        switch parameter {
        case .flag(let name): try set(name)
        case .string(let key, let value): try set(key, value)
        }
    }

    /// Makes the superblock; `FSCONFIG_CMD_CREATE`.
    ///
    /// - Parameter exclusively: fail with `EBUSY` rather than share a superblock that is there; Linux 6.6.
    public func create(exclusively: Bool = false) throws(SystemError) {
        try command(exclusively ? 8 : 6, "create")
    }

    /// Gives the parameters set since to the file system that is there; `FSCONFIG_CMD_RECONFIGURE`.
    public func reconfigure() throws(SystemError) { try command(7, "reconfigure") }

    /// Makes a mount of the created file system, attached nowhere yet; `fsmount(2)`. One context makes one mount.
    public func mount(_ attributes: MountAttributes = []) throws(SystemError) -> DetachedMount {
        let number = descriptor.rawValue
        do throws(SystemError) {
            let mount = try systemCall("mount file system \(quoted(type))") {
                bh_fsmount(number, CUnsignedInt(truncatingIfNeeded: attributes.rawValue))
            }
            return DetachedMount(owning: Descriptor(owning: mount))
        } catch {
            throw explained(error)
        }
    }

    /// Takes the messages that the kernel has for this context, oldest first; at most 8 are kept.
    public func takeMessages() -> [Message] {
        var messages: [Message] = []
        while messages.count < 64, let bytes = try? descriptor.read(upTo: 4096), !bytes.isEmpty {
            messages.append(Message(bytes))
        }
        return messages
    }

    /// What the kernel says about a configuration.
    public struct Message: Hashable, Sendable, CustomStringConvertible {
        /// How bad it is.
        public enum Level: Hashable, Sendable {
            case error, warning, information
        }

        public var level: Level
        public var text: String

        /// Reads `e tmpfs: Bad value for 'size'`.
        init(_ bytes: [UInt8]) {
            let text = String(decoding: bytes, as: UTF8.self)
            level = text.hasPrefix("e ") ? .error : text.hasPrefix("w ") ? .warning : .information
            let hasPrefix = text.dropFirst().first == " "
            self.text = String(text.dropFirst(hasPrefix ? 2 : 0).drop { $0.isWhitespace })
            while self.text.last?.isWhitespace == true { self.text.removeLast() }
        }

        public var description: String { text }
    }

    private func configure(
        _ command: CUnsignedInt, _ key: String, _ value: String?, _ auxiliary: CInt, _ what: () -> String
    ) throws(SystemError) {
        let number = descriptor.rawValue
        do throws(SystemError) {
            try systemCall("set \(what()) of file system \(quoted(type))") {
                // The kernel wants NULL, and not an empty string, where there is no value.
                if let value { return unsafe bh_fsconfig(number, command, key, value, auxiliary) }
                return unsafe bh_fsconfig(number, command, key, nil, auxiliary)
            }
        } catch {
            throw explained(error)
        }
    }

    private func command(_ command: CUnsignedInt, _ name: String) throws(SystemError) {
        let number = descriptor.rawValue
        do throws(SystemError) {
            try systemCall("\(name) file system \(quoted(type))") {
                bh_fsconfig(number, command, nil, nil, 0)
            }
        } catch {
            throw explained(error)
        }
    }

    /// The refusal with the kernel's own words, else with what is known of the number.
    private func explained(_ error: SystemError) -> SystemError {
        let words = takeMessages().filter { $0.level != .information }.map { $0.text }
        let known = createHint(error.errno, type: type)
        let parts = words + [known].compactMap { $0 }
        return SystemError(error.operation, error.errno, hint: parts.isEmpty ? nil : parts.joined(separator: "; "))
    }
}

/// One parameter of a file system context.
public enum FileSystemParameter: Hashable, Sendable {
    /// A parameter without a value, as `ro`.
    case flag(String)
    /// A parameter with one, as `size=64m`.
    case string(String, String)

    /// Takes a word of an option list apart at its first `=`. A value's surrounding double quotes are dropped.
    public init(word: String) {
        guard let equals = word.firstIndex(of: "=") else {
            self = .flag(word)
            return
        }
        var value = word[word.index(after: equals)...]
        if value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") { value = value.dropFirst().dropLast() }
        self = .string(String(word[..<equals]), String(value))
    }
}

/// Refuses text with a NUL in it: the kernel would read only what stands before, and act on another name.
func refuseNul(_ text: String) throws(SystemError) {
    if text.utf8.contains(0) {
        throw SystemError("use name \(quoted(text))", .invalidArgument, hint: "a name can't hold a NUL")
    }
}
