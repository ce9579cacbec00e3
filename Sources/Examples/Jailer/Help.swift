enum Help {
    /// The version of Firecracker's jailer that this one follows, and this program's own behind it.
    static let version = "1.17.0+bulkhead.0.1.0"

    static let text = """
        usage: bulkhead-jailer --id ID --exec-file FILE --uid UID --gid GID [OPTION...] [-- ARGUMENT...]

        Runs FILE, a statically linked monitor such as bulkhead-vm, in a jail: as the user UID and the group GID, without
        capabilities, in BASE/NAME/ID/root, where NAME is the last part of FILE's path.

          --id ID                    up to 64 letters, digits and hyphens
          --exec-file FILE           the monitor, which is copied into the jail
          --uid UID, --gid GID       numbers
          --chroot-base-dir BASE     where jails are (/srv/jailer)
          --netns PATH               a network namespace to join
          --daemonize                a session of its own, standard input and output on /dev/null
          --new-pid-ns               a pid namespace of its own
          --cgroup FILE=VALUE        a limit, such as memory.max=256M, in the cgroup PARENT/ID; again for more
          --parent-cgroup PARENT     (NAME); without --cgroup the monitor runs in PARENT itself
          --cgroup-version 2         version 1 is not supported
          --resource-limit NAME=N    fsize (bytes) or no-file (descriptors; 2048); again for more
          --explain                  print each step instead
          --version                  print the version

        The monitor gets --id and --start-time-us, --start-time-cpu-us and --parent-cpu-time-us before the arguments
        behind --; or those arguments alone where they begin with the word run. Its pid is left in the jail's NAME.pid.

        Exit status: the monitor's, or its signal; 0 with --daemonize or --new-pid-ns once the monitor
        runs; 1 for a wrong option, or where a step failed, after which nothing is left behind.
        """
}
