/// What each number gets, in the order of numbers.
///
/// Nearly all of them lie close together, so a place each is quicker than a dictionary that is sorted afterwards.
struct CallTable {
    private let base: UInt32
    /// For `base` and those that follow: one more than the index of what they get, or 0.
    private var places: [UInt16] = []
    private var answers: [Resolution.Answers] = []
    /// Those far away, as the private ones of ARM are.
    private var others: [(number: UInt32, answers: Resolution.Answers)] = []

    private static let span: UInt32 = 1024

    /// - Parameter base: the architecture's first number.
    init(from base: UInt32) { self.base = base }

    /// Nothing, where no rule had an effect yet.
    subscript(number: UInt32) -> Resolution.Answers {
        get {
            if let near = near(number) {
                guard near < places.count, places[near] > 0 else { return Resolution.Answers() }
                return answers[Int(places[near]) - 1]
            }
            return others.first { $0.number == number }?.answers ?? Resolution.Answers()
        }
        _modify {
            if let near = near(number) {
                if places.isEmpty { places = [UInt16](repeating: 0, count: Int(Self.span)) }
                if places[near] == 0 {
                    answers.append(Resolution.Answers())
                    places[near] = UInt16(answers.count)
                }
                yield &answers[Int(places[near]) - 1]
            } else {
                let index = others.firstIndex { $0.number >= number } ?? others.endIndex
                if index == others.endIndex || others[index].number != number {
                    others.insert((number, Resolution.Answers()), at: index)
                }
                yield &others[index].answers
            }
        }
    }

    private func near(_ number: UInt32) -> Int? {
        number >= base && number - base < Self.span ? Int(number - base) : nil
    }

    /// Goes through them, from the lowest number on.
    func forEach(_ body: (UInt32, Resolution.Answers) -> Void) {
        for other in others where other.number < base { body(other.number, other.answers) }
        for (offset, place) in places.enumerated() where place > 0 {
            body(base + UInt32(offset), answers[Int(place) - 1])
        }
        for other in others where other.number >= base { body(other.number, other.answers) }
    }
}
