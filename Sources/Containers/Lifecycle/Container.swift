import Cgroups
import Glibc
import Linux
import OCI

/// A container that exists: created, running, paused or stopped.
///
/// The value is a name; each call looks at what the container is now.
public struct Container: Sendable {
    public let runtime: Runtime
    public let id: String

    init(runtime: Runtime, id: String) {
        self.runtime = runtime
        self.id = id
    }
}

extension Runtime {
    /// The container with this id.
    ///
    /// - Throws: ``ContainerError/Kind/doesNotExist``.
    public func container(_ id: String) throws(ContainerError) -> Container {
        try validate(id: id)
        _ = try StateDirectory.open(id, in: stateRoot)
        return Container(runtime: self, id: id)
    }

    /// All containers, by id.
    public func containers() throws(ContainerError) -> [Container] {
        do throws(SystemError) {
            return try names(in: stateRoot).sorted().map { Container(runtime: self, id: $0) }
        } catch {
            if error.errno == .noSuchFileOrDirectory { return [] }
            throw ContainerError(error)
        }
    }
}

extension Container {
    /// The container's state, as `state` prints it.
    public func state() throws(ContainerError) -> State {
        let directory = try open()
        let record = try read(directory)
        let status = status(record, directory)
        let isAlive = status != .stopped && status != .creating
        var state = State(
            id: id, status: status, pid: isAlive ? record.process?.pid : 0, bundle: record.bundle,
            annotations: record.annotations)
        state.rootfs = record.rootfs
        state.created = record.created
        state.owner = record.owner
        return state
    }

    /// The document that the container was made from, whatever has become of the bundle since.
    public func configuration() throws(ContainerError) -> Configuration {
        let directory = try open()
        do throws(SystemError) {
            let bytes = try directory.read(StateDirectory.documentName)
            do throws(DocumentError) { return try Configuration(json: bytes) } catch {
                throw SystemError("read the container's document: \(error)", .ioError)
            }
        } catch { throw ContainerError(error) }
    }

    /// The ids of all processes in the container, as the caller sees them.
    public func processes() throws(ContainerError) -> [pid_t] {
        let record = try read(try open())
        guard record.cgroup != nil else { return record.process.map { $0.isRunning ? [$0.pid] : [] } ?? [] }
        return try withCgroup { cgroup throws(CgroupError) in try cgroup.processesOfSubtree().sorted() }
    }

    /// What the container uses.
    public func statistics() throws(ContainerError) -> Statistics {
        try withCgroup { cgroup throws(CgroupError) in try cgroup.statistics() }
    }

    /// Lends the container's cgroup.
    public func withCgroup<Result>(
        _ body: (borrowing Cgroup) throws(CgroupError) -> Result
    ) throws(ContainerError) -> Result {
        guard let path = try read(try open()).cgroup else {
            throw ContainerError(.system, "container \(quoted(id)) has no cgroup of its own")
        }
        do throws(CgroupError) { return try body(try Cgroup(opening: path)) } catch {
            throw ContainerError(.system, error.description)
        }
    }

    func open() throws(ContainerError) -> StateDirectory { try StateDirectory.open(id, in: runtime.stateRoot) }

    /// Opens and locks the directory.
    func openLocked() throws(ContainerError) -> StateDirectory {
        let directory = try open()
        do throws(SystemError) { _ = try directory.lock() } catch { throw ContainerError(error) }
        // Whoever held the lock before may have deleted the container.
        guard access(directory.path, F_OK) == 0 else {
            throw ContainerError(.doesNotExist, "container \(quoted(id)) does not exist")
        }
        return directory
    }

    func read(_ directory: borrowing StateDirectory) throws(ContainerError) -> Record {
        do throws(SystemError) {
            let bytes = try directory.read(StateDirectory.recordName)
            do throws(DocumentError) { return try Record(decoding: bytes) } catch {
                throw SystemError("read the container's state: \(error)", .ioError)
            }
        } catch {
            if error.errno == .noSuchFileOrDirectory {
                throw ContainerError(.doesNotExist, "container \(quoted(id)) does not exist")
            }
            throw ContainerError(error)
        }
    }

    func status(_ record: Record, _ directory: borrowing StateDirectory) -> State.Status {
        guard let process = record.process else { return .creating }
        guard process.isRunning else { return .stopped }
        if directory.exists(StateDirectory.startSocketName) { return .created }
        if let path = record.cgroup, let cgroup = try? Cgroup(opening: path), (try? cgroup.events())?.isFrozen == true {
            return .paused
        }
        return .running
    }

    func require(_ allowed: [State.Status], _ status: State.Status, to verb: String) throws(ContainerError) {
        if allowed.contains(status) { return }
        let what = status == .stopped ? "container not running" : "container is \(status.rawValue)"
        throw ContainerError(.wrongStatus, "cannot \(verb) container \(quoted(id)): \(what)")
    }
}
