import CLinux
import Linux

extension Operation: CustomStringConvertible {
    /// One line that says what the step does, with its important arguments: `mount proc on "/proc"`.
    public var description: String {
        switch self {
        case .synchronize(let point, let sent):
            "wait for the parent at point \(point.rawValue)" + (sent.map { ", handing over \($0)" } ?? "")
        case .awaitStart: "wait for the start"
        case .parentDeathSignal(0): "outlive the parent"
        case .parentDeathSignal(let signal): "die with the parent, by signal \(signal)"
        case .join(let kinds, let reference): "join the \(kinds) namespace of \(reference)"
        case .unshare(let kinds): "enter a new \(kinds) namespace"
        case .hostname(let name): "set the hostname to \(quoted(name))"
        case .domainname(let name): "set the domain name to \(quoted(name))"
        case .loopbackUp: "bring the loopback interface up"
        case .propagation(let path, let flags): "make \(quoted(path)) \(propagationName(flags))"
        case .open(let path, let from, _, _, let slot): "open \(quoted(path))\(origin(from)) into slot \(slot.index)"
        case .cloneTree(let path, let from, let recursive, let slot):
            "copy the mount \(quoted(path))\(origin(from))\(recursive ? " with all below it" : "") into slot \(slot.index)"
        case .mountAttributes(let mount, let set, let clear, let propagation, let recursive, let userNamespace):
            "change the mount in \(mount):"
                + attributeWords(set, clear, propagation, recursive, idMapped: userNamespace != nil)
        case .attach(let mount, _, let path, _, _): "mount \(mount) on \(quoted(path))"
        case .attachAtPath(let mount, let path): "mount \(mount) on the host's \(quoted(path))"
        case .fileSystem(let type, let source, let options, let attributes, let slot):
            "make file system \(type)" + (source.map { " from \(quoted($0))" } ?? "")
                + (options.isEmpty ? "" : " (\(options.map { $0.description }.joined(separator: ",")))")
                + (attributes == 0 ? "" : ":" + attributeWords(attributes, 0, 0, false)) + " into slot \(slot.index)"
        case .reconfigure(_, let path, let options):
            "reconfigure the file system on \(quoted(path)): \(options.map { $0.description }.joined(separator: ","))"
        case .pathAttributes(_, let path, let set, let clear, let propagation, let recursive):
            "change the mount on \(quoted(path)):" + attributeWords(set, clear, propagation, recursive)
        case .mask(_, let path): "mask \(quoted(path))"
        case .readOnly(_, let path): "make \(quoted(path)) read-only"
        case .copyUp(let mount, _, let path): "copy what \(quoted(path)) holds into \(mount)"
        case .makeNode(_, let path, let mode, let device, _, _):
            "make device \(quoted(path)) (\(nodeType(mode)) \(gnu_major(device)):\(gnu_minor(device)), mode 0\(String(mode & 0o7777, radix: 8)))"
        case .makeLink(_, let path, let text): "make link \(quoted(path)) to \(quoted(text))"
        case .makeDirectory(_, let path, _): "make directory \(quoted(path))"
        case .pivotRoot(let root): "make \(root) the root and drop the old one"
        case .moveRoot(let root): "move \(root) over the root"
        case .changeDirectory(let path): "enter directory \(quoted(path))"
        case .writeFile(_, let path, let text, _): "write \(quoted(text)) to \(quoted(path))"
        case .terminal: "open a terminal and send it to the console socket"
        case .session: "start a session"
        case .sessionKeyring: "start a session keyring"
        case .resourceLimit(let resource, let soft, let hard):
            "limit \(resourceName(resource)) to \(limitText(soft)) (hard \(limitText(hard)))"
        case .umask(let mask): "set the umask to 0\(String(mask, radix: 8))"
        case .groups(let groups): "set the additional groups to \(list(groups))"
        case .user(let user, let group): "become user \(user), group \(group)"
        case .keepCapabilities(let keep): keep ? "keep capabilities across the change of user" : "keep them no longer"
        case .boundingSet(let mask): "bound capabilities to 0x\(String(mask, radix: 16))"
        case .capabilities(let effective, let permitted, let inheritable):
            "set capabilities: effective 0x\(String(effective, radix: 16)), permitted 0x\(String(permitted, radix: 16)), inheritable 0x\(String(inheritable, radix: 16))"
        case .ambientSet(let mask): "set ambient capabilities to 0x\(String(mask, radix: 16))"
        case .noNewPrivileges: "give up new privileges"
        case .seccomp(let program, _, _): "install a seccomp filter of \(program.count) instructions"
        case .personality(let value): "set the personality to 0x\(String(value, radix: 16))"
        case .scheduler(let attributes): "set scheduling policy \(attributes.policy)"
        case .ioPriority(let value): "set I/O priority class \(value >> 13), level \(value & 0x1fff)"
        case .memoryPolicy(let mode, let nodes): "set memory policy \(mode & 0xff) on nodes \(list(nodes))"
        case .cpuAffinity(let cpus): "run on CPUs \(list(cpus))"
        case .duplicate(let source, let number): "put \(source) at descriptor \(number)"
        case .closeDescriptors(let first, let kept):
            "close every descriptor from \(first) on" + (kept.isEmpty ? "" : " but \(list(kept))")
        case .hook(let hook): "run hook \(quoted(hook.path))"
        case .findExecutable(let name, _): "find executable \(quoted(name))"
        case .execute(let arguments, _): "execute \(arguments.map(quoted).joined(separator: " "))"
        }
    }
}

extension Operation.FileSystemOption: CustomStringConvertible {
    public var description: String {
        switch self {
        case .flag(let name): name
        case .string(let name, let value): "\(name)=\(value)"
        case .descriptor(let name, let number): "\(name)=descriptor \(number)"
        }
    }
}

private func origin(_ reference: DescriptorReference) -> String {
    reference == .workingDirectory ? "" : " in \(reference)"
}

private func nodeType(_ mode: mode_t) -> String {
    switch mode & mode_t(S_IFMT) {
    case mode_t(S_IFCHR): "character"
    case mode_t(S_IFBLK): "block"
    case mode_t(S_IFIFO): "fifo"
    default: "file"
    }
}

private func gnu_major(_ device: UInt64) -> UInt64 { (device >> 8 & 0xfff) | (device >> 32 & ~0xfff) }
private func gnu_minor(_ device: UInt64) -> UInt64 { (device & 0xff) | (device >> 12 & ~0xff) }

private func propagationName(_ flags: UInt64) -> String {
    let recursive = flags & 16384 != 0 ? "recursively " : ""
    let names: [(UInt64, String)] = [
        (1 << 17, "unbindable"), (1 << 18, "private"), (1 << 19, "slave"), (1 << 20, "shared"),
    ]
    return recursive + (names.first { flags & $0.0 != 0 }?.1 ?? "unchanged in propagation")
}

private let attributeNames: [(UInt64, String)] = [
    (0x1, "read-only"), (0x2, "nosuid"), (0x4, "nodev"), (0x8, "noexec"), (0x10, "noatime"), (0x20, "strictatime"),
    (0x80, "nodiratime"), (0x20_0000, "nosymfollow"),
]

private func attributeWords(
    _ set: UInt64, _ clear: UInt64, _ propagation: UInt64, _ recursive: Bool, idMapped: Bool = false
) -> String {
    var words = attributeNames.filter { set & $0.0 != 0 }.map { " +" + $0.1 }
    words += attributeNames.filter { clear & $0.0 != 0 && set & $0.0 == 0 }.map { " -" + $0.1 }
    if propagation != 0 { words.append(" " + propagationName(propagation)) }
    if idMapped { words.append(" id-mapped") }
    if recursive { words.append(" recursively") }
    return words.joined()
}

// Embedded Swift has no text for an array.
private func list<Value: CustomStringConvertible>(_ values: [Value]) -> String {
    "[\(values.map { $0.description }.joined(separator: ", "))]"
}

private func limitText(_ value: UInt64) -> String { value == .max ? "unlimited" : "\(value)" }

private func resourceName(_ resource: CInt) -> String {
    let names = [
        "CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
        "MSGQUEUE", "NICE", "RTPRIO", "RTTIME",
    ]
    return names.indices.contains(Int(resource)) ? "RLIMIT_" + names[Int(resource)] : "resource \(resource)"
}
