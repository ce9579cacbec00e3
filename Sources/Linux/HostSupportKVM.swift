import CLinux

extension HostSupport {
    /// Whether virtual machines can run here, and how fast their kernels would.
    public struct KVMSupport: Hashable, Sendable {
        /// What came of making a virtual machine of one page and running a loop in it.
        public enum State: Hashable, Sendable {
            /// There is no `/dev/kvm`.
            case noDevice
            /// It can't be opened, most often for its permissions.
            case refused(Errno)
            /// A step of making the machine failed.
            case failed(step: String, Errno)
            /// The machine ran. One instruction of ring 0 took so long; nil on an architecture where that is not
            /// measured.
            case works(nanosecondsPerInstruction: Double?)
        }

        /// What came of it.
        public var state: State
        /// What `KVM_GET_API_VERSION` said: 12 since 2007.
        public var apiVersion: Int?

        /// A state given, as for a test.
        public init(state: State, apiVersion: Int? = nil) {
            self.state = state
            self.apiVersion = apiVersion
        }

        /// An instruction of a loop takes a fraction of a nanosecond on a processor, some nanoseconds where a processor
        /// is emulated as a whole, and hundreds where each instruction of ring 0 is trapped and emulated on its own.
        public static let slowestRealInstruction = 50.0

        /// Whether a guest's kernel runs on a processor, not in an emulator that takes it apart instruction by
        /// instruction: there, Linux does not finish booting. Nil when it was not measured.
        public var hasRealRing0: Bool? {
            guard case .works(let time?) = state else { return nil }
            return time <= Self.slowestRealInstruction
        }

        static func probe() -> KVMSupport {
            guard fileExists("/dev/kvm") else { return KVMSupport(state: .noDevice) }
            // The loop takes 50 milliseconds at a microsecond an instruction. The limit is for a machine that is emulated
            // as a whole, where making the virtual machine takes half a second, and for a /dev/kvm that never answers.
            let answer = bh_probe_kvm(5000)
            let errno = Errno(rawValue: answer.error)
            let state: State =
                switch answer.step {
                case BH_KVM_DONE: .works(nanosecondsPerInstruction: answer.instruction)
                case BH_KVM_OTHER_ARCHITECTURE: .works(nanosecondsPerInstruction: nil)
                case BH_KVM_OPEN: .refused(errno)
                case BH_KVM_VERSION: .failed(step: "KVM_GET_API_VERSION", errno)
                case BH_KVM_CREATE_VM: .failed(step: "KVM_CREATE_VM", errno)
                case BH_KVM_MEMORY: .failed(step: "KVM_SET_USER_MEMORY_REGION", errno)
                case BH_KVM_CREATE_VCPU: .failed(step: "KVM_CREATE_VCPU", errno)
                case BH_KVM_REGISTERS: .failed(step: "KVM_SET_SREGS", errno)
                case BH_KVM_RUN: .failed(step: "KVM_RUN", errno)
                case BH_KVM_UNEXPECTED_EXIT: .failed(step: "KVM_RUN, exit reason \(answer.error)", .ioError)
                default: .failed(step: "the probe's process", errno)
                }
            return KVMSupport(state: state, apiVersion: answer.version > 0 ? Int(answer.version) : nil)
        }
    }
}
