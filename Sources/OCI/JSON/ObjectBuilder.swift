/// Builds a JSON object member by member and leaves out what is absent, so that a document stays as short as its
/// author wrote it.
package struct ObjectBuilder {
    private var members: [JSON.Member] = []

    package init() {}

    package var json: JSON { .object(members) }

    package mutating func add(_ name: String, _ value: some DocumentValue) {
        members.append(JSON.Member(name, value.json))
    }

    package mutating func add(_ name: String, _ value: (some DocumentValue)?) {
        if let value { members.append(JSON.Member(name, value.json)) }
    }

    package mutating func add(_ name: String, unless absent: Bool, _ value: some DocumentValue) {
        if !absent { members.append(JSON.Member(name, value.json)) }
    }

    package mutating func add(_ name: String, list: [some DocumentValue]) {
        if !list.isEmpty { members.append(JSON.Member(name, list.json)) }
    }

    package mutating func add(_ name: String, map: [String: some DocumentValue]) {
        if !map.isEmpty { members.append(JSON.Member(name, map.json)) }
    }

    package mutating func add(_ name: String, flag: Bool) {
        if flag { members.append(JSON.Member(name, true)) }
    }
}
