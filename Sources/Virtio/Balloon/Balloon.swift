import Linux

/// Takes memory from a guest and gives it back; virtio 1.2, section 5.5.
public final class Balloon: Device, @unchecked Sendable {
    /// What can be chosen of a balloon.
    public struct Options: Hashable, Sendable {
        /// How many bytes the guest should give up at the start: whole pages of 4096 bytes.
        public var target: UInt64 = 0
        /// Whether the guest may take pages back by itself rather than kill a process.
        public var deflatesOnOOM = false
        /// Whether the guest can be asked what its memory is used for.
        public var hasStatistics = false
        /// Seconds between two such questions; 0 asks only on ``Balloon/requestStatistics()``.
        public var statisticsInterval: UInt32 = 0
        /// Whether the guest can be asked once for all its free pages.
        public var hasHinting = false
        /// Whether the guest reports free pages as they become free.
        public var hasReporting = false

        public init() {}
    }

    /// What the queues are for. Their numbers depend on what was agreed on.
    enum Role {
        case inflate, deflate, statistics, hinting, reporting
    }

    /// How far a search for free pages is.
    public enum Hinting: Hashable, Sendable {
        /// None is under way.
        case idle
        /// The guest was asked.
        case requested
        /// The guest is naming pages, which it keeps to itself meanwhile.
        case running
        /// The guest named all; it keeps them until ``Balloon/stopHinting()``.
        case finished
    }

    /// Bytes in a page, whatever the guest's own are.
    public static let pageSize: UInt64 = 4096

    public let type = DeviceType.balloon
    public let offered: Features
    public let queueSizes: [UInt16]
    public let lock = DeviceLock()

    // Guarded by the lock.
    var host: DeviceHost?
    let timer: Timer
    var chain = DescriptorChain()
    /// What each queue is for, by its number.
    var roles: [Role] = []
    /// What the guest should give up, and what it says it gave up: pages.
    var targetPages: UInt32
    var actualPages: UInt32 = 0
    /// The guest's buffer for statistics, kept until they are wanted.
    var statisticsChain = DescriptorChain()
    var hasStatisticsChain = false
    var latest: BalloonStatistics?
    var interval: UInt32
    /// The number of the search for free pages that the host wants, and of the one the guest is at.
    var hostCommand: UInt32 = Balloon.stopCommand
    var guestCommand: UInt32 = Balloon.stopCommand
    var hasGuestCommand = false
    var lastCommand: UInt32 = Balloon.doneCommand
    var hinting = Hinting.idle
    /// Whether the guest has its pages back as soon as it has named all.
    var acknowledgesEnd = false
    /// Bytes given back to the host by inflating, hinting and reporting.
    var discarded: UInt64 = 0
    var counted = BalloonCounts()

    static let stopCommand: UInt32 = 0
    static let doneCommand: UInt32 = 1

    public init(_ options: Options = Options()) throws(SystemError) {
        var features: Features = []
        var sizes: [UInt16] = [128, 128]
        if options.hasStatistics {
            features.insert(Features.Balloon.statistics)
            sizes.append(16)
        }
        if options.deflatesOnOOM { features.insert(Features.Balloon.deflateOnOOM) }
        if options.hasHinting {
            features.insert(Features.Balloon.freePageHint)
            sizes.append(128)
        }
        if options.hasReporting {
            features.insert(Features.Balloon.reporting)
            // Drivers name 32 ranges at once.
            sizes.append(64)
        }
        offered = features
        queueSizes = sizes
        targetPages = UInt32(clamping: options.target / Balloon.pageSize)
        interval = options.statisticsInterval
        timer = try Timer()
    }

    /// How many bytes the guest should give up. The guest follows as it can.
    public var target: UInt64 { lock.locked { UInt64(targetPages) * Balloon.pageSize } }

    /// How many bytes the guest says it gave up.
    public var actual: UInt64 { lock.locked { UInt64(actualPages) * Balloon.pageSize } }

    /// How many bytes were given back to the host in all; a page that came and went counts each time.
    public var discardedBytes: UInt64 { lock.locked { discarded } }

    /// Asks the guest to give up so many bytes: whole pages of 4096 bytes.
    public func setTarget(_ bytes: UInt64) {
        lock.locked {
            let pages = UInt32(clamping: bytes / Balloon.pageSize)
            guard pages != targetPages else { return }
            targetPages = pages
            host?.configurationChanged()
        }
    }

    /// What the guest last said of its memory; nil before that.
    public var statistics: BalloonStatistics? { lock.locked { latest } }

    /// Asks the guest for new statistics; they come when the guest has them.
    public func requestStatistics() {
        lock.locked {
            guard let host else { return }
            host.attempt { () throws(DeviceFault) in try returnStatistics(host) }
        }
    }

    /// Asks for statistics each so many seconds; 0 stops that.
    public func setStatisticsInterval(_ seconds: UInt32) {
        lock.locked {
            interval = seconds
            setTimer()
        }
    }

    /// How far the search for free pages is.
    public var hintingStatus: Hinting { lock.locked { hinting } }

    /// Asks the guest for all its free pages, which are given back to the host as they are named.
    ///
    /// - Parameter acknowledges: whether the guest has its pages back as soon as it has named all, as by
    ///   ``stopHinting()``.
    /// - Returns: false where the driver has not agreed to that, or is not ready.
    @discardableResult
    public func startHinting(acknowledges: Bool = false) -> Bool {
        lock.locked {
            guard let host, host.features.contains(Features.Balloon.freePageHint) else { return false }
            // Two numbers have a meaning of their own.
            lastCommand = lastCommand == .max ? 2 : lastCommand + 1
            hostCommand = lastCommand
            hinting = .requested
            acknowledgesEnd = acknowledges
            host.configurationChanged()
            return true
        }
    }

    /// Lets the guest have the pages again that it named.
    ///
    /// - Returns: false where there is no driver that would hear of it, or it has not agreed to hinting.
    @discardableResult
    public func stopHinting() -> Bool {
        lock.locked {
            guard let host, host.features.contains(Features.Balloon.freePageHint) else { return false }
            endHinting()
            return true
        }
    }

    func endHinting() {
        hinting = .idle
        guard hostCommand != Balloon.doneCommand else { return }
        hostCommand = Balloon.doneCommand
        host?.configurationChanged()
    }

    /// The number of the search that the host wants, and of the one that the guest is at, nil before it named one: 0
    /// stops, 1 ends; virtio 1.2, section 5.5.6.5.
    public var hintingCommands: (host: UInt32, guest: UInt32?) {
        lock.locked { (hostCommand, hasGuestCommand ? guestCommand : nil) }
    }

    func setTimer() {
        let nanoseconds = UInt64(interval) * 1_000_000_000
        timer.set(after: nanoseconds, every: nanoseconds)
    }
}
