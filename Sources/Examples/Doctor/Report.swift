import Linux

/// Everything the doctor says of a host.
struct Report {
    var headline: String
    var sections: [Section]

    init(host: HostSupport) {
        headline = "\(host.kernel.name) \(host.kernel.release) \(host.kernel.machine)"
        sections = [
            host.kernelSection, host.namespaceSection, host.cgroupSection, host.confinementSection, host.machineSection,
        ]
    }

    private var checks: [Check] { sections.flatMap(\.checks) }

    /// Nothing that containers need says no.
    var isHealthy: Bool { !checks.contains { $0.isEssential && $0.status == .no } }

    private var verdict: String {
        let missing = checks.filter { $0.isEssential && $0.status == .no }.map(\.name)
        if !missing.isEmpty {
            return "containers can't have everything here; missing: \(missing.joined(separator: ", "))"
        }
        let partly = checks.filter { $0.isEssential && $0.status == .partly }.map(\.name)
        return partly.isEmpty
            ? "containers can run with everything they may ask for"
            : "containers can run; in part: \(partly.joined(separator: ", "))"
    }

    /// At most 100 columns, and 40 lines on a host that lacks a lot.
    func text(colored: Bool) -> String {
        var lines = ["\(headline): \(verdict)"]
        for section in sections {
            lines.append(colored ? "\u{1b}[1m\(section.title)\u{1b}[0m" : section.title)
            for check in section.checks {
                let mark = check.status.rawValue + (check.isEssential && check.status != .yes ? "*" : "")
                lines.append("  \(paint(pad(mark, 8), check.status, colored))\(pad(check.name, 19))\(check.found)")
                if let advice = check.advice {
                    lines += wrap(advice, columns: 100 - 12).enumerated()
                        .map { ($0.offset == 0 ? "          → " : "            ") + $0.element }
                }
            }
        }
        return lines.joined(separator: "\n")
    }

    /// One object: `kernel`, `healthy`, and `checks`, each with `section`, `name`, `status`, `essential`, `found` and,
    /// but for a yes, `advice`.
    var json: String {
        let items = sections.flatMap { section in
            section.checks.map { check in
                var fields = [
                    ("section", quote(section.title)), ("name", quote(check.name)),
                    ("status", quote(check.status.rawValue)), ("essential", check.isEssential ? "true" : "false"),
                    ("found", quote(check.found)),
                ]
                if let advice = check.advice { fields.append(("advice", quote(advice))) }
                return "    {" + fields.map { "\(quote($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
            }
        }
        return """
            {
              "kernel": \(quote(headline)),
              "healthy": \(isHealthy),
              "checks": [
            \(items.joined(separator: ",\n"))
              ]
            }
            """
    }
}

private func paint(_ text: String, _ status: Check.Status, _ colored: Bool) -> String {
    guard colored else { return text }
    let color =
        switch status {
        case .yes: 32
        case .partly: 33
        case .no: 31
        }
    return "\u{1b}[\(color)m\(text)\u{1b}[0m"
}

private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
}

/// Breaks at spaces.
private func wrap(_ text: String, columns: Int) -> [String] {
    var lines = [""]
    for word in text.split(separator: " ") {
        let last = lines[lines.count - 1]
        if last.isEmpty {
            lines[lines.count - 1] = String(word)
        } else if last.count + 1 + word.count <= columns {
            lines[lines.count - 1] += " \(word)"
        } else {
            lines.append(String(word))
        }
    }
    return lines
}

/// A JSON string.
private func quote(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case _ where scalar.value < 0x20:
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
