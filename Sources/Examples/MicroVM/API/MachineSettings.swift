import GuestMemory
import Machines
import OCI

/// `/machine-config`: processors and memory.
struct MachineSettings: Hashable {
    enum HugePages: String, CaseIterable {
        case none = "None"
        case transparent = "Transparent"
        case huge2M = "2M"

        var pageSize: MachineConfiguration.PageSize {
            switch self {
            case .none: .normal
            case .transparent: .transparentHuge
            case .huge2M: .huge2M
            }
        }
    }

    var processors: UInt8 = 1
    /// MiB.
    var memory: UInt64 = 128
    var hasThreads = false
    var template = StaticTemplate.none
    var tracksDirtyPages = false
    var hugePages = HugePages.none

    /// A request to change them. What is not named stays as it is.
    struct Update: Hashable {
        var processors: UInt8?
        var memory: UInt64?
        var hasThreads: Bool?
        var template: StaticTemplate?
        var tracksDirtyPages: Bool?
        var hugePages: HugePages?

        /// One that changes nothing.
        init() {}

        /// - Parameter isWhole: `PUT`, which has to name processors and memory and sets what it does not name back to
        ///   the default, but for the template; else `PATCH`.
        init(_ json: JSON, isWhole: Bool) throws(BodyError) {
            let members = try Members(
                json, isWhole ? "MachineConfig" : "MachineConfigUpdate",
                ["vcpu_count", "mem_size_mib", "smt", "cpu_template", "track_dirty_pages", "huge_pages"])
            template = try members.optional("cpu_template", Value.name)
            if isWhole {
                processors = try members.required("vcpu_count", Value.u8)
                memory = try members.required("mem_size_mib", Value.usize)
                hasThreads = try members.value("smt", or: false, Value.truth)
                tracksDirtyPages = try members.value("track_dirty_pages", or: false, Value.truth)
                hugePages = try members.value("huge_pages", or: HugePages.none, Value.name)
            } else {
                processors = try members.optional("vcpu_count", Value.u8)
                memory = try members.optional("mem_size_mib", Value.usize)
                hasThreads = try members.optional("smt", Value.truth)
                tracksDirtyPages = try members.optional("track_dirty_pages", Value.truth)
                hugePages = try members.optional("huge_pages", Value.name)
            }
        }

        var isEmpty: Bool {
            processors == nil && memory == nil && hasThreads == nil && template == nil && tracksDirtyPages == nil
                && hugePages == nil
        }
    }

    /// The settings with a change made.
    func applying(_ update: Update) throws(Fault) -> MachineSettings {
        var new = self
        new.processors = update.processors ?? processors
        new.memory = update.memory ?? memory
        new.hasThreads = update.hasThreads ?? hasThreads
        new.template = update.template ?? template
        new.tracksDirtyPages = update.tracksDirtyPages ?? tracksDirtyPages
        new.hugePages = update.hugePages ?? hugePages
        let most = MachineConfiguration.mostProcessors
        guard (1...most).contains(Int(new.processors)),
            !new.hasThreads || new.processors == 1 || new.processors % 2 == 0
        else {
            throw Fault(
                "Machine config error: The number of vCPUs must be greater than 0, less than \(most) and must be 1 or "
                    + "an even number if SMT is enabled.")
        }
        guard new.memory > 0, new.hugePages == .none || new.memory % 2 == 0 else {
            throw Fault(
                "Machine config error: The memory size (MiB) is either 0, or not a multiple of the configured page size."
            )
        }
        let range = MachineConfiguration.memoryRange
        guard (range.lowerBound >> 20...range.upperBound >> 20).contains(new.memory) else {
            throw Fault(
                "Machine config error: \(new.memory) MiB are not \(range.lowerBound >> 20) to \(range.upperBound >> 20)"
            )
        }
        return new
    }

    var json: JSON {
        var members: [JSON.Member] = [
            .init("vcpu_count", JSON(processors)), .init("mem_size_mib", JSON(memory)), .init("smt", .bool(hasThreads)),
            .init("track_dirty_pages", .bool(tracksDirtyPages)), .init("huge_pages", JSON(hugePages.rawValue)),
        ]
        if template != .none { members.insert(.init("cpu_template", JSON(template.rawValue)), at: 3) }
        return .object(members)
    }
}
