import Linux

/// A file of `name number` lines, as `memory.stat`: the kernel's text, looked up when asked, so that reading it costs
/// one allocation and a counter newer than this library is there all the same.
public struct Counters: Hashable, Sendable {
    private let text: [UInt8]

    init(_ text: [UInt8]) { self.text = text }

    /// The counter of this name, nil when the kernel has none.
    public subscript(name: String) -> UInt64? {
        var name = name
        return name.withUTF8 { wanted in
            var found: UInt64?
            forEachLine { key, value in
                guard found == nil, key.count == wanted.count else { return }
                for index in 0..<key.count {
                    let byte = unsafe wanted[index]
                    if text[key.lowerBound + index] != byte { return }
                }
                found = value
            }
            return found
        }
    }

    /// Every counter, in the kernel's order.
    public var all: [(name: String, value: UInt64)] {
        var result: [(name: String, value: UInt64)] = []
        forEachLine { key, value in
            result.append((String(decoding: text[key], as: UTF8.self), value))
        }
        return result
    }

    private func forEachLine(_ body: (_ key: Range<Int>, _ value: UInt64) -> Void) {
        var start = 0
        while start < text.count {
            var index = start
            while index < text.count, text[index] != 0x20, text[index] != 0x0a { index += 1 }
            let key = start..<index
            var value: UInt64 = 0
            var isNumber = false
            if index < text.count, text[index] == 0x20 {
                index += 1
                isNumber = index < text.count && text[index] != 0x0a
                while index < text.count, text[index] != 0x0a {
                    let digit = text[index] &- 0x30
                    let (product, tooBig) = value.multipliedReportingOverflow(by: 10)
                    let (sum, over) = product.addingReportingOverflow(UInt64(digit))
                    if digit > 9 || tooBig || over { isNumber = false }
                    value = sum
                    index += 1
                }
            }
            if isNumber { body(key, value) }
            start = index + 1
        }
    }
}

/// A line of a nested-keyed file, as `io.stat`: `8:16 rbytes=1459200 wbytes=314773504`.
struct NestedLine {
    var key: Substring
    var fields: [(name: Substring, value: Substring)]

    static func parse(_ text: String) -> [NestedLine] {
        text.split(separator: "\n").compactMap { line in
            var words = line.split(separator: " ")[...]
            guard let key = words.popFirst() else { return nil }
            let fields = words.compactMap { word -> (name: Substring, value: Substring)? in
                guard let equals = word.firstIndex(of: "=") else { return nil }
                return (word[..<equals], word[word.index(after: equals)...])
            }
            return NestedLine(key: key, fields: fields)
        }
    }

    subscript(name: String) -> Substring? { fields.first { $0.name == name }?.value }

    func number(_ name: String) -> UInt64? { self[name].flatMap { UInt64($0) } }
    func limit(_ name: String) -> Limit? { self[name].flatMap { Limit($0) } }
}

extension Cgroup {
    /// Reads a file of `name number` lines.
    public func counters(_ file: String) throws(CgroupError) -> Counters { Counters(try readBytes(file)) }

    func nestedLines(_ file: String) throws(CgroupError) -> [NestedLine] { NestedLine.parse(try read(file)) }

    /// The value, or nil where the file is not there: statistics skip what a kernel does not have.
    func ifPresent<Value>(
        _ body: () throws(CgroupError) -> Value
    ) throws(CgroupError) -> Value? {
        do throws(CgroupError) { return try body() } catch {
            switch error.cause {
            case .controllerMissing, .fileMissing, .kernel(.noSuchFileOrDirectory), .kernel(.notSupported): return nil
            default: throw error
            }
        }
    }
}
