// Lesson: what happens between clone and exec. It needs no root: `swift run lesson-launch`.
//
// A forked child of a Swift program may run no Swift: a lock that another thread held at the fork is held for ever. So
// what the child has to do is written down first, as a plan, and a small C interpreter runs it.
import Glibc
import Launch
import Linux

do {
    var plan = LaunchPlan()
    plan.newNamespaces = [.user, .uts, .pid, .mount, .network]
    // In a new user namespace nobody has an id until ids are mapped. Mapping one's own alone takes no privilege; the
    // kernel asks in return that setgroups stays forbidden. The parent writes the maps before the first step.
    plan.identityMaps = IdentityMaps(
        users: [.init(inside: 0, outside: geteuid(), count: 1)],
        groups: [.init(inside: 0, outside: getegid(), count: 1)], deniesSetgroups: true)
    plan.append(.user(0, group: 0))
    plan.append(.hostname("compartment"))
    plan.append(.loopbackUp)
    plan.append(.noNewPrivileges)
    plan.append(.findExecutable("sh", searchPath: ["/bin", "/usr/bin"]))
    // No descriptor is inherited by accident: the program gets 0, 1 and 2, and no other.
    plan.append(.closeDescriptors(from: 3, keeping: []))
    let script = "echo \"the child: user $(id -u), process $$, on a host called $(uname -n)\""
    plan.append(.execute(arguments: ["sh", "-c", script], environment: ["PATH=/bin:/usr/bin"]))

    // A plan is a value: it can be read before anything happens. `bulkhead-oci run --explain` prints such a text.
    print("The plan:\n\(plan)\n")
    fflush(nil)

    plan.isTraced = true
    let process = try plan.launch()
    try process.waitUntilExecuted()
    let end = try process.wait()
    // The first step's time holds the wait for the id maps.
    print("It ended: \(end). What each step took:")
    for (operation, time) in zip(plan.operations, process.times()) {
        print("  \(time / 1000) µs  \(operation)")
    }

    // A step that fails ends the child, and its error says which step it was.
    var broken = LaunchPlan()
    broken.append(.umask(0o022))
    broken.append(.changeDirectory("/no/such/directory"))
    do throws(LaunchError) { try broken.launch().waitUntilExecuted() } catch {
        print("\nA plan that fails: \(error)")
    }
} catch {
    print("lesson-launch: \(error)")
    exit(1)
}
