// Calls that glibc hides behind _GNU_SOURCE. In a file of their own: `CLinux` and `Glibc` declare `fd_set` differently,
// so no file can import both.
import CLinux
import Linux

/// Gives the calling thread a descriptor table of its own.
func unshareDescriptors() throws { try systemCall("unshare(CLONE_FILES)") { unshare(CLONE_FILES) } }

/// Exchanges what two names stand for, in one step.
func exchange(_ one: String, _ other: String) {
    one.withCString { one in
        other.withCString { other in
            let here = CLong(AT_FDCWD)
            // RENAME_EXCHANGE
            _ = bh_syscall6(
                CLong(SYS_renameat2), here, CLong(bitPattern: one), here, CLong(bitPattern: other), 2, 0)
        }
    }
}

/// The calling thread's id.
func threadID() -> pid_t { gettid() }
