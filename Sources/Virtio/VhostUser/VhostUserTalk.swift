/// Requests that have to be done in time together.
struct VhostUserTalk {
    let channel: VhostUserChannel
    /// A moment of the monotonic clock, in nanoseconds.
    let deadline: UInt64
    let acknowledges: Bool

    func send(_ request: VhostUserRequest, _ payload: [UInt8] = []) throws(VhostUserError) {
        let header = VhostUserHeader(request, count: payload.count, isAcknowledged: false)
        try channel.send(header, payload, [], deadline: deadline)
    }

    func answer(_ request: VhostUserRequest, count: Int) throws(VhostUserError) -> [UInt8] {
        try channel.answer(to: request, count: count, deadline: deadline)
    }

    /// What has an answer of its own: a number.
    func ask(_ request: VhostUserRequest) throws(VhostUserError) -> UInt64 {
        try send(request)
        return try answer(request, count: 8).littleEndian(0)
    }

    /// What has none.
    func tell(
        _ request: VhostUserRequest, _ payload: [UInt8] = [], _ descriptors: [CInt] = []
    ) throws(VhostUserError) {
        let header = VhostUserHeader(request, count: payload.count, isAcknowledged: acknowledges)
        try channel.send(header, payload, descriptors, deadline: deadline)
        guard acknowledges else { return }
        let number: UInt64 = try answer(request, count: 8).littleEndian(0)
        if number != 0 { throw VhostUserError(request, .failed(number)) }
    }

    func configuration() throws(VhostUserError) -> [UInt8] {
        let size = VhostUserFrontend.configurationSize
        // Offset, size and flags, and room for what is asked for.
        let head = littleEndian(UInt32(0), UInt32(size), UInt32(0))
        try send(.getConfiguration, head + [UInt8](repeating: 0, count: size))
        let answer = try answer(.getConfiguration, count: head.count + size)
        guard answer.prefix(8).elementsEqual(head.prefix(8)) else {
            throw VhostUserError(.getConfiguration, .answer("the answer is of another part"))
        }
        return Array(answer.dropFirst(head.count))
    }
}

/// Little-endian, one behind the other.
func littleEndian<Value: FixedWidthInteger>(_ values: Value...) -> [UInt8] {
    var all: [UInt8] = []
    for value in values {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            all.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }
    return all
}
