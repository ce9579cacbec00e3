import CLinux
import Linux

/// A mount, or a tree of mounts, that is attached nowhere: nobody sees it until it is attached, and it ends with this
/// value when that never comes.
///
/// Attributes and owners' mapping are best changed here, before anybody can use the mount.
public struct DetachedMount: ~Copyable, Sendable {
    /// The mount's root. Files below can be opened and made through it at once.
    public let descriptor: Descriptor

    /// Takes over a mount made elsewhere, as by `fsmount(2)`.
    public init(owning descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// A second mount of what is at a place: what a bind mount starts with; `open_tree(2)`, `OPEN_TREE_CLONE`.
    ///
    /// - Parameters:
    ///   - source: any file or directory of a mount; it becomes the new mount's root.
    ///   - recursive: whether the mounts below come along.
    /// - Throws: `EINVAL` when the place belongs to another mount namespace, is unbindable, or, without `recursive`,
    ///   has mounts below that a more privileged user namespace locked.
    public init(cloning source: borrowing Descriptor, recursive: Bool = false) throws(SystemError) {
        let number = source.rawValue
        let tree = try failing(hint: cloneHint) { () throws(SystemError) in
            try systemCall("clone mount at \(pathForMessage(number))") {
                // OPEN_TREE_CLONE
                unsafe bh_open_tree(number, "", AtFlags.emptyPath | 1 | (recursive ? AtFlags.recursive : 0))
            }
        }
        descriptor = Descriptor(owning: tree)
    }

    /// A second mount of what is at a path. Symbolic links are followed.
    public init(cloning path: String, recursive: Bool = false) throws(SystemError) {
        try self.init(cloning: try Descriptor.open(path, .path), recursive: recursive)
    }

    /// A second mount of what is at a place, with the attributes that `options` ask for: of the place's own mount those
    /// in ``MountOptions/attributes``, of all that come along those in ``MountOptions/recursiveAttributes``. What
    /// comes along is ``MountOptions/isRecursiveBind``'s matter; the rest of the options stays with the caller.
    public init(cloning source: borrowing Descriptor, options: MountOptions) throws(SystemError) {
        let mount = try DetachedMount(cloning: source, recursive: options.isRecursiveBind)
        if !options.recursiveAttributes.isEmpty {
            try mount.setAttributes(options.recursiveAttributes, recursive: true)
        }
        if !options.attributes.isEmpty { try mount.setAttributes(options.attributes) }
        self = mount
    }

    /// A new file system, configured and with its attributes set as `options` say. What `options` say of binding,
    /// propagation, owners' mapping and copying is not for a new file system and stays with the caller.
    ///
    /// - Parameters:
    ///   - type: the file system's name in `/proc/filesystems`.
    ///   - source: what `mount(2)` has as its first argument: a device, or a name that `/proc/mounts` shows.
    ///   - options: the file system's own options, and the mount's attributes.
    public init(
        _ type: String, source: String? = nil, options: MountOptions = MountOptions()
    ) throws(SystemError) {
        let context = try FileSystemContext(type)
        if let source { try context.set("source", source) }
        for parameter in options.superblockParameters { try context.set(parameter) }
        try context.create()
        let mount = try context.mount(options.attributes.set)
        if !options.recursiveAttributes.isEmpty { try mount.setAttributes(options.recursiveAttributes) }
        self = mount
    }

    /// Sets and clears attributes; `mount_setattr(2)`.
    public func setAttributes(_ change: MountAttributeChange, recursive: Bool = false) throws(SystemError) {
        // In /proc every detached mount is called "/".
        try Mount.setAttributes(change, descriptor.rawValue, recursive: recursive) { "detached mount" }
    }

    /// Changes where mount events go.
    public func setPropagation(_ propagation: MountPropagation) throws(SystemError) {
        try Mount.setPropagation(propagation, of: descriptor)
    }

    /// Maps the owners of all files through a user namespace, as seen by everyone; `MOUNT_ATTR_IDMAP`.
    ///
    /// An owner that is id N on disk shows as the id for which N inside the namespace stands. The mapping stays for
    /// the mount's life.
    ///
    /// - Throws: `EINVAL` when the file system can't be id-mapped, `EPERM` when the mount is already.
    public func mapOwners(through userNamespace: borrowing Namespace, recursive: Bool = false) throws(SystemError) {
        try Mount.setAttributes(
            MountAttributeChange(set: .idMap), descriptor.rawValue, recursive: recursive,
            userNamespace: userNamespace.descriptor.rawValue
        ) { "detached mount" }
    }

    /// Attaches the mount on a directory, or a mount of a file on a file; `move_mount(2)`.
    ///
    /// - Returns: the mount's root, from now on part of the tree.
    /// - Throws: `ENOTDIR` when one is a directory and the other is not, `EINVAL` when the target belongs to another
    ///   mount namespace. The mount has then ended.
    @discardableResult
    public consuming func attach(to target: borrowing Descriptor) throws(SystemError) -> Descriptor {
        try Mount.attach(descriptor.rawValue, to: target.rawValue)
        return take()
    }

    /// Attaches the mount on a path. Symbolic links in it are followed.
    @discardableResult
    public consuming func attach(to target: String) throws(SystemError) -> Descriptor {
        try attach(to: try Descriptor.open(target, .path))
    }

    private consuming func take() -> Descriptor { descriptor }
}

private func cloneHint(_ errno: Errno) -> String? {
    switch errno {
    case .invalidArgument:
        "it belongs to another mount namespace, is unbindable, or has locked mounts below that must come along"
    case .notPermitted: "needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace"
    default: nil
    }
}
