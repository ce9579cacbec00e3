import CLinux
import Linux

/// The machine's null device, known to be it: what files are masked with.
public struct NullDevice: ~Copyable, Sendable {
    /// The node, opened with `OpenFlags.path`.
    public let descriptor: Descriptor

    /// Opens a node and makes sure that it is the null device. A symbolic link is not followed.
    ///
    /// - Throws: `ENODEV` when it is anything else.
    public init(path: String = "/dev/null") throws(SystemError) {
        try self.init(verifying: try Descriptor.open(path, [.path, .noFollow]))
    }

    /// Takes over an open node that is the null device.
    ///
    /// - Throws: `ENODEV` when it is anything else.
    public init(verifying descriptor: consuming Descriptor) throws(SystemError) {
        let status = try descriptor.status()
        guard status.isCharacterDevice, status.representedDevice == bh_makedev(1, 3) else {
            throw SystemError(
                "use \(pathForMessage(descriptor.rawValue)) as the null device", .noSuchDevice,
                hint: "it is not the character device 1:3")
        }
        self.descriptor = descriptor
    }
}

extension RootDirectory {
    /// Hides what is at a path: a directory below an empty read-only tmpfs, anything else below the null device.
    ///
    /// The path is resolved once, and what was found is covered itself: neither a link in the tree nor one swapped in
    /// meanwhile leads the mount elsewhere.
    ///
    /// - Returns: whether anything is there to be hidden.
    @discardableResult
    public func mask(_ path: String, with null: borrowing NullDevice) throws(SystemError) -> Bool {
        guard let place = try existing(path) else { return false }
        if try place.status().isDirectory {
            let context = try FileSystemContext("tmpfs")
            try context.set("source", "masked")
            try context.set("mode", "0555")
            try context.set("ro")
            try context.create()
            try context.mount([.readOnly, .noSuid, .noDev, .noExec]).attach(to: place)
        } else {
            try Mount.bind(null.descriptor, on: place)
        }
        return true
    }

    /// Makes what is at a path, with every mount below it, read-only for the calling thread's mount namespace, by
    /// mounting it over itself.
    ///
    /// - Returns: whether anything is there.
    @discardableResult
    public func makeReadOnly(_ path: String) throws(SystemError) -> Bool {
        guard let place = try existing(path) else { return false }
        try Mount.bind(place, on: place, recursive: true, changing: MountAttributeChange(set: .readOnly))
        return true
    }

    /// What is at a path; nil when there is nothing.
    private func existing(_ path: String) throws(SystemError) -> Descriptor? {
        do throws(SystemError) { return try open(path, .path) } catch {
            if error.errno == .noSuchFileOrDirectory || error.errno == .notADirectory { return nil }
            throw error
        }
    }
}
