import CProgram
import Glibc
import Linux

/// Runs a program of the host's and gives what it wrote to its standard output.
///
/// - Throws: when it can't be run or fails.
func outputOfProgram(_ words: [String]) throws(Failure) -> String {
    let pipe = try attemptCall(try Pipe())
    let pid = try attemptCall(try spawn(words, output: pipe.writeEnd.rawValue))
    let readEnd = pipe.takeReadEnd()
    let bytes = try attemptCall(try readEnd.readToEnd())
    var status: CInt = 0
    _ = try attemptCall(try systemCall("wait for \(words[0])") { waitpid(pid, &status, 0) })
    guard status == 0 else {
        let signal = status & 0x7f
        throw Failure("\(words[0]): " + (signal == 0 ? "exit status \(status >> 8 & 0xff)" : "signal \(signal)"))
    }
    return String(decoding: bytes, as: UTF8.self)
}

private func spawn(_ words: [String], output: CInt) throws(SystemError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    let error = posix_spawnp(&pid, words[0], &actions, nil, &arguments, bh_program_environment())
    guard error == 0 else { throw SystemError("run \(quoted(words[0]))", Errno(rawValue: error)) }
    return pid
}
