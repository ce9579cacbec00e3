import CConfinement
import Glibc
import Linux
import Machines
import Virtio

/// Runs a machine until it ends.
///
/// - Returns: the program's exit status.
func run(_ arguments: Arguments) throws(Failure) -> CInt {
    // What is wrong with the options, nobody should have to learn behind what is wrong with the host.
    do throws(MachineError) { try arguments.machine.validate() } catch { throw Failure(error) }

    let confinement = try Confinement(arguments.confinement)
    var configuration = arguments.machine
    let passts = try Passt.start(arguments.passts, for: &configuration)
    defer { for passt in passts { passt.end() } }
    let escapes: EscapeFilter
    let signals: SignalDescriptor
    do throws(SystemError) {
        escapes = try EscapeFilter()
        let wanted = SignalSet(ExitStatus.signals + [.windowChanged])
        // Before there is a second thread, which would get them else.
        try wanted.block()
        signals = try SignalDescriptor(wanted)
    } catch { throw Failure(.refused, error.description) }

    let machine: Machine
    let ending: Ending
    var signal: Signal?
    do throws(MachineError) {
        var consoles = try Consoles(arguments.consoles, escapes)
        do throws(MachineError) {
            var devices: [any Device] = []
            if let console = consoles.console { devices.append(console) }
            machine = try Machine(configuration, console: consoles.takeSerial(), devices: devices)
            if let debugger = arguments.debugger { try machine.serveDebugger(at: debugger) }
            try consoles.start(confinement)
            for passt in passts { try passt.waitUntilReady() }
            try machine.start(preparing: confinement.preparation)
        } catch {
            consoles.stop()
            throw error
        }
        bh_forget_start_up()
        // Last, as threads are under their maker's filter.
        do throws(MachineError) { try confinement.confine(.main) } catch {
            machine.stop()
            consoles.stop()
            throw error
        }
        signal = watch(machine, consoles, signals, escapes, passts)
        ending = machine.wait()
        consoles.stop()
    } catch { throw Failure(error) }

    if arguments.isVerbose { report(machine, ending) }
    if let signal { return ExitStatus.signal(signal.rawValue).rawValue }
    if case .failed(let error) = ending { complain(error.description) }
    return ExitStatus(ending).rawValue
}

/// Waits until the machine has ended or somebody wants it to.
///
/// - Returns: the signal that ended it, if one did.
private func watch(
    _ machine: Machine, _ consoles: borrowing Consoles, _ signals: borrowing SignalDescriptor, _ escapes: EscapeFilter,
    _ passts: [Passt]
) -> Signal? {
    var passts = passts
    while true {
        var polled = [
            machine.withEndEvent { pollfd(fd: $0.rawValue, events: Int16(POLLIN), revents: 0) },
            pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: escapes.quit.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
        ]
        polled += passts.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
        guard poll(&polled, nfds_t(polled.count), -1) > 0 else { continue }
        if polled[0].revents != 0 { return nil }
        if polled[1].revents != 0, let signal = try? signals.next() {
            if signal == .windowChanged {
                consoles.resize()
                continue
            }
            machine.stop()
            return signal
        }
        if polled[2].revents != 0 {
            machine.stop()
            return nil
        }
        passts.removeAll { passt in
            guard passt.hasEnded else { return false }
            complain("passt has ended: the guest's link is down")
            return true
        }
    }
}

/// Where the time went, for a person.
private func report(_ machine: Machine, _ ending: Ending) {
    func milliseconds(_ from: UInt64, _ to: UInt64) -> String {
        let tenths = (to - from + 50_000) / 100_000
        return "\(tenths / 10).\(tenths % 10) ms"
    }
    let times = machine.times
    var lines = [
        "KVM, memory, check of ring 0: \(milliseconds(times.begin, times.host))",
        "devices: \(milliseconds(times.host, times.devices))",
        "kernel and initial RAM disk: \(milliseconds(times.devices, times.images))",
        "processors: \(milliseconds(times.images, times.end))",
    ]
    if let up = machine.guestUpTime {
        lines.append("guest until it said that it is up: \(milliseconds(times.end, up))")
    }
    lines.append("guest: \(milliseconds(times.end, monotonicNanoseconds()))")
    let exits = machine.exits
    lines.append("exits: \(exits.ports) for ports, \(exits.memory) for memory, \(exits.interrupted) interrupted")
    lines += machine.faults.map { "a device asked its driver for a reset: \($0)" }
    let how =
        switch ending {
        case .powerOff: "the guest switched its machine off"
        case .reset: "the guest reset its machine"
        case .panic: "the guest's kernel panicked"
        case .tripleFault: "a triple fault"
        case .stopped: "stopped"
        case .failed(let error): error.description
        }
    lines.append("ended: \(how)")
    for line in lines { complain(line) }
}
