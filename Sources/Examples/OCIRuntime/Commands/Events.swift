import Cgroups
import Containers
import Glibc
import Linux
import OCI

extension Command {
    static var events: Command {
        let stats = Option("stats", "show the container's statistics once")
        let interval = Option("interval", value: "TIME", "time between statistics (default: 5s)")
        return Command(
            name: "events", summary: "Show a container's statistics and when it runs out of memory.", usage: "ID",
            options: [stats, interval], arguments: 1...1
        ) { arguments, session throws(Failure) in
            let text = arguments[interval] ?? "5s"
            guard let milliseconds = milliseconds(text), milliseconds > 0 else {
                throw Failure.usage("option --interval: expected a time such as 5s, found \(quoted(text))")
            }
            let container = try session.container(arguments.positional[0])
            guard try attempt(try container.state()).status != .stopped else {
                throw Failure("container \(quoted(container.id)) is not running")
            }
            if arguments.isSet(stats) {
                try outputStatistics(container)
            } else {
                try watch(container, every: milliseconds)
            }
            return 0
        }
    }

    private static func outputStatistics(_ container: Container) throws(Failure) {
        let data = statisticsDocument(try attempt(try container.statistics()))
        try output(eventDocument("stats", container.id, data).encoded() + "\n")
    }

    // Ends when the container has no process left.
    private static func watch(_ container: Container, every interval: Int64) throws(Failure) {
        // The library's loan of the cgroup carries its own errors only, so any other is taken out by hand.
        var failure: Failure?
        let follow = { (cgroup: borrowing Cgroup) throws(CgroupError) in
            var watch = try MemoryWatch(cgroup, interval: interval)
            do throws(Failure) {
                while let event = try watch.next() {
                    switch event {
                    case .tick: try outputStatistics(container)
                    case .outOfMemory: try output(eventDocument("oom", container.id, nil).encoded() + "\n")
                    }
                }
            } catch { failure = error }
        }
        try attempt(try container.withCgroup(follow))
        if let failure { throw failure }
    }
}

/// Waits for a cgroup to run out of memory, for time to pass, or for its last process to end.
private struct MemoryWatch: ~Copyable {
    enum Event {
        case tick
        case outOfMemory
    }

    private let memory: InterfaceWatch?
    private let population: InterfaceWatch
    private let interval: Int64
    private var kills: UInt64
    private var due: Int64

    init(_ cgroup: borrowing Cgroup, interval: Int64) throws(CgroupError) {
        // Without the memory controller nothing runs out of it.
        let memory = try? cgroup.watch("memory.events")
        let kills = try memory?.read()["oom_kill"] ?? 0
        population = try cgroup.watch()
        self.memory = memory
        self.kills = kills
        self.interval = interval
        due = Self.now() + interval
    }

    /// The next event; nil when the last process has ended.
    mutating func next() throws(Failure) -> Event? {
        while true {
            let count = try currentKills()
            if count > kills {
                kills += 1
                return .outOfMemory
            }
            guard try isPopulated() else { return nil }
            let left = due - Self.now()
            if left <= 0 {
                due += interval
                return .tick
            }
            try wait(left)
        }
    }

    private func wait(_ milliseconds: Int64) throws(Failure) {
        var entries = [pollfd(fd: population.descriptor.rawValue, events: Int16(POLLPRI), revents: 0)]
        switch memory {
        case .some(let watch):
            entries.append(pollfd(fd: watch.descriptor.rawValue, events: Int16(POLLPRI), revents: 0))
        case .none: break
        }
        let timeout = CInt(min(milliseconds, Int64(CInt.max)))
        _ = try attemptCall(try systemCall("poll") { poll(&entries, nfds_t(entries.count), timeout) })
    }

    private func currentKills() throws(Failure) -> UInt64 {
        do throws(CgroupError) {
            switch memory {
            case .some(let watch): return try watch.read()["oom_kill"] ?? 0
            case .none: return 0
            }
        } catch {
            if error.cause == .kernel(.noSuchDevice) { return kills }
            throw Failure("\(error)")
        }
    }

    private func isPopulated() throws(Failure) -> Bool {
        do throws(CgroupError) { return try population.read()["populated"] == 1 } catch {
            if error.cause == .kernel(.noSuchDevice) { return false }
            throw Failure("\(error)")
        }
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
