// Lesson: what root is made of. Run it as root: `sudo swift run lesson-capabilities`.
//
// The power of root is split into some forty capabilities. A thread has five sets of them; what it may do is its
// effective set. This program keeps two, and shows that the others do not come back, though its user id is still 0.
import Capabilities
import Glibc
import Linux

/// Tries what takes CAP_SYS_CHROOT and, to the same root, changes nothing.
func tryChroot() -> String { chroot("/") == 0 ? "ok" : "\(Errno.current)" }

do {
    let before = try CapabilityState.ofCallingThread()
    guard before.effective.contains(.sysChroot), before.effective.contains(.setProcessCapabilities) else {
        print("lesson-capabilities: needs CAP_SYS_CHROOT and CAP_SETPCAP: run it as root")
        exit(1)
    }
    print("Before: \(before.effective.capabilities.count) capabilities; chroot: \(tryChroot())")

    // The bounding set goes first: it limits what an execve of a set-uid or root-owned program may give, and dropping
    // from it takes CAP_SETPCAP, which is about to go.
    var state = before
    state.restrict(to: [.netBindService, .kill])
    try state.applyToCallingThread()

    let after = try CapabilityState.ofCallingThread()
    print("After:  \(after.effective), for user \(geteuid()); chroot: \(tryChroot())")

    // Asking for more is refused, with the reason, before the kernel is bothered.
    var more = after
    more.permitted = more.permitted.adding(.sysChroot)
    do throws(CapabilityError) {
        try more.applyToCallingThread()
        print("CAP_SYS_CHROOT came back.")
    } catch {
        print("Asking for one of the others back: \(error)")
    }

    // Not even a program that root executes gets them back: its sets are cut to the bounding set.
    print("In a program started from here:")
    fflush(nil)
    exit(system("grep -E '^Cap(Eff|Bnd)' /proc/self/status") == 0 ? 0 : 1)
} catch {
    print("lesson-capabilities: \(error)")
    exit(1)
}
