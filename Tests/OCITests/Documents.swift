import Foundation
import Testing

@testable import OCI

/// The bytes of a file in `Documents`.
func document(_ name: String) throws -> [UInt8] {
    let url = try #require(Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Documents"))
    return Array(try Data(contentsOf: url))
}

/// The error that reading `json` as a document throws, or nil.
func error(_ read: () throws(DocumentError) -> Void) -> DocumentError? {
    do {
        try read()
        return nil
    } catch {
        return error
    }
}

/// The error that `text` as a `config.json` throws, as the line that a user sees.
func complaint(_ text: String) -> String? {
    error { () throws(DocumentError) in _ = try Configuration(json: text) }?.description
}

/// One step from a value into what it holds.
enum Step: Equatable {
    case member(String)
    case element(Int)
}

extension [Step] {
    /// The path as errors show it.
    var description: String {
        var text = ""
        for step in self {
            switch step {
            case .member(let name): appendName(name, to: &text)
            case .element(let index): text += "[\(index)]"
            }
        }
        return text
    }
}

extension JSON {
    /// Every value below this one, with the way to it.
    var descendants: [(path: [Step], value: JSON)] {
        switch self {
        case .object(let members):
            members.flatMap { member in
                [([.member(member.name)], member.value)]
                    + member.value.descendants.map { ([.member(member.name)] + $0.path, $0.value) }
            }
        case .array(let elements):
            elements.enumerated().flatMap { index, element in
                [([.element(index)], element)] + element.descendants.map { ([.element(index)] + $0.path, $0.value) }
            }
        default: []
        }
    }

    /// A copy in which `change` has been made to what is at `path`: nil removes a member.
    func changing(_ path: ArraySlice<Step>, _ change: (JSON) -> JSON?) -> JSON {
        guard let step = path.first else { return change(self) ?? .null }
        switch (self, step) {
        case (.object(var members), .member(let name)):
            guard let index = members.firstIndex(where: { $0.name == name }) else { return self }
            if path.count == 1 {
                if let value = change(members[index].value) {
                    members[index].value = value
                } else {
                    members.remove(at: index)
                }
            } else {
                members[index].value = members[index].value.changing(path.dropFirst(), change)
            }
            return .object(members)
        case (.array(var elements), .element(let index)):
            elements[index] = elements[index].changing(path.dropFirst(), change)
            return .array(elements)
        default: return self
        }
    }

    /// The same value with every object's members in the order of their names.
    var sorted: JSON {
        switch self {
        case .object(let members):
            .object(members.map { Member($0.name, $0.value.sorted) }.sorted { $0.name < $1.name })
        case .array(let elements): .array(elements.map(\.sorted))
        default: self
        }
    }
}
