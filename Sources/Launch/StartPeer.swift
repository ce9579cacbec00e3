import Linux

/// The other side of an ``Operation/awaitStart(on:)``: what starts a process that its maker left waiting.
public struct StartPeer: ~Copyable, Sendable {
    private let channel: Descriptor

    /// Connects to the socket on which the process waits.
    public init(connectingTo path: String) throws(SystemError) {
        channel = try UnixSocket.connect(to: path, .messages)
    }

    /// Ends the process instead of starting it: for one whose maker died before it could tell anyone of it.
    public consuming func refuse() throws(SystemError) {
        try channel.write([0])
        // The end of the channel is the end of the process.
        _ = try? channel.read(upTo: 1)
    }

    /// Lets the process go on, and returns when its program runs.
    ///
    /// - Throws: the step that it failed at, by the label that its plan gave it.
    public func start() throws(LaunchError) {
        do throws(SystemError) { try channel.write([1]) } catch { throw LaunchError(error) }
        while true {
            var descriptor: Descriptor?
            switch try readProgress(channel, receiving: &descriptor, stage: { _ in nil }) {
            case .executed: return
            case .readyToStart: continue
            case .reached:
                do throws(SystemError) { try channel.write([1]) } catch { throw LaunchError(error) }
            }
        }
    }
}
