import Glibc
import Linux

/// Carries bytes between a container's terminal and this program's own input and output.
///
/// While it lives, a terminal on standard input is raw: the container's terminal does the echoing and turns Ctrl-C into
/// a signal. Nothing here waits except in poll(2), so neither direction can hold up the other.
final class TerminalRelay {
    private let master: Descriptor
    private let input: CInt
    private let output: CInt
    /// Own terminal, by which the size is found: nil when input and output are files or pipes.
    private let host: Descriptor?
    private let raw: RawTerminal?

    private var toProgram: [UInt8] = []
    private var toHost: [UInt8] = []
    private var isInputOpen = true
    private var isOutputOpen = true
    /// Nobody holds the container's side open: for now, or for good.
    private var isHungUp = false

    private static let bufferSize = 65536
    /// What a pipe that is ready takes at least without making the writer wait.
    private static let chunk = 4096

    /// - Returns: nil without a terminal.
    static func make(master: consuming Descriptor?) throws(Failure) -> TerminalRelay? {
        guard let master else { return nil }
        do throws(SystemError) {
            return try TerminalRelay(master: master, input: STDIN_FILENO, output: STDOUT_FILENO)
        } catch { throw Failure("\(error)") }
    }

    init(
        master: consuming Descriptor, input: CInt, output: CInt
    ) throws(SystemError) {
        try master.setNonBlocking(true)
        self.master = master
        self.input = input
        self.output = output
        host = try Self.hostTerminal(input, output)
        raw = isatty(input) == 1 ? try RawTerminal(try .duplicate(of: input, from: 3)) : nil
        copySize()
    }

    /// The size of the terminal in front of the user, for a program that looks before a relay is there.
    static func hostSize() -> TerminalSize? {
        guard let host = try? hostTerminal(STDIN_FILENO, STDOUT_FILENO) else { return nil }
        return known(try? host.terminalSize())
    }

    /// Gives the container's terminal the size of the one in front of the user.
    func copySize() {
        guard let size = Self.known(try? host?.terminalSize()) else { return }
        try? master.setTerminalSize(size)
    }

    private static func hostTerminal(_ input: CInt, _ output: CInt) throws(SystemError) -> Descriptor? {
        guard let terminal = [input, output, STDERR_FILENO].first(where: { isatty($0) == 1 }) else { return nil }
        return try .duplicate(of: terminal, from: 3)
    }

    private static func known(_ size: TerminalSize?) -> TerminalSize? {
        size.flatMap { $0.rows > 0 && $0.columns > 0 ? $0 : nil }
    }

    /// Adds what is waited for, three entries.
    ///
    /// - Returns: for how many milliseconds at most, -1 for ever.
    func prepare(_ entries: inout [pollfd]) -> CInt {
        func entry(_ descriptor: CInt, _ events: Int32) {
            // poll(2) ignores negative descriptors.
            entries.append(pollfd(fd: events == 0 ? -1 : descriptor, events: Int16(events), revents: 0))
        }
        // A terminal that hung up is always ready, so it is only looked at again after a while.
        let reads = !isHungUp && toHost.count < Self.bufferSize ? POLLIN : 0
        let writes = !isHungUp && !toProgram.isEmpty ? POLLOUT : 0
        entry(master.rawValue, reads | writes)
        entry(input, isInputOpen && toProgram.count < Self.bufferSize ? POLLIN : 0)
        entry(output, toHost.isEmpty ? 0 : POLLOUT)
        defer { isHungUp = false }
        return isHungUp ? 100 : -1
    }

    func handle(_ entries: ArraySlice<pollfd>) {
        let ready = entries.map { Int32($0.revents) }
        if ready[0] & (POLLIN | POLLHUP | POLLERR) != 0 { readMaster() }
        if ready[0] & POLLOUT != 0 { writeMaster() }
        if ready[1] != 0 { readInput() }
        if ready[2] != 0 { writeOutput() }
    }

    /// Reads what the program wrote before it ended, and writes all that is left to write.
    func finish() {
        isHungUp = false
        // Bounded, for a process that the program left behind may write for ever.
        var limit = 1 << 20
        while !isHungUp, limit > 0 {
            let before = toHost.count
            readMaster()
            let count = toHost.count - before
            if count == 0 { break }
            limit -= count
        }
        while !toHost.isEmpty {
            var entry = pollfd(fd: output, events: Int16(POLLOUT), revents: 0)
            if poll(&entry, 1, -1) < 0, Errno.current != .interrupted { return }
            writeOutput()
        }
    }

    private func readMaster() {
        guard let bytes = read(master.rawValue) else {
            if Errno.current != .wouldBlock { isHungUp = true }
            return
        }
        if bytes.isEmpty { isHungUp = true }
        if isOutputOpen { toHost += bytes }
    }

    private func writeMaster() {
        guard let count = write(toProgram, to: master.rawValue) else {
            if Errno.current != .wouldBlock { isHungUp = true }
            return
        }
        toProgram.removeFirst(count)
    }

    private func readInput() {
        guard let bytes = read(input) else {
            if Errno.current != .wouldBlock { isInputOpen = false }
            return
        }
        toProgram += bytes
        guard bytes.isEmpty else { return }
        isInputOpen = false
        // The end of a file or pipe becomes the key that ends input on a terminal, or a reader would wait for ever.
        if raw == nil { toProgram.append(4) }
    }

    private func writeOutput() {
        guard let count = write(toHost, to: output) else {
            if Errno.current == .wouldBlock { return }
            // Nobody reads any more: the program goes on all the same.
            isOutputOpen = false
            toHost = []
            return
        }
        toHost.removeFirst(count)
    }

    // Both answer nil with errno set; neither is made again after a signal, poll(2) will say when to.
    private func read(_ descriptor: CInt) -> [UInt8]? {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.chunk) { buffer, count in
            let got = Glibc.read(descriptor, buffer.baseAddress, Self.chunk)
            failed = got < 0
            count = max(0, got)
        }
        return failed ? nil : bytes
    }

    private func write(_ bytes: [UInt8], to descriptor: CInt) -> Int? {
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, min($0.count, Self.chunk)) }
        return count < 0 ? nil : count
    }
}
