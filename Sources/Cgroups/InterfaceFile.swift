import CLinux
import Linux

/// A value as an interface file spells it.
public protocol InterfaceValue: Equatable, Sendable {
    /// Reads the kernel's text, without the newline at its end.
    init?(interfaceText: String)
    /// The text to write.
    var interfaceText: String { get }
}

/// The name of an interface file together with the type of what it holds, so that
/// `cgroup.get(.memoryMax)` is a ``Limit`` and `cgroup.set(.cpuWeight, to: "x")` does not compile.
///
/// Each controller's file of this module lists its own.
public struct InterfaceFile<Value: InterfaceValue>: Hashable, Sendable {
    /// The file's name, such as `memory.max`.
    public let name: String

    /// A file that this library does not name.
    public init(_ name: String) { self.name = name }
}

extension Cgroup {
    /// Reads an interface file's value.
    ///
    /// - Throws: ``CgroupError``; when the file is not there, it says why and what to do.
    public func get<Value>(_ file: InterfaceFile<Value>) throws(CgroupError) -> Value {
        let text = try readLine(file.name)
        guard let value = Value(interfaceText: text) else {
            throw CgroupError(.read, path: path, file: file.name, cause: .malformed(text))
        }
        return value
    }

    /// Reads an interface file's value; nil when the file is not there.
    public func getIfPresent<Value>(_ file: InterfaceFile<Value>) throws(CgroupError) -> Value? {
        guard has(file.name) else { return nil }
        return try get(file)
    }

    /// Writes an interface file's value.
    ///
    /// - Throws: ``CgroupError``; when the file is not there, it says why and what to do.
    public func set<Value>(_ file: InterfaceFile<Value>, to value: Value) throws(CgroupError) {
        try write(value.interfaceText, to: file.name)
    }

    /// Whether the cgroup has an interface file.
    public func has(_ file: String) -> Bool { unsafe faccessat(directory.rawValue, file, F_OK, 0) == 0 }

    /// Reads an interface file whole.
    public func read(_ file: String) throws(CgroupError) -> String {
        String(decoding: try readBytes(file), as: UTF8.self)
    }

    /// Writes an interface file, in one `write(2)`: the value takes effect whole or not at all.
    public func write(_ value: String, to file: String) throws(CgroupError) {
        if let errno = tryWrite(value, to: file) {
            throw explained(.write(value), file, errno)
        }
    }

    /// Writes, and says what the kernel answered instead of throwing: nil for success.
    func tryWrite(_ value: String, to file: String) -> Errno? {
        let flags = O_WRONLY | O_CLOEXEC | (isFixture ? O_APPEND : 0)
        let number = unsafe bh_openat(directory.rawValue, file, flags, 0)
        if number < 0 { return .current }
        let opened = Descriptor(owning: number)
        var value = value
        do throws(SystemError) {
            try systemCall("") {
                value.withUTF8 { bytes in unsafe CLinux.write(number, bytes.baseAddress, bytes.count) }
            }
            try opened.close()
            return nil
        } catch { return error.errno }
    }

    func readBytes(_ file: String) throws(CgroupError) -> [UInt8] {
        let number = unsafe bh_openat(directory.rawValue, file, O_RDONLY | O_CLOEXEC, 0)
        if number < 0 { throw explained(.read, file, .current) }
        let opened = Descriptor(owning: number)
        do throws(SystemError) { return try opened.readToEnd() } catch {
            throw explained(.read, file, error.errno)
        }
    }

    /// Reads a one-line file with one `read(2)`, and without its newline.
    func readLine(_ file: String) throws(CgroupError) -> String {
        let number = unsafe bh_openat(directory.rawValue, file, O_RDONLY | O_CLOEXEC, 0)
        if number < 0 { throw explained(.read, file, .current) }
        let opened = Descriptor(owning: number)
        do throws(SystemError) {
            // A page is the most that the kernel prints of such a file.
            var bytes = try opened.read(upTo: 4096)
            if bytes.last == 0x0a { bytes.removeLast() }
            return String(decoding: bytes, as: UTF8.self)
        } catch { throw explained(.read, file, error.errno) }
    }

    /// Turns a refusal into an error that says what lies behind it. Looks around for that: only for failures.
    func explained(_ operation: CgroupError.Operation, _ file: String, _ errno: Errno) -> CgroupError {
        var error = CgroupError(operation, path: path, file: file, cause: .kernel(errno))
        guard errno == .noSuchFileOrDirectory || errno == .noSuchDevice || errno == .permissionDenied else {
            error.hint = refusalHint(operation, file, errno)
            return error
        }
        if !has("cgroup.procs") && !isFixture {
            error.hint = "the cgroup was removed"
            return error
        }
        guard errno == .noSuchFileOrDirectory || errno == .permissionDenied, !has(file) else {
            error.hint = refusalHint(operation, file, errno)
            return error
        }
        guard let controller = Controller(ofFile: file) else {
            error.hint =
                fileHint(file) ?? (isRoot ? "the root cgroup has no such file" : "this kernel has no such file")
            return error
        }
        // Best effort: where the reason itself can't be read, the plain number has to do.
        if let absence = try? absence(of: controller) {
            error.cause = .controllerMissing(absence)
        } else if isRoot {
            error.hint = "the root cgroup has no such file"
        } else {
            error.cause = .fileMissing(controller)
            error.hint = fileHint(file)
        }
        return error
    }
}

extension UInt64: InterfaceValue {
    public init?(interfaceText: String) { self.init(interfaceText) }
    public var interfaceText: String { String(self) }
}

extension Int: InterfaceValue {
    public init?(interfaceText: String) { self.init(interfaceText) }
    public var interfaceText: String { String(self) }
}

extension Bool: InterfaceValue {
    /// `1` or `0`.
    public init?(interfaceText: String) {
        switch interfaceText {
        case "0": self = false
        case "1": self = true
        default: return nil
        }
    }
    public var interfaceText: String { self ? "1" : "0" }
}

extension String: InterfaceValue {
    public init?(interfaceText: String) { self = interfaceText }
    public var interfaceText: String { self }
}
