import Linux

extension SeccompProgram {
    /// The program as text, a numbered line an instruction, with architectures, calls, arguments and actions by name:
    ///
    /// ```
    ///    0: load architecture
    ///    1: unless architecture == x86_64 goto 6
    ///    2: load call
    ///    3: if call >= 84 (rmdir) goto 5
    /// ```
    public func disassembly() -> String {
        var views = [View?](repeating: nil, count: instructions.count + 1)
        views[0] = View()
        var lines = ""
        for (index, instruction) in instructions.enumerated() {
            // What no path reaches is read with nothing known.
            let view = views[index] ?? View()
            let number = String(index)
            lines += String(repeating: " ", count: max(0, 4 - number.utf8.count)) + number + ": "
            lines += view.text(of: instruction, at: index) + "\n"
            for (target, next) in view.successors(of: instruction, at: index) where target < views.count {
                views[target] = views[target].map { $0.merged(with: next) } ?? next
            }
        }
        return lines
    }
}

/// What is known of the accumulator and of the call when an instruction is reached.
private struct View: Hashable {
    enum Meaning: Hashable {
        case other, architecture, call
        case half(of: String, isHigh: Bool)
    }

    var accumulator: Meaning = .other
    var token: UInt32?

    func merged(with other: View) -> View {
        View(
            accumulator: accumulator == other.accumulator ? accumulator : .other,
            token: token == other.token ? token : nil)
    }

    private var isLittleEndian: Bool {
        (token.map { SeccompArchitecture(rawValue: $0) } ?? .native).isLittleEndian
    }

    func meaning(at offset: UInt32) -> Meaning {
        switch offset {
        case 0: .call
        case 4: .architecture
        default:
            .half(
                of: offset < 16 ? "instruction pointer" : "arg\((offset - 16) / 8)",
                isHigh: offset.isMultiple(of: 8) != isLittleEndian)
        }
    }

    func successors(of instruction: BPFInstruction, at index: Int) -> [(Int, View)] {
        switch BPFOperation(instruction.code)! {
        case .answer, .answerAccumulator: return []
        case .jump: return [(index + 1 + Int(instruction.operand), self)]
        case .jumpIf(let condition, let source):
            var then = self
            if condition == .equal, source == .constant, accumulator == .architecture {
                then.token = instruction.operand
            }
            return [
                (index + 1 + Int(instruction.jumpTrue), then), (index + 1 + Int(instruction.jumpFalse), self),
            ]
        case .loadData:
            var next = self
            next.accumulator = meaning(at: instruction.operand)
            return [(index + 1, next)]
        case .storeScratch, .storeIndexScratch, .indexFromAccumulator, .loadIndexConstant, .loadIndexLength,
            .loadIndexScratch:
            return [(index + 1, self)]
        case .arithmetic(.and, .constant):
            // A masked half is still that half.
            return [(index + 1, self)]
        default:
            var next = self
            next.accumulator = .other
            return [(index + 1, next)]
        }
    }

    func text(of instruction: BPFInstruction, at index: Int) -> String {
        let operand = instruction.operand
        let hex = "0x" + String(operand, radix: 16)
        switch BPFOperation(instruction.code)! {
        case .loadData: return "load \(name(of: meaning(at: operand)))"
        case .loadLength: return "load 64"
        case .loadConstant: return "load \(hex)"
        case .loadScratch: return "load scratch[\(operand)]"
        case .loadIndexLength: return "x = 64"
        case .loadIndexConstant: return "x = \(hex)"
        case .loadIndexScratch: return "x = scratch[\(operand)]"
        case .storeScratch: return "scratch[\(operand)] = a"
        case .storeIndexScratch: return "scratch[\(operand)] = x"
        case .indexFromAccumulator: return "x = a"
        case .accumulatorFromIndex: return "a = x"
        case .negate: return "a = -a"
        case .arithmetic(let operation, let source):
            return "a \(operation.symbol)= \(source == .constant ? hex : "x")"
        case .answer: return SeccompAction(rawValue: operand).description
        case .answerAccumulator: return "answer a"
        case .jump: return "goto \(index + 1 + Int(operand))"
        case .jumpIf(let condition, let source):
            let right = source == .index ? "x" : constant(operand)
            let test = "\(name(of: accumulator)) \(condition.symbol) \(right)"
            let then = index + 1 + Int(instruction.jumpTrue)
            let otherwise = index + 1 + Int(instruction.jumpFalse)
            switch (instruction.jumpTrue, instruction.jumpFalse) {
            case (_, 0): return "if \(test) goto \(then)"
            case (0, _): return "unless \(test) goto \(otherwise)"
            default: return "if \(test) goto \(then) else \(otherwise)"
            }
        }
    }

    private func name(of meaning: Meaning) -> String {
        switch meaning {
        case .other: "a"
        case .architecture: "architecture"
        case .call: "call"
        case .half(let of, let isHigh): "\(of).\(isHigh ? "high" : "low")"
        }
    }

    private func constant(_ operand: UInt32) -> String {
        switch accumulator {
        case .architecture: return SeccompArchitecture(rawValue: operand).description
        case .call:
            guard let token else { return String(operand) }
            let isX32 = token == SeccompArchitecture.x86_64.rawValue && operand & 0x4000_0000 != 0
            let architecture = isX32 ? .x32 : SeccompArchitecture(rawValue: token)
            let number = operand < 0x1_0000 ? String(operand) : "0x" + String(operand, radix: 16)
            guard let name = SystemCall.name(of: operand, on: architecture) else { return number }
            return "\(number) (\(isX32 ? "x32 " : "")\(name))"
        default: return "0x" + String(operand, radix: 16)
        }
    }
}

extension BPFOperation.Arithmetic {
    fileprivate var symbol: String {
        switch self {
        case .add: "+"
        case .subtract: "-"
        case .multiply: "*"
        case .divide: "/"
        case .or: "|"
        case .and: "&"
        case .shiftLeft: "<<"
        case .shiftRight: ">>"
        case .exclusiveOr: "^"
        }
    }
}

extension BPFInstruction.JumpCondition {
    fileprivate var symbol: String {
        switch self {
        case .equal: "=="
        case .greater: ">"
        case .greaterOrEqual: ">="
        case .anyBit: "&"
        }
    }
}
