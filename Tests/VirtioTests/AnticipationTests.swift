import Testing

@testable import Virtio

@Suite struct AnticipationTests {
    /// Looks once, some work after the turn's beginning.
    ///
    /// - Returns: how often it was asked.
    private func look(_ anticipation: inout Anticipation, _ answers: Bool...) throws -> (found: Int, asked: Int) {
        var (found, asked) = (0, 0)
        anticipation.beginTurn()
        while try anticipation.finds({
            asked += 1
            return asked <= answers.count && answers[asked - 1]
        }) { found += 1 }
        return (found, asked)
    }

    @Test func whatComesInTimeIsFound() throws {
        var anticipation = Anticipation()
        let (found, asked) = try look(&anticipation, true, true, true)
        #expect(found == 3 && asked > 3, "and then it looks once more in vain")
        // A turn that found something is no reason to look less.
        #expect(try look(&anticipation, true).found == 1)
    }

    @Test func looksInVainAreMadeRare() throws {
        var anticipation = Anticipation()
        var skipped: [Int] = []
        for _ in 0..<9 {
            #expect(try look(&anticipation).asked > 0)
            var count = 0
            var again = anticipation
            while try look(&again).asked == 0 {
                count += 1
                anticipation = again
            }
            skipped.append(count)
        }
        #expect(skipped == [1, 2, 4, 8, 16, 32, 64, 64, 64])
        #expect(try look(&anticipation, true).found == 1)
        #expect(try look(&anticipation, true).found == 1, "all is forgotten")
    }

    @Test func nobodyWaitsForEver() throws {
        var anticipation = Anticipation()
        let begin = Timer.now
        anticipation.beginTurn()
        while try anticipation.finds({ true }) {}
        #expect(Timer.now - begin >= Anticipation.longest)
        #expect(try !anticipation.finds { true }, "this turn is over")
    }

    @Test func whatFailsIsNotHidden() throws {
        var anticipation = Anticipation()
        anticipation.beginTurn()
        #expect(throws: DeviceFault.self) {
            _ = try anticipation.finds { () throws(DeviceFault) in throw .request(queue: 0, "wrong") }
        }
    }
}
