import Glibc

/// Whether nobody has the other end of a pipe any more. A child that another suite forks at this moment has a copy of it until
/// its exec, so there are ten seconds.
public func isOtherEndClosed(of descriptor: CInt) -> Bool {
    var watched = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&watched, 1, 10_000) == 1 && watched.revents & Int16(POLLHUP | POLLERR) != 0
}
