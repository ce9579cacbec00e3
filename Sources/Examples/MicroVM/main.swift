import Glibc
import Linux

// Runs a virtual machine on this terminal. All that makes a machine is in the module Machines; here is what a person and
// a script need around it: options, a terminal, and an exit status that says how the guest ended.

// A reader of the console that goes away is no reason to die without putting the terminal right.
signal(SIGPIPE, SIG_IGN)

var words = programWords()[...]
switch words.popFirst() {
case "run" where words.contains("--help") || words.contains("-h"):
    print(Help.text)
    exit(0)
case "run":
    do throws(Failure) {
        exit(try run(try Arguments(words)))
    } catch {
        complain(error.message)
        exit(error.status.rawValue)
    }
case "help", "--help", "-h":
    print("\(Help.text)\n\n\(FirecrackerArguments.help)")
    exit(0)
case .some(let word) where word.hasPrefix("--"):
    do throws(Failure) {
        exit(try runAsFirecracker(try FirecrackerArguments(programWords()[...])))
    } catch {
        complain(error.message)
        exit(error.status.rawValue)
    }
case .some(let word):
    complain("unknown command \(quoted(word)); try `bulkhead-vm --help`")
    exit(ExitStatus.usage.rawValue)
case nil:
    complain("no command given; try `bulkhead-vm --help`")
    exit(ExitStatus.usage.rawValue)
}
