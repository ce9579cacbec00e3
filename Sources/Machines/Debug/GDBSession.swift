#if arch(x86_64)
    import Glibc
    import GuestMemory
    import KVM
    import Linux

    /// One debugger's visit.
    struct GDBSession: ~Copyable {
        private let server: GDBServer
        private let connection: Descriptor
        private var decoder = GDBPacketDecoder()
        private var breakpoints: BreakpointTable
        private var acknowledges = true
        private var lastPacket: [UInt8] = []
        private var isRunning = false
        private var isOver = false
        /// The thread whose registers are meant, and that which takes a step; processors count from 0, threads from 1.
        private var selected = 0
        private var selectedForResume = 0
        /// Why the guest stands still.
        private var reason: [UInt8] = Array("S05".utf8)

        init(_ server: GDBServer, _ connection: consuming Descriptor) {
            self.server = server
            self.connection = connection
            breakpoints = BreakpointTable(server.memory)
        }

        /// Until the debugger goes or the machine has ended; the guest runs then, without breakpoints.
        mutating func run() {
            if server.stopAll() { serve() }
            if server.lifecycle.isOver {
                // The debugger is told that its program has ended.
                send(Array("W00".utf8))
                return
            }
            if isRunning { _ = server.stopAll() }
            isOver = true
            breakpoints.removeAll()
            watch(nil)
            server.letAllGo()
        }

        private mutating func serve() {
            while !isOver, server.wait(for: connection.rawValue, orArrivals: isRunning) {
                if isRunning, let seat = server.processors.firstIndex(where: { $0.stop != nil }) { stopped(seat) }
                var polled = pollfd(fd: connection.rawValue, events: Int16(POLLIN), revents: 0)
                guard poll(&polled, 1, 0) > 0 else { continue }
                guard let bytes = try? connection.read(upTo: 4096), !bytes.isEmpty else { return }
                for byte in bytes {
                    if isOver { return }
                    if let event = decoder.take(byte) { take(event) }
                }
            }
        }

        private mutating func take(_ event: GDBPacketDecoder.Event) {
            switch event {
            case .packet(let body):
                if acknowledges { write([UInt8(ascii: "+")]) }
                let command = GDBCommand(body)
                // All that makes sense while it runs is the interrupt.
                if isRunning { return }
                answer(command)
            case .corrupt: if acknowledges { write([UInt8(ascii: "-")]) }
            case .interrupt:
                guard isRunning, server.stopAll() else { return }
                isRunning = false
                stand(selected, "T02")
            case .refused: if acknowledges { write(lastPacket) }
            case .acknowledged: break
            }
        }

        // MARK: - Answers

        private mutating func send(_ body: [UInt8]) {
            lastPacket = GDBPacket.encode(body)
            write(lastPacket)
        }

        private mutating func send(_ text: String) { send(Array(text.utf8)) }

        private mutating func write(_ bytes: [UInt8]) {
            do throws(SystemError) { try connection.write(bytes) } catch { isOver = true }
        }

        private static func hexadecimal(_ number: Int) -> String { String(number, radix: 16) }

        private mutating func answer(_ command: GDBCommand) {
            do throws(SystemError) { try act(on: command) } catch {
                send("E" + String(0x100 + Int(error.errno.rawValue & 0xff), radix: 16).suffix(2))
            }
        }

        private mutating func act(on command: GDBCommand) throws(SystemError) {
            switch command {
            case .why: send(reason)
            case .readRegisters, .writeRegisters, .readRegister, .writeRegister: try actOnRegisters(command)
            case .readMemory(let address, let count):
                // Half a packet holds as many digits as a packet's limit lets the other side ask for.
                let bytes = try read(address, min(count, GDBPacket.mostBytes / 2 - 8))
                if bytes.isEmpty && count > 0 { send("E0e") } else { send(GDBPacket.hexadecimal(bytes)) }
            case .writeMemory(let address, let bytes): send(try write(address, bytes) ? "OK" : "E0e")
            case .resume(let stepping, let address): try resume(stepping, address)
            case .insert(let breakpoint): try change(breakpoint, isInserted: true)
            case .remove(let breakpoint): try change(breakpoint, isInserted: false)
            case .select(let thread):
                let isThere = thread <= server.processors.count
                if isThere, thread > 0 { selected = thread - 1 }
                send(isThere ? "OK" : "E03")
            case .selectForResume(let thread):
                let isThere = thread <= server.processors.count
                if isThere { selectedForResume = thread > 0 ? thread - 1 : selected }
                send(isThere ? "OK" : "E03")
            case .isAlive(let thread): send((1...server.processors.count).contains(thread) ? "OK" : "E03")
            case .supported:
                send(
                    "PacketSize=\(Self.hexadecimal(GDBPacket.mostBytes));qXfer:features:read+;QStartNoAckMode+;"
                        + "vContSupported+;swbreak+;hwbreak+")
            case .readDescription(let offset, let count):
                let rest = RegisterFile.description.dropFirst(offset)
                let part = rest.prefix(min(count, GDBPacket.mostBytes / 2))
                send([UInt8(ascii: part.count < rest.count ? "m" : "l")] + part)
            case .firstThreads:
                send("m" + (1...server.processors.count).map(Self.hexadecimal).joined(separator: ","))
            case .moreThreads: send("l")
            case .currentThread: send("QC\(Self.hexadecimal(selected + 1))")
            case .threadText(let thread): send(GDBPacket.hexadecimal("vCPU \(thread - 1)".utf8))
            case .isAttached: send("1")
            case .stopAcknowledging:
                send("OK")
                acknowledges = false
            case .resumeActions: send("vCont;c;C;s;S")
            case .detach:
                send("OK")
                isOver = true
            case .kill:
                server.lifecycle.end(.stopped)
                isOver = true
            case .unknown: send("")
            }
        }

        // MARK: - Registers

        /// The selected processor, which stands still.
        private func withSelected<Result>(
            _ body: (borrowing VCPU) throws(SystemError) -> Result
        ) throws(SystemError) -> Result {
            let seats = server.processors
            guard seats.indices.contains(selected), let result = try seats[selected].withVCPU(body) else {
                throw SystemError("look at processor \(selected)", .noSuchProcess)
            }
            return result
        }

        private mutating func actOnRegisters(_ command: GDBCommand) throws(SystemError) {
            let answer = try withSelected { (vcpu) throws(SystemError) -> [UInt8] in
                var file = try RegisterFile(vcpu)
                let isDone: Bool
                switch command {
                case .readRegisters: return GDBPacket.hexadecimal(file.bytes)
                case .readRegister(let index): return file.value(index).map(GDBPacket.hexadecimal) ?? Array("E16".utf8)
                case .writeRegisters(let bytes): isDone = file.set(all: bytes)
                case .writeRegister(let index, let bytes): isDone = file.set(index, bytes)
                default: return []
                }
                if isDone { try file.store(vcpu) }
                return Array((isDone ? "OK" : "E16").utf8)
            }
            send(answer)
        }

        // MARK: - Memory

        /// Bytes at a linear address: as many as are mapped, from the first on.
        private func read(_ address: UInt64, _ count: Int) throws(SystemError) -> [UInt8] {
            try withSelected { (vcpu) throws(SystemError) -> [UInt8] in
                var bytes: [UInt8] = []
                while bytes.count < count {
                    let place = address &+ UInt64(bytes.count)
                    let room = min(count - bytes.count, Int(4096 - place % 4096))
                    guard let physical = try vcpu.translate(place),
                        let part = try? server.memory.bytes(at: GuestAddress(physical), count: room)
                    else { break }
                    bytes += part
                }
                return bytes
            }
        }

        private func write(_ address: UInt64, _ bytes: [UInt8]) throws(SystemError) -> Bool {
            try withSelected { (vcpu) throws(SystemError) -> Bool in
                var done = 0
                while done < bytes.count {
                    let place = address &+ UInt64(done)
                    let room = min(bytes.count - done, Int(4096 - place % 4096))
                    guard let physical = try vcpu.translate(place),
                        (try? server.memory.write(Array(bytes[done..<done + room]), at: GuestAddress(physical))) != nil
                    else { return false }
                    done += room
                }
                return true
            }
        }

        // MARK: - Breakpoints

        private mutating func change(_ breakpoint: GDBCommand.Breakpoint, isInserted: Bool) throws(SystemError) {
            let seats = server.processors
            guard seats.indices.contains(selected) else { return send("E03") }
            let isDone =
                try isInserted
                ? breakpoints.insert(breakpoint, seats[selected]) : breakpoints.remove(breakpoint, seats[selected])
            send(isDone ? "OK" : "E16")
        }

        /// Tells KVM what to watch, in every processor.
        private func watch(_ stepping: Int?) {
            for (index, seat) in server.processors.enumerated() {
                var debug = breakpoints.debug(isStepping: index == stepping, isOn: !isOver)
                _ = try? seat.withVCPU { (vcpu) throws(SystemError) in
                    do throws(SystemError) { try vcpu.setGuestDebug(debug) } catch {
                        // Before Linux 5.16 interrupts can't be held back.
                        debug.control.remove(.blockInterrupts)
                        try vcpu.setGuestDebug(debug)
                    }
                }
            }
        }

        // MARK: - Running

        private mutating func resume(
            _ stepping: GDBCommand.Stepping?, _ address: UInt64?
        ) throws(SystemError) {
            let seats = server.processors
            var stepper: Int?
            switch stepping {
            case .thread(let thread): stepper = thread - 1
            case .selected: stepper = selectedForResume
            case nil: break
            }
            if let stepper, !seats.indices.contains(stepper) { return send("E03") }
            if let address {
                try withSelected { (vcpu) throws(SystemError) in
                    var file = try RegisterFile(vcpu)
                    file.instruction = address
                    try file.store(vcpu)
                }
            }
            watch(stepper)
            isRunning = true
            if let stepper { seats[stepper].letGo() } else { server.letAllGo() }
        }

        /// A processor met what it was to stop for.
        private mutating func stopped(_ index: Int) {
            let seat = server.processors[index]
            guard let stop = seat.stop else { return }
            if stop.exception == 3, !breakpoints.hasInstruction(at: stop.instruction) {
                // It is the guest's own: the guest gets it, and goes on.
                let debug = breakpoints.debug(isStepping: false, isOn: true, passesBreakpoint: true)
                _ = try? seat.withVCPU { (vcpu) throws(SystemError) in try vcpu.setGuestDebug(debug) }
                seat.letGo()
                return
            }
            guard server.stopAll() else { return }
            isRunning = false
            let why: String
            if stop.exception == 3 {
                why = "swbreak:;"
            } else {
                why = breakpoints.hit(stop.dr6)
            }
            stand(index, "T05", why)
        }

        private mutating func stand(_ index: Int, _ signal: String, _ why: String = "") {
            (selected, selectedForResume) = (index, index)
            reason = Array("\(signal)thread:\(Self.hexadecimal(index + 1));\(why)".utf8)
            send(reason)
        }
    }
#endif
