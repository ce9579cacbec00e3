import CConfinement
import Glibc
import Linux

// Runs a virtual machine on this terminal. All that makes a machine is in the module Machines; here is what a person and
// a script need around it: options, a terminal, and an exit status that says how the guest ended.

// A reader of the console that goes away is no reason to die without putting the terminal right.
bh_ignore_broken_pipes()
let status = runProgram(programWords())
ExitStatus.signals.first { ExitStatus.signal($0.rawValue).rawValue == status }?.take()
exit(status)

/// - Parameter all: the words after the program's name.
/// - Returns: the exit status.
func runProgram(_ all: [String]) -> CInt {
    var words = all[...]
    do throws(Failure) {
        switch words.popFirst() {
        case "run" where words.contains("--help") || words.contains("-h"): print(Help.text)
        case "run": return try run(try Arguments(words))
        case "help", "--help", "-h": print("\(Help.text)\n\n\(FirecrackerArguments.help)")
        case .some(let word) where word.hasPrefix("--"):
            return try runAsFirecracker(try FirecrackerArguments(all[...]))
        case .some(let word): throw Failure(.usage, "unknown command \(quoted(word)); try `bulkhead-vm --help`")
        case nil: return try runAsFirecracker(try FirecrackerArguments([]))
        }
        return 0
    } catch {
        complain(error.message)
        return error.status.rawValue
    }
}
