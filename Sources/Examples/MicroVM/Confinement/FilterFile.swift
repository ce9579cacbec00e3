import Linux
import Machines
import OCI
import Seccomp

/// Filters from a file, in the JSON that Firecracker's filters are written in:
///
/// ```json
/// {
///     "vmm": {"default_action": "trap", "filter_action": "allow", "filter": [{"syscall": "read"}]},
///     "api": {"default_action": "trap", "filter_action": "allow", "filter": []},
///     "vcpu": {"default_action": "trap", "filter_action": "allow", "filter": [
///         {"syscall": "ioctl", "args": [{"index": 1, "type": "dword", "op": "eq", "val": 44672}]}
///     ]}
/// }
/// ```
///
/// `vmm` holds for all threads that have none of their own by name: `api`, `devices`, `share`, `serial` and `console`. A name that is
/// not known is an error. What the end with status 148 needs is allowed whatever the file says.
struct FilterFile {
    /// For each kind of thread.
    private(set) var profiles: [ThreadRole: SeccompProfile] = [:]
    private let path: String

    init(path: String) throws(Failure) {
        self.path = path
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try readFile(path, limit: 1 << 20) } catch {
            throw Failure(.refused, "--seccomp-filter: \(error)")
        }
        let document: JSON
        do throws(DocumentError) { document = try JSON(parsing: bytes) } catch {
            throw Failure(.usage, "--seccomp-filter \(quoted(path)): \(error)")
        }
        for (name, value) in try members(document, "the document") {
            guard let role = ThreadRole.all.first(where: { $0.rawValue == name }) else {
                throw wrong(name, "is not known")
            }
            guard profiles[role] == nil else { throw wrong(name, "is there twice") }
            profiles[role] = try profile(value, name)
        }
        guard let common = profiles[.main] else { throw wrong("vmm", "is missing") }
        guard profiles[.processor] != nil else { throw wrong("vcpu", "is missing") }
        for role in ThreadRole.all where profiles[role] == nil { profiles[role] = common }
    }

    private func profile(_ value: JSON, _ place: String) throws(Failure) -> SeccompProfile {
        var (initial, matched): (SeccompAction?, SeccompAction?) = (nil, nil)
        var rules: JSON?
        for (name, value) in try members(value, place) {
            switch name {
            case "default_action": initial = try action(value, "\(place).default_action")
            case "filter_action": matched = try action(value, "\(place).filter_action")
            case "filter": rules = value
            case "comment": break
            default: throw wrong("\(place).\(name)", "is not known")
            }
        }
        guard let initial else { throw wrong("\(place).default_action", "is missing") }
        guard let matched else { throw wrong("\(place).filter_action", "is missing") }
        guard let list = rules?.arrayValue else { throw wrong("\(place).filter", "is not a list") }
        var profile = ThreadFilters.profile(ThreadFilters.ending)
        profile.defaultAction = initial
        for (index, element) in list.enumerated() {
            profile.rules.append(try rule(element, matched, "\(place).filter[\(index)]"))
        }
        return profile
    }

    private func action(_ value: JSON, _ place: String) throws(Failure) -> SeccompAction {
        switch value.stringValue {
        case "allow": return .allow
        case "trap": return .trap
        case "log": return .log
        case "kill", "kill_process": return .killProcess
        case "kill_thread": return .killThread
        default: break
        }
        if let number = value["errno"]?.integerValue(as: UInt32.self), number <= 4095 {
            return .errno(Errno(rawValue: CInt(number)))
        }
        if let number = value["trace"]?.integerValue(as: UInt16.self) { return .trace(number) }
        throw wrong(place, "is none of allow, trap, log, kill_process, kill_thread, {\"errno\": N} and {\"trace\": N}")
    }

    private func rule(_ value: JSON, _ action: SeccompAction, _ place: String) throws(Failure) -> SeccompRule {
        var call: String?
        var tests: [ArgumentTest] = []
        for (name, value) in try members(value, place) {
            switch name {
            case "syscall": call = value.stringValue
            case "args":
                guard let list = value.arrayValue else { throw wrong("\(place).args", "is not a list") }
                for (index, element) in list.enumerated() {
                    let place = "\(place).args[\(index)]"
                    let test = try test(element, place)
                    // Here all tests of a rule have to hold; in a profile two of one argument are alternatives.
                    if tests.contains(where: { $0.index == test.index }) {
                        throw wrong(place, "tests argument \(test.index) again")
                    }
                    tests.append(test)
                }
            case "comment": break
            default: throw wrong("\(place).\(name)", "is not known")
            }
        }
        guard let call else { throw wrong("\(place).syscall", "is not a call's name") }
        guard SystemCall.number(of: call) != nil else {
            throw wrong("\(place).syscall", "names no call of this architecture: \(quoted(call))")
        }
        return SeccompRule([call], action, when: tests)
    }

    private func test(_ value: JSON, _ place: String) throws(Failure) -> ArgumentTest {
        var (index, number): (UInt32?, UInt64?) = (nil, nil)
        var (type, operation): (String?, JSON?) = (nil, nil)
        for (name, value) in try members(value, place) {
            switch name {
            // Both names have been Firecracker's.
            case "index", "arg_index": index = value.integerValue()
            case "type", "arg_type": type = value.stringValue
            case "op": operation = value
            case "val": number = value.integerValue()
            case "comment": break
            default: throw wrong("\(place).\(name)", "is not known")
            }
        }
        guard let index, index <= 5 else { throw wrong("\(place).index", "is not 0 to 5") }
        guard let number else { throw wrong("\(place).val", "is not a number that fits") }
        guard type == "dword" || type == "qword" else { throw wrong("\(place).type", "is neither dword nor qword") }
        let half: UInt64 = type == "dword" ? 0xffff_ffff : .max
        if let mask = operation?["masked_eq"]?.integerValue(as: UInt64.self) {
            return ArgumentTest(index, .maskedEqual, mask & half, valueTwo: number & mask & half)
        }
        switch (operation?.stringValue, type) {
        case ("eq", "dword"): return ArgumentTest(index, .maskedEqual, half, valueTwo: number & half)
        case ("eq", _): return ArgumentTest(index, .equal, number)
        case ("ne", "qword"): return ArgumentTest(index, .notEqual, number)
        case ("lt", "qword"): return ArgumentTest(index, .less, number)
        case ("le", "qword"): return ArgumentTest(index, .lessOrEqual, number)
        case ("gt", "qword"): return ArgumentTest(index, .greater, number)
        case ("ge", "qword"): return ArgumentTest(index, .greaterOrEqual, number)
        case ("ne", _), ("lt", _), ("le", _), ("gt", _), ("ge", _):
            throw wrong("\(place).op", "compares a dword: for that there are eq and masked_eq")
        default: throw wrong("\(place).op", "is none of eq, ne, lt, le, gt, ge and {\"masked_eq\": MASK}")
        }
    }

    private func members(_ value: JSON, _ place: String) throws(Failure) -> [(String, JSON)] {
        guard case .object(let members) = value else { throw wrong(place, "is not an object") }
        return members.map { ($0.name, $0.value) }
    }

    private func wrong(_ place: String, _ why: String) -> Failure {
        Failure(.usage, "--seccomp-filter \(quoted(path)): \(place) \(why)")
    }
}
