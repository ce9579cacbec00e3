import Linux

/// Why a device can't go on until its driver resets it. The transport tells the driver by `DEVICE_NEEDS_RESET`.
public enum DeviceFault: Error, Hashable, Sendable {
    /// The driver broke the rules of a ring.
    case queue(index: UInt16, QueueError)
    /// A request in a sound buffer that has no place for an answer, or that the device's protocol forbids.
    case request(queue: UInt16, String)
    /// The host refused what the device can't do without.
    case host(SystemError)
    /// Who works on the queues in this process's stead does not.
    case backend(VhostUserError)
}

extension DeviceFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .queue(let index, let error): "queue \(index): \(error)"
        case .request(let index, let what): "queue \(index): \(what)"
        case .host(let error): error.description
        case .backend(let error): error.description
        }
    }
}

extension Virtqueue {
    /// ``next(into:)`` as a device calls it: the error names the queue.
    func take(_ chain: DescriptorChain) throws(DeviceFault) -> Bool {
        do throws(QueueError) { return try next(into: chain) } catch { throw .queue(index: index, error) }
    }

    /// ``complete(_:written:)`` as a device calls it.
    func finish(_ chain: DescriptorChain, written: Int) throws(DeviceFault) {
        do throws(QueueError) { try complete(chain, written: written) } catch { throw .queue(index: index, error) }
    }

    /// ``endBatch()`` as a device calls it.
    func show() throws(DeviceFault) {
        do throws(QueueError) { try endBatch() } catch { throw .queue(index: index, error) }
    }

    /// Stops the driver's notifications while the device looks by itself.
    func mute() throws(DeviceFault) {
        do throws(QueueError) { try disableNotifications() } catch { throw .queue(index: index, error) }
    }

    /// Whether the driver has made a buffer available that was not taken yet.
    func hasNext() throws(DeviceFault) -> Bool {
        guard isRunning, let rings else { return false }
        do throws(QueueError) { return isPacked ? try hasNextPacked(rings) : try hasNextSplit(rings) } catch {
            throw .queue(index: index, error)
        }
    }

    /// Lets the driver notify again.
    ///
    /// - Returns: true where more came in between.
    func unmute() throws(DeviceFault) -> Bool {
        do throws(QueueError) { return try enableNotifications() } catch { throw .queue(index: index, error) }
    }
}
