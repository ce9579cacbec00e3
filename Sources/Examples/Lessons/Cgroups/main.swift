// Lesson: how a group of processes gets a limit. Run it as root, where cgroup v2 has the pids controller:
// `sudo swift run lesson-cgroups`.
//
// A cgroup is a directory. Who is in it shares its limits, and its children are born into it. This program puts itself
// into one that may hold three processes, starts as many as it can, ends them all at once and removes the directory.
import Cgroups
import Glibc

/// Starts `sleep 60`, and gives the error number, 0 for none.
func startSleeper() -> CInt {
    let arguments = [strdup("sleep"), strdup("60"), nil]
    defer { arguments.forEach { free($0) } }
    var pid: pid_t = 0
    return posix_spawnp(&pid, "sleep", nil, nil, arguments, nil)
}

do {
    let hierarchy = try CgroupHierarchy.find()
    let home = try hierarchy.open(try hierarchy.ownPath())

    // Limits are a value. They become an ordered list of writes to files, which can be looked at first.
    let limits = ResourceLimits(pids: PIDLimits(max: 3))
    print("To be written:")
    for setting in limits.settings { print("  \(setting)") }

    let box = try hierarchy.create("/bulkhead-lesson-\(getpid())", applying: limits)
    do {
        print("Made \(box.relativePath), which lasts until somebody removes it.")

        try box.add(process: getpid())
        var started = 0
        while true {
            let failure = startSleeper()
            if failure != 0 {
                print("Besides this program \(started) could start. The next: \(String(cString: strerror(failure)))")
                break
            }
            started += 1
        }
        if let pids = try box.statistics(.pids).pids {
            print("The kernel counts \(pids.current) of \(pids.max) processes, and \(pids.refusals) refusal.")
        }

        // Out again before the rest is killed, all in one write: no process can fork faster than that.
        try home.add(process: getpid())
        try box.remove(killing: true)
        print("Killed, and removed: \(hierarchy.contains(box.relativePath) ? "it is still there" : "nothing is left").")
    } catch {
        try home.add(process: getpid())
        try box.remove(killing: true)
        throw error
    }
} catch {
    print("lesson-cgroups: \(error)")
    exit(1)
}
