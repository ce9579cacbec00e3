import CLinux

/// A terminal's size in characters; `ioctl_tty(2)`.
public struct TerminalSize: Hashable, Sendable {
    public var rows: UInt16
    public var columns: UInt16

    public init(rows: UInt16, columns: UInt16) {
        self.rows = rows
        self.columns = columns
    }
}

extension Descriptor {
    /// Whether it is a terminal; `isatty(3)`.
    public var isTerminal: Bool { isatty(rawValue) == 1 }

    /// The terminal's size; `TIOCGWINSZ`.
    ///
    /// - Throws: `ENOTTY` when it is no terminal.
    public func terminalSize() throws(SystemError) -> TerminalSize {
        let number = rawValue
        var size = winsize()
        try systemCall("get the terminal's size") { unsafe bh_window_size(number, &size) }
        return TerminalSize(rows: size.ws_row, columns: size.ws_col)
    }

    /// Sets the terminal's size, of which its foreground processes hear by `SIGWINCH`; `TIOCSWINSZ`.
    ///
    /// - Throws: `ENOTTY` when it is no terminal.
    public func setTerminalSize(_ size: TerminalSize) throws(SystemError) {
        let number = rawValue
        var size = winsize(ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0)
        try systemCall("set the terminal's size") { unsafe bh_set_window_size(number, &size) }
    }

    /// Whether calls that would wait answer `EAGAIN` instead. It holds for every descriptor of the same open file, in
    /// other processes too; `fcntl(2)`, `O_NONBLOCK`.
    public func setNonBlocking(_ nonBlocking: Bool) throws(SystemError) {
        let number = rawValue
        let flags = try systemCall("get the flags of descriptor \(number)") { bh_fcntl(number, F_GETFL, 0) }
        let wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
        try systemCall("set the flags of descriptor \(number)") { bh_fcntl(number, F_SETFL, CLong(wanted)) }
    }
}

/// A terminal that hands on every byte as it comes, until this value ends; then it is as it was before;
/// `termios(3)`, `cfmakeraw`.
public struct RawTerminal: ~Copyable {
    /// The terminal.
    public let descriptor: Descriptor
    private let before: termios

    /// Takes over a terminal and makes it raw.
    ///
    /// - Throws: `ENOTTY` when it is none.
    public init(_ terminal: consuming Descriptor) throws(SystemError) {
        let number = terminal.rawValue
        var mode = termios()
        try systemCall("get the terminal's mode") { unsafe tcgetattr(number, &mode) }
        let before = mode
        unsafe cfmakeraw(&mode)
        try systemCall("set the terminal's mode") { unsafe tcsetattr(number, TCSADRAIN, &mode) }
        self.descriptor = terminal
        self.before = before
    }

    deinit {
        var mode = before
        // A terminal that has gone can't be put right, and nobody would see it.
        _ = unsafe tcsetattr(descriptor.rawValue, TCSADRAIN, &mode)
    }
}
