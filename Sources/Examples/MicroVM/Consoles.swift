import Glibc
import Linux
import Machines
import Virtio

/// The consoles of a machine, set up as its options say.
struct Consoles: ~Copyable {
    /// What the serial port leads to; to be taken by the machine.
    private var serial = SerialEnds()
    private(set) var console: Console?
    private var relays: [ConsoleRelay] = []
    private let hasTerminal: Bool
    private var terminal: RawTerminal?

    init(_ choices: [ConsoleChoice], _ escapes: EscapeFilter) throws(MachineError) {
        hasTerminal = choices.contains { $0.end == .standard }
        do throws(SystemError) {
            for choice in choices {
                switch choice.kind {
                case .serial: serial = try ends(choice.end, escapes)
                case .virtio: console = try makeConsole(choice.end, escapes)
                }
            }
        } catch { throw MachineError(.console, .refused(error)) }
    }

    /// What the machine gets.
    mutating func takeSerial() -> SerialEnds {
        var taken = SerialEnds()
        swap(&taken, &serial)
        return taken
    }

    /// From here on the terminal's keys are the guest's; it is as before when this value ends.
    mutating func start(_ confinement: Confinement) throws(MachineError) {
        if hasTerminal { terminal = try? RawTerminal(.duplicate(of: STDIN_FILENO)) }
        do throws(SystemError) { for relay in relays { try relay.start(confinement) } } catch {
            throw MachineError(.console, .refused(error))
        }
    }

    /// Writes what the guest has said to the end.
    mutating func stop() {
        for relay in relays { relay.stop() }
        relays = []
        terminal = nil
    }

    /// Tells the guest that the terminal has another size.
    func resize() {
        guard hasTerminal, let console, let size = Self.terminalSize() else { return }
        console.resize(size)
    }

    private static func terminalSize() -> Console.Size? {
        guard let size = try? Descriptor.duplicate(of: STDOUT_FILENO).terminalSize(), size.columns > 0 else {
            return nil
        }
        return Console.Size(columns: size.columns, rows: size.rows)
    }

    private static func filter(_ escapes: EscapeFilter) throws(SystemError) -> (@Sendable ([UInt8]) -> [UInt8])? {
        // Only a person has keys to escape with; a script's bytes are the guest's as they are.
        guard try Descriptor.duplicate(of: STDIN_FILENO).isTerminal else { return nil }
        return { escapes.pass($0) }
    }

    private mutating func ends(_ end: ConsoleChoice.End, _ escapes: EscapeFilter) throws(SystemError) -> SerialEnds {
        switch end {
        case .none: return SerialEnds()
        case .file(let path): return SerialEnds(output: try Self.file(path))
        case .standard:
            return SerialEnds(
                input: try .duplicate(of: STDIN_FILENO), output: try .duplicate(of: STDOUT_FILENO),
                filter: try Self.filter(escapes))
        case .socket(let path):
            let guest = try relay(.socket(path), nil)
            return SerialEnds(input: guest.input, output: guest.output)
        }
    }

    private mutating func makeConsole(
        _ end: ConsoleChoice.End, _ escapes: EscapeFilter
    ) throws(SystemError) -> Console {
        let port: ConsolePort
        switch end {
        case .none: port = try ConsolePort(input: nil, output: nil)
        case .file(let path): port = try ConsolePort(input: nil, output: try Self.file(path))
        case .standard:
            let guest = try relay(.standard, try Self.filter(escapes))
            port = try ConsolePort(input: guest.input, output: guest.output)
        case .socket(let path):
            let guest = try relay(.socket(path), nil)
            port = try ConsolePort(input: guest.input, output: guest.output)
        }
        return Console([port], size: Self.terminalSize() ?? Console.Size(columns: 80, rows: 25))
    }

    private static func file(_ path: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(path, [.writeOnly, .create, .truncate])
    }

    /// A relay, and the ends of its pipes that are the guest's.
    private mutating func relay(
        _ place: ConsoleRelay.Place, _ filter: (@Sendable ([UInt8]) -> [UInt8])?
    ) throws(SystemError) -> GuestEnds {
        let input = try Pipe()
        let output = try Pipe()
        relays.append(
            try ConsoleRelay(
                place, toGuest: try input.writeEnd.duplicate(), fromGuest: try output.readEnd.duplicate(),
                filter: filter))
        return GuestEnds(input: try input.readEnd.duplicate(), output: try output.writeEnd.duplicate())
    }
}

/// What a guest's console reads and writes.
private struct GuestEnds: ~Copyable {
    var input: Descriptor
    var output: Descriptor
}
