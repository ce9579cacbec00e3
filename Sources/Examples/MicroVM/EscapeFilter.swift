import Glibc
import Linux
import Synchronization

/// Takes the escape sequences out of what a person types: Ctrl-A and another key.
final class EscapeFilter: Sendable {
    private static let escape: UInt8 = 1

    private let isEscaped = Mutex(false)
    /// Readable when the person wants the machine to end.
    let quit: EventCounter

    init() throws(SystemError) { quit = try EventCounter() }

    /// What the guest gets.
    func pass(_ bytes: [UInt8]) -> [UInt8] {
        isEscaped.withLock { isEscaped in
            var passed: [UInt8] = []
            for byte in bytes {
                if isEscaped {
                    isEscaped = false
                    switch byte {
                    case Self.escape: passed.append(byte)
                    case UInt8(ascii: "x"): try? quit.add()
                    case UInt8(ascii: "h"): help()
                    // Neither key was meant for the guest.
                    default: break
                    }
                } else if byte == Self.escape {
                    isEscaped = true
                } else {
                    passed.append(byte)
                }
            }
            return passed
        }
    }

    private func help() {
        // A raw terminal does not return to the line's start by itself.
        let text = "\r\nCtrl-A x  end the machine\r\nCtrl-A h  this\r\nCtrl-A Ctrl-A  a Ctrl-A for the guest\r\n"
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
