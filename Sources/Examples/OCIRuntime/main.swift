import CProgram
import Glibc

/// The words after the program's name.
func words() -> [String] {
    var words: [String] = []
    var next = bh_program_arguments() + 1
    while let word = next.pointee {
        words.append(String(cString: word))
        next += 1
    }
    return words
}

exit(runProgram(words()))
