import Linux

/// Why capabilities could not be read or set.
public enum CapabilityError: Error, Hashable, Sendable {
    /// No capability has this name; with the name that may have been meant.
    case unknownName(String, suggestion: String?)
    /// The kernel has no such capabilities.
    case notSupported(CapabilitySet)
    /// The thread may not have these capabilities in this set: what was given up never comes back.
    case notAttainable(CapabilitySet, CapabilitySetKind)
    /// The text is not in the form of `cap_from_text(3)`.
    case malformedText(String)
    /// `/proc/PID/status` holds no such line, or one that is not a mask.
    case malformedStatus(field: String)
    /// The kernel refused.
    case system(SystemError)
}

/// The five sets of a thread; `capabilities(7)`.
public enum CapabilitySetKind: String, Hashable, Sendable, CaseIterable {
    case effective, permitted, inheritable, bounding, ambient
}

extension CapabilityError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownName(let name, let suggestion):
            "unknown capability \(quoted(name))" + (suggestion.map { ": did you mean \($0)?" } ?? "")
        case .notSupported(let set): "this kernel does not know \(set)"
        case .notAttainable(let set, let kind): "the thread may not have \(set) in its \(kind.rawValue) set"
        case .malformedText(let text): "\(quoted(text)) is not a capability text as cap_from_text(3) reads it"
        case .malformedStatus(let field): "the process's status has no readable \(field) line"
        case .system(let error): error.description
        }
    }
}
