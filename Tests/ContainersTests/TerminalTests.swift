import Containers
import Glibc
import Linux
import OCI
import TestSupport
import Testing

extension ContainersTests {
    @Suite struct TerminalTests {
        /// Reads from a terminal's master until a text has come.
        private func read(_ master: borrowing Descriptor, until text: String) throws -> String {
            var all = ""
            while !all.contains(text) {
                var entry = pollfd(fd: master.rawValue, events: Int16(POLLIN), revents: 0)
                guard poll(&entry, 1, 30_000) == 1 else { throw NotInTime(description: "\(text) in \(all)") }
                // EIO: the other side is closed.
                guard let bytes = try? master.read(upTo: 4096), !bytes.isEmpty else { break }
                all += String(decoding: bytes, as: UTF8.self)
            }
            return all.filter { $0 != "\r" }.replacing("\r\n", with: "\n")
        }

        private func terminal(_ listener: borrowing Descriptor) throws -> Descriptor {
            var received: Descriptor?
            _ = try UnixSocket.receive(from: try UnixSocket.accept(on: listener), descriptor: &received)
            return try required(received.take())
        }

        @Test(.needs(.root), arguments: [false, true]) func theProgramHasATerminal(mapped: Bool) throws {
            let script = """
                tty; stty size; stat -c '%t:%T %F' /dev/console /dev/pts/0
                for n in 0 1 2; do readlink /proc/self/fd/$n; done
                cut -d' ' -f7 /proc/self/stat; echo x >/dev/tty; read line; echo got $line; echo end
                """
            let bundle = try TestBundle(["sh", "-c", script])
            if mapped { bundle.mapUsers() }
            bundle.process.terminal = true
            bundle.process.consoleSize = .init(height: 31, width: 97)
            bundle.options.consoleSocket = "\(bundle.folder)/console.sock"
            let listener = try UnixSocket.listen(at: "\(bundle.folder)/console.sock")
            let creation = try bundle.start()
            defer { discard(creation) }
            let master = try terminal(listener)
            try master.write("hello\n")
            let text = try read(master, until: "end\n")
            let lines = text.split(whereSeparator: \.isNewline).map(String.init).filter { $0 != "hello" }
            #expect(lines[1] == "31 97")
            #expect(lines[0] == "/dev/pts/0" || lines[0] == "/dev/console")
            #expect(lines[2...3] == ["88:0 character special file", "88:0 character special file"])
            // 136:0 as the terminal of control, in stat's encoding.
            #expect(lines[7...] == ["34816", "x", "got hello", "end"], "\(text)")
            #expect(try creation.wait() == .exited(0))
        }

        @Test(.needs(.root)) func anExecHasATerminal() throws {
            let bundle = try TestBundle(["sleep", "100"])
            let creation = try bundle.start()
            defer { discard(creation) }
            let path = "\(bundle.folder)/console.sock"
            let listener = try UnixSocket.listen(at: path)
            var options = ExecOptions()
            options.consoleSocket = path
            var process = bundle.process
            process.terminal = true
            process.consoleSize = .init(height: 10, width: 20)
            process.args = ["sh", "-c", "stty size; tty; echo end"]
            let execution = try creation.container.execute(process, options)
            let master = try terminal(listener)
            let text = try read(master, until: "end\n")
            #expect(text.split(whereSeparator: \.isNewline).map(String.init) == ["10 20", "/dev/pts/0", "end"])
            #expect(try execution.wait() == .exited(0))
        }

        @Test(.needs(.root)) func terminalAndSocketGoTogether() throws {
            let without = try TestBundle()
            without.process.terminal = true
            #expect(without.refusal()?.kind == .badDocument)
            let unwanted = try TestBundle()
            unwanted.options.consoleSocket = "/no/such/socket"
            #expect(unwanted.refusal()?.kind == .badDocument)
            let deaf = try TestBundle()
            deaf.process.terminal = true
            deaf.options.consoleSocket = "\(deaf.folder)/nobody.sock"
            #expect(deaf.refusal()?.message.contains("console socket") == true)
            for bundle in [without, unwanted, deaf] { #expect(bundle.leftovers == []) }
        }
    }
}
