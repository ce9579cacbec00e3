/// One line of the report.
struct Check {
    enum Status: String {
        case yes, partly, no
    }

    /// What is asked for.
    var name: String
    var status: Status
    /// What was found, in a few words.
    var found: String
    /// What to do about anything but a yes.
    var advice: String?
    /// Whether containers need it.
    var isEssential = false

    static func yes(_ name: String, _ found: String) -> Check { Check(name: name, status: .yes, found: found) }
}

/// Checks that belong together.
struct Section {
    var title: String
    var checks: [Check]
}
