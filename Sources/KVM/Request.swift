import CKVM
import Linux

/// An ioctl's number, put together as `_IO`, `_IOR`, `_IOW` and `_IOWR` of `linux/ioctl.h` do: Swift does not see the
/// macros. The tests compare each with the kernel's headers.
struct Request: Hashable, Sendable {
    let rawValue: UInt

    private init(_ direction: UInt, _ number: UInt, _ size: Int) {
        rawValue = direction << 30 | UInt(size) << 16 | 0xae << 8 | number
    }

    static func plain(_ number: UInt) -> Request { Request(0, number, 0) }
    static func write<T>(_ number: UInt, _ type: T.Type) -> Request { Request(1, number, MemoryLayout<T>.stride) }
    static func read<T>(_ number: UInt, _ type: T.Type) -> Request { Request(2, number, MemoryLayout<T>.stride) }
    static func both<T>(_ number: UInt, _ type: T.Type) -> Request { Request(3, number, MemoryLayout<T>.stride) }
    /// For structures that end in a list, whose number counts only what comes before the list.
    static func write(_ number: UInt, headOf size: Int) -> Request { Request(1, number, size) }
    static func both(_ number: UInt, headOf size: Int) -> Request { Request(3, number, size) }
}

extension Descriptor {
    /// An ioctl that takes a number, or nothing.
    @discardableResult
    func control(
        _ request: Request, number argument: UInt = 0, _ operation: @autoclosure () -> String
    ) throws(SystemError) -> CInt {
        let number = rawValue
        return try systemCall(operation()) { bh_kvm_control_number(number, request.rawValue, argument) }
    }

    /// An ioctl that reads a structure, fills it, or both.
    @discardableResult
    func control<T>(
        _ request: Request, with value: inout T, _ operation: @autoclosure () -> String
    ) throws(SystemError) -> CInt {
        let number = rawValue
        return try systemCall(operation()) {
            unsafe withUnsafeMutablePointer(to: &value) {
                unsafe bh_kvm_control(number, request.rawValue, $0)
            }
        }
    }

    /// An ioctl that only reads a structure.
    @discardableResult
    func control<T>(
        _ request: Request, from value: T, _ operation: @autoclosure () -> String
    ) throws(SystemError) -> CInt {
        var value = value
        return try control(request, with: &value, operation())
    }
}

/// A structure of so many bytes of head, then a list: the kernel's flexible arrays, which Swift does not import.
@safe
struct ListBuffer<Element: BitwiseCopyable>: ~Copyable {
    /// The head's size, and where the elements begin.
    let head: Int
    let count: Int
    private let memory: UnsafeMutableRawBufferPointer

    init(head: Int, count: Int) {
        self.head = head
        self.count = count
        unsafe memory = .allocate(
            byteCount: head + count * MemoryLayout<Element>.stride, alignment: MemoryLayout<UInt64>.alignment)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    }

    init(head: Int, _ elements: [Element]) {
        self.init(head: head, count: elements.count)
        for index in elements.indices { self[index] = elements[index] }
    }

    deinit { unsafe memory.deallocate() }

    /// The number of elements, as every such structure has it at its beginning.
    var length: UInt32 {
        get { unsafe memory.load(as: UInt32.self) }
        set { unsafe memory.storeBytes(of: newValue, as: UInt32.self) }
    }

    subscript(index: Int) -> Element {
        get {
            precondition(index >= 0 && index < count, "an element of the list")
            return unsafe memory.load(
                fromByteOffset: head + index * MemoryLayout<Element>.stride, as: Element.self)
        }
        set {
            precondition(index >= 0 && index < count, "an element of the list")
            unsafe memory.storeBytes(
                of: newValue, toByteOffset: head + index * MemoryLayout<Element>.stride, as: Element.self)
        }
    }

    /// The first elements, no more than there is room for.
    func elements(_ length: Int) -> [Element] {
        (0..<min(length, count)).map { self[$0] }
    }

    /// Makes the ioctl: what it returned, or the errno.
    mutating func control(_ descriptor: borrowing Descriptor, _ request: Request) -> Result<CInt, Errno> {
        let number = descriptor.rawValue
        while true {
            let answer = unsafe bh_kvm_control(number, request.rawValue, memory.baseAddress)
            if answer != -1 { return .success(answer) }
            let error = Errno.current
            if error != .interrupted { return .failure(error) }
        }
    }
}
