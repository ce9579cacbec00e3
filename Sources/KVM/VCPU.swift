import CKVM
import Linux

/// A virtual processor and its run page.
///
/// A vCPU belongs to one thread at a time; other threads reach it through a ``VCPUKicker`` only.
///
/// ```swift
/// var isOn = true
/// while isOn {
///     try vcpu.run { exit in
///         switch exit {
///         case .portWrite(let write) where write.port == 0x3f8: print(write.value)
///         case .memoryRead(let read): read.fill(0)
///         case .halt: isOn = false
///         default: break
///         }
///     }
/// }
/// ```
@safe
public struct VCPU: ~Copyable, @unchecked Sendable {
    /// The vCPU's descriptor.
    public let descriptor: Descriptor
    /// The number that it was made with; on x86 its initial APIC id.
    public let id: UInt32
    /// Bytes of ``ExtendedState``, 0 where there is none.
    let extendedStateSize: Int
    /// Keeps mapped what `page` and `state` point to.
    let runPage: RunPage

    // Copies of what the run page's owner has, so that a run counts no references.
    @usableFromInline let number: CInt
    @usableFromInline let page: UnsafeMutablePointer<kvm_run>
    @usableFromInline let size: Int
    @usableFromInline let state: UnsafeMutablePointer<bh_kvm_thread>

    init(
        id: UInt32, owning descriptor: consuming Descriptor, runPageSize: Int, extendedStateSize: Int
    ) throws(SystemError) {
        let run = try RunPage(descriptor, size: runPageSize)
        number = descriptor.rawValue
        unsafe page = run.page
        size = runPageSize
        unsafe state = run.state
        runPage = run
        self.id = id
        self.extendedStateSize = extendedStateSize
        self.descriptor = descriptor
    }

    /// Runs the guest until something needs the caller, and shows it what; `KVM_RUN`.
    ///
    /// The exit is lent to the closure, and can't be kept: it is noncopyable and borrowed. The vCPU can't run again inside
    /// the closure: `run` has exclusive access to it. Both are errors of compilation, by language features that are
    /// stable. (A vCPU that is a property of a class is checked when it runs instead.) What the closure stores into the
    /// exit is what the guest reads when it runs next. Nothing here allocates.
    ///
    /// - Parameter body: looks at the exit; its result is the result of `run`.
    /// - Throws: what `KVM_RUN` answers when it can't go on at all, such as `EFAULT` for an address that is not mapped,
    ///   `ENOEXEC` on arm64 for a vCPU that was not initialised. `EINTR` is ``Exit/interrupted``.
    @inlinable
    public mutating func run<Result: ~Copyable>(_ body: (borrowing Exit) -> Result) throws(SystemError) -> Result {
        let error = unsafe bh_kvm_run(number, page, state)
        if error != 0 { return try stopped(error, "KVM_RUN", body) }
        return unsafe Exit.with(page, size, body)
    }

    /// Lets KVM take up the answers to the last exit, without running the guest: registers are complete, and may be
    /// saved, when this said ``Exit/interrupted``. Any other exit is one more that the same instruction needs: it is to
    /// be answered, and this to be called again.
    @inlinable
    public mutating func completeLastExit<Result: ~Copyable>(
        _ body: (borrowing Exit) -> Result
    ) throws(SystemError) -> Result {
        let error = unsafe bh_kvm_complete(number, page, state)
        if error != 0 { return try stopped(error, "complete the last exit", body) }
        return unsafe Exit.with(page, size, body)
    }

    @usableFromInline
    func stopped<Result: ~Copyable>(
        _ error: CInt, _ operation: String, _ body: (borrowing Exit) -> Result
    ) throws(SystemError) -> Result {
        let errno = Errno(rawValue: error)
        if errno == .interrupted { return body(.interrupted) }
        // The one exit that comes with an error: EFAULT or EHWPOISON, and the page says more.
        let hasFault = unsafe page.pointee.exit_reason == Exit.Reason.memoryFault.rawValue
        if hasFault, errno == .fault || errno == .poisonedMemory {
            return unsafe Exit.with(page, size, body)
        }
        throw SystemError("\(operation), vCPU \(id)", errno)
    }

    /// Makes the next run come back at once, as ``Exit/interrupted``, after it took up the answers to the last exit;
    /// for the thread that runs the vCPU. Others use ``VCPUKicker/kick()``.
    public mutating func requestImmediateExit() {
        unsafe bh_kvm_request_exit(page, state)
    }

    /// Whether interrupts may be injected with the next run, where there is no controller in the kernel.
    public var isReadyForInterrupt: Bool { unsafe page.pointee.ready_for_interrupt_injection != 0 }

    /// The guest's interrupt flag at the last exit; x86, without a controller in the kernel.
    public var interruptFlag: Bool { unsafe page.pointee.if_flag != 0 }

    /// Asks for ``Exit/interruptWindowOpen`` as soon as the guest takes interrupts.
    public var requestsInterruptWindow: Bool {
        get { unsafe page.pointee.request_interrupt_window != 0 }
        set { unsafe page.pointee.request_interrupt_window = newValue ? 1 : 0 }
    }
}

extension Errno {
    /// EFAULT.
    fileprivate static let fault = Errno(rawValue: 14)
    /// EHWPOISON.
    fileprivate static let poisonedMemory = Errno(rawValue: 133)
}

/// The memory that a vCPU shares with the kernel, and the words by which its thread is found.
@safe
final class RunPage: @unchecked Sendable {
    let page: UnsafeMutablePointer<kvm_run>
    let size: Int
    let state: UnsafeMutablePointer<bh_kvm_thread>

    init(_ descriptor: borrowing Descriptor, size: Int) throws(SystemError) {
        guard let page = unsafe bh_kvm_map(descriptor.rawValue, size) else {
            throw SystemError("map the run page", .current)
        }
        unsafe self.page = page
        self.size = size
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: bh_kvm_thread())
    }

    deinit {
        unsafe bh_kvm_unmap(page, size)
        unsafe state.deallocate()
    }
}
