import Glibc
import Linux

/// A pseudoterminal: the master as a terminal emulator holds it, and the side that a program gets.
public struct PseudoTerminal: ~Copyable {
    public var master: Descriptor
    public var program: Descriptor

    public init() throws {
        let master = try Descriptor.open("/dev/ptmx", [.readWrite, .noControllingTerminal])
        let number = master.rawValue
        var (unlocked, name): (CInt, CUnsignedInt) = (0, 0)
        // TIOCSPTLCK and TIOCGPTN, which no Swift module shows.
        try systemCall("unlock the terminal") { ioctl(number, 0x4004_5431, &unlocked) }
        try systemCall("name the terminal") { ioctl(number, 0x8004_5430, &name) }
        program = try Descriptor.open("/dev/pts/\(name)", [.readWrite, .noControllingTerminal])
        self.master = master
    }
}
