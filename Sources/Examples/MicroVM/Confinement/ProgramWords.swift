import CConfinement

/// What the program was started with, its own name left out: also where there is no `/proc`, from which `CommandLine` has it.
func programWords() -> [String] {
    var words: [String] = []
    guard var next = bh_monitor_arguments() else { return words }
    while let word = next.pointee {
        words.append(String(cString: word))
        next += 1
    }
    return Array(words.dropFirst())
}
