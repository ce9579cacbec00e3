import CLaunch
import CLinux
import Linux

/// A plan as the C interpreter reads it: one block of operations, strings and lists in memory that this value owns.
/// The child reads its copy of it; nothing is written after the clone.
@safe
struct CompiledPlan: ~Copyable {
    private var blocks: [UnsafeMutableRawPointer] = unsafe []
    private(set) var operations: UnsafeMutablePointer<bh_operation>
    let count: Int
    private var free: UnsafeMutableRawPointer
    private var room: Int

    /// Most plans fit into the first block.
    private static let blockSize = 32 << 10

    init(_ plan: borrowing LaunchPlan, input: UnsafeRawPointer?) {
        count = plan.operations.count
        let size = unsafe max(count, 1) * MemoryLayout<bh_operation>.stride
        unsafe operations = .allocate(capacity: max(count, 1))
        unsafe free = UnsafeMutableRawPointer.allocate(byteCount: Self.blockSize, alignment: 16)
        room = Self.blockSize
        unsafe blocks.append(free)
        unsafe memset(operations, 0, size)
        for index in 0..<count {
            let operation = unsafe compile(plan.operations[index], input)
            unsafe operations[index] = operation
        }
        for label in plan.labels { unsafe operations[label.operation].label = string(label.text) }
    }

    deinit {
        unsafe blocks.forEach { unsafe $0.deallocate() }
        unsafe operations.deallocate()
    }

    private mutating func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
        let rounded = (bytes + 15) & ~15
        if rounded > room {
            room = max(rounded, Self.blockSize)
            unsafe free = .allocate(byteCount: room, alignment: 16)
            unsafe blocks.append(free)
        }
        defer {
            unsafe free += rounded
            room -= rounded
        }
        return unsafe free
    }

    private mutating func string(_ text: String) -> UnsafePointer<CChar> {
        var text = text
        let result = text.withUTF8 { bytes in
            let memory = unsafe allocate(bytes.count + 1)
            if let start = bytes.baseAddress { unsafe memory.copyMemory(from: start, byteCount: bytes.count) }
            unsafe memory.storeBytes(of: 0, toByteOffset: bytes.count, as: UInt8.self)
            return unsafe memory
        }
        return unsafe UnsafePointer(result.assumingMemoryBound(to: CChar.self))
    }

    private mutating func list<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeRawPointer {
        let memory = unsafe allocate(max(elements.count, 1) * MemoryLayout<Element>.stride)
        unsafe elements.withUnsafeBytes { bytes in
            if let start = bytes.baseAddress { unsafe memory.copyMemory(from: start, byteCount: bytes.count) }
        }
        return UnsafeRawPointer(memory)
    }

    /// A null-terminated array of strings.
    private mutating func strings(_ texts: [String]) -> UnsafeMutablePointer<UnsafePointer<CChar>?> {
        let memory = unsafe allocate((texts.count + 1) * MemoryLayout<UnsafePointer<CChar>?>.stride)
        let array = unsafe memory.bindMemory(to: UnsafePointer<CChar>?.self, capacity: texts.count + 1)
        for (index, text) in texts.enumerated() { unsafe array[index] = string(text) }
        unsafe array[texts.count] = nil
        return unsafe array
    }

    private mutating func options(_ options: [Operation.FileSystemOption]) -> UnsafeRawPointer {
        let memory = unsafe allocate(max(options.count, 1) * MemoryLayout<bh_option>.stride)
        let array = unsafe memory.bindMemory(to: bh_option.self, capacity: max(options.count, 1))
        for (index, option) in options.enumerated() {
            unsafe array[index] =
                switch option {
                case .flag(let key): unsafe bh_option(key: string(key), value: nil, fd: -1)
                case .string(let key, let value): unsafe bh_option(key: string(key), value: string(value), fd: -1)
                case .descriptor(let key, let number): unsafe bh_option(key: string(key), value: nil, fd: number)
                }
        }
        return UnsafeRawPointer(memory)
    }

    private mutating func compile(_ operation: Operation, _ input: UnsafeRawPointer?) -> bh_operation {
        var result = unsafe bh_operation()
        unsafe result.slot = -1
        unsafe result.fd = -1
        unsafe result.fd2 = -1
        func code(_ code: bh_code) { unsafe result.code = UInt16(code.rawValue) }
        func numbers(_ a: UInt64, _ b: UInt64 = 0, _ c: UInt64 = 0, _ d: UInt64 = 0) { unsafe result.n = (a, b, c, d) }

        switch operation {
        case .synchronize(let point, let sent):
            code(BH_SYNCHRONIZE)
            numbers(UInt64(point.rawValue))
            if let sent { unsafe result.fd = sent.operand }
        case .awaitStart(let socket):
            code(BH_AWAIT_START)
            unsafe result.fd = socket.operand
        case .parentDeathSignal(let signal):
            code(BH_PARENT_DEATH_SIGNAL)
            numbers(UInt64(signal))
        case .join(let kinds, let descriptor):
            code(BH_SETNS)
            unsafe result.fd = descriptor.operand
            numbers(kinds.rawValue)
        case .unshare(let kinds):
            code(BH_UNSHARE)
            numbers(kinds.rawValue)
        case .hostname(let name):
            code(BH_HOSTNAME)
            unsafe result.s.0 = string(name)
        case .domainname(let name):
            code(BH_DOMAINNAME)
            unsafe result.s.0 = string(name)
        case .loopbackUp: code(BH_LOOPBACK_UP)
        case .propagation(let path, let flags):
            code(BH_PROPAGATION)
            unsafe result.s.0 = string(path)
            numbers(flags)
        case .open(let path, let from, let flags, let resolve, let slot):
            code(BH_OPEN)
            unsafe result.fd = from.operand
            unsafe result.s.0 = string(path)
            numbers(UInt64(UInt32(bitPattern: flags.rawValue)), resolve.rawValue)
            unsafe result.slot = slot.index
        case .cloneTree(let path, let from, let recursive, let slot):
            code(BH_CLONE_TREE)
            unsafe result.fd = from.operand
            unsafe result.s.0 = string(path)
            numbers(recursive ? 1 : 0)
            unsafe result.slot = slot.index
        case .mountAttributes(let mount, let set, let clear, let propagation, let recursive, let userNamespace):
            code(BH_MOUNT_ATTRIBUTES)
            unsafe result.fd = mount.operand
            if let userNamespace { unsafe result.fd2 = userNamespace.operand }
            numbers(set, clear, propagation, recursive ? 1 : 0)
        case .attach(let mount, let root, let path, let create, let mode):
            code(BH_ATTACH)
            unsafe result.fd = mount.operand
            unsafe result.fd2 = root.operand
            unsafe result.s.0 = string(path)
            numbers(create.rawValue, UInt64(mode))
        case .attachAtPath(let mount, let path):
            code(BH_ATTACH_AT_PATH)
            unsafe result.fd = mount.operand
            unsafe result.s.0 = string(path)
        case .fileSystem(let type, let source, let fileSystemOptions, let attributes, let slot):
            code(BH_FILE_SYSTEM)
            unsafe result.s.0 = string(type)
            if let source { unsafe result.s.1 = string(source) }
            unsafe result.list = options(fileSystemOptions)
            unsafe result.count = UInt32(fileSystemOptions.count)
            numbers(attributes)
            unsafe result.slot = slot.index
        case .reconfigure(let root, let path, let fileSystemOptions):
            code(BH_RECONFIGURE)
            unsafe result.fd = root.operand
            unsafe result.s.0 = string(path)
            unsafe result.list = options(fileSystemOptions)
            unsafe result.count = UInt32(fileSystemOptions.count)
        case .pathAttributes(let root, let path, let set, let clear, let propagation, let recursive):
            code(BH_PATH_ATTRIBUTES)
            unsafe result.fd = root.operand
            unsafe result.s.0 = string(path)
            numbers(set, clear, propagation, recursive ? 1 : 0)
        case .mask(let root, let path):
            code(BH_MASK)
            unsafe result.fd = root.operand
            unsafe result.s.0 = string(path)
        case .readOnly(let root, let path):
            code(BH_READ_ONLY)
            unsafe result.fd = root.operand
            unsafe result.s.0 = string(path)
        case .copyUp(let mount, let root, let path):
            code(BH_COPY_UP)
            unsafe result.fd = mount.operand
            unsafe result.fd2 = root.operand
            unsafe result.s.0 = string(path)
        case .makeNode(let root, let path, let mode, let device, let owner, let group):
            code(BH_MAKE_NODE)
            unsafe result.fd = root.operand
            unsafe result.s.0 = string(path)
            numbers(UInt64(mode), device, UInt64(owner), UInt64(group))
        case .makeLink(let root, let path, let text):
            code(BH_MAKE_LINK)
            unsafe result.fd = root.operand
            unsafe result.s = (string(path), string(text))
        case .makeDirectory(let root, let path, let mode):
            code(BH_MAKE_DIRECTORY)
            unsafe result.fd = root.operand
            unsafe result.s.0 = string(path)
            numbers(UInt64(mode))
        case .pivotRoot(let root):
            code(BH_PIVOT_ROOT)
            unsafe result.fd = root.operand
        case .moveRoot(let root):
            code(BH_MOVE_ROOT)
            unsafe result.fd = root.operand
        case .changeDirectory(let path):
            code(BH_CHANGE_DIRECTORY)
            unsafe result.s.0 = string(path)
        case .writeFile(let root, let path, let text, let asOwner):
            code(BH_WRITE_FILE)
            unsafe result.fd = root.operand
            unsafe result.s = (string(path), string(text))
            numbers(asOwner ? 1 : 0)
        case .terminal(let receiver, let root, let columns, let rows):
            code(BH_TERMINAL)
            unsafe result.fd = receiver.operand
            if let root { unsafe result.fd2 = root.operand }
            numbers(UInt64(columns), UInt64(rows))
        case .session: code(BH_SESSION)
        case .sessionKeyring: code(BH_SESSION_KEYRING)
        case .resourceLimit(let resource, let soft, let hard):
            code(BH_RESOURCE_LIMIT)
            numbers(UInt64(resource), soft, hard)
        case .umask(let mask):
            code(BH_UMASK)
            numbers(UInt64(mask))
        case .groups(let groups):
            code(BH_GROUPS)
            unsafe result.list = list(groups)
            unsafe result.count = UInt32(groups.count)
        case .user(let user, let group):
            code(BH_USER)
            numbers(UInt64(user), UInt64(group))
        case .keepCapabilities(let keep):
            code(BH_KEEP_CAPABILITIES)
            numbers(keep ? 1 : 0)
        case .boundingSet(let mask):
            code(BH_BOUNDING_SET)
            numbers(mask)
        case .capabilities(let effective, let permitted, let inheritable):
            code(BH_CAPABILITIES)
            numbers(effective, permitted, inheritable)
        case .ambientSet(let mask):
            code(BH_AMBIENT_SET)
            numbers(mask)
        case .noNewPrivileges: code(BH_NO_NEW_PRIVILEGES)
        case .seccomp(let program, let flags, let listener):
            code(BH_SECCOMP)
            unsafe result.list = list(program)
            unsafe result.count = UInt32(program.count)
            numbers(flags)
            if let listener { unsafe result.slot = listener.index }
        case .personality(let value):
            code(BH_PERSONALITY)
            numbers(UInt64(value))
        case .scheduler(let attributes):
            code(BH_SCHEDULER)
            unsafe result.list = list([KernelSchedulerAttributes(attributes)])
            unsafe result.count = UInt32(MemoryLayout<KernelSchedulerAttributes>.size)
        case .ioPriority(let value):
            code(BH_IO_PRIORITY)
            numbers(UInt64(value))
        case .memoryPolicy(let mode, let nodes):
            let mask = bitMask(nodes)
            code(BH_MEMORY_POLICY)
            numbers(UInt64(mode))
            unsafe result.list = list(mask)
            // The kernel reads one bit less than it is told.
            unsafe result.count = nodes.isEmpty ? 0 : UInt32(mask.count * 64 + 1)
        case .cpuAffinity(let cpus):
            let mask = bitMask(cpus)
            code(BH_CPU_AFFINITY)
            unsafe result.list = list(mask)
            unsafe result.count = UInt32(mask.count * 8)
        case .duplicate(let source, let number):
            code(BH_DUPLICATE)
            unsafe result.fd = source.operand
            numbers(UInt64(number))
        case .closeDescriptors(let first, let kept):
            code(BH_CLOSE_FROM)
            numbers(UInt64(first))
            unsafe result.list = list(kept.sorted())
            unsafe result.count = UInt32(kept.count)
        case .hook(let hook):
            code(BH_HOOK)
            unsafe result.list = self.hook(hook, input)
        case .findExecutable(let name, let searchPath):
            code(BH_FIND_EXECUTABLE)
            let candidates = name.utf8.contains(UInt8(ascii: "/")) ? [name] : searchPath.map { "\($0)/\(name)" }
            unsafe result.list = UnsafeRawPointer(strings(candidates))
            unsafe result.count = UInt32(candidates.count)
        case .execute(let arguments, let environment):
            code(BH_EXECUTE)
            unsafe result.list = UnsafeRawPointer(strings(arguments))
            unsafe result.list2 = UnsafeRawPointer(strings(environment))
        }
        return unsafe result
    }

    private mutating func hook(_ hook: Operation.Hook, _ input: UnsafeRawPointer?) -> UnsafeRawPointer {
        let memory = unsafe allocate(MemoryLayout<bh_hook>.stride)
        let path = unsafe string(hook.path)
        let arguments = unsafe strings(hook.arguments)
        let environment = unsafe strings(hook.environment)
        let compiled = unsafe bh_hook(
            path: path, argv: UnsafePointer(arguments), envp: UnsafePointer(environment),
            input: UnsafeRawPointer(input)?.advanced(by: HookInput.textOffset).assumingMemoryBound(to: CChar.self),
            input_length: UnsafeRawPointer(input)?.assumingMemoryBound(to: UInt32.self),
            timeout_milliseconds: hook.timeout.map { Int64($0) * 1000 } ?? -1)
        unsafe memory.storeBytes(of: compiled, as: bh_hook.self)
        return UnsafeRawPointer(memory)
    }
}

extension DescriptorReference {
    var operand: Int32 {
        switch self {
        case .inherited(let number): number
        case .slot(let slot): BH_SLOT_BASE - Int32(slot.index)
        case .workingDirectory: AT_FDCWD
        }
    }
}

/// `struct sched_attr`, as `sched_setattr(2)` defines its first version.
private struct KernelSchedulerAttributes: BitwiseCopyable {
    var size: UInt32 = 48
    var policy: UInt32
    var flags: UInt64
    var nice: Int32
    var priority: UInt32
    var runtime: UInt64
    var deadline: UInt64
    var period: UInt64

    init(_ attributes: Operation.SchedulerAttributes) {
        policy = attributes.policy
        flags = attributes.flags
        nice = attributes.nice
        priority = attributes.priority
        runtime = attributes.runtime
        deadline = attributes.deadline
        period = attributes.period
    }
}

/// Bits by number, in as many words as it takes.
private func bitMask(_ bits: [Int]) -> [UInt64] {
    var mask = [UInt64](repeating: 0, count: max(1, ((bits.max() ?? 0) >> 6) + 1))
    for bit in bits { mask[bit >> 6] |= 1 << UInt64(bit & 63) }
    return mask
}
