import CLinux
import Linux

/// Gives the calling thread a descriptor table of its own. In a file of its own: `CLinux` and `Glibc` declare `fd_set`
/// differently, so no file can import both.
func unshareDescriptors() throws { try systemCall("unshare(CLONE_FILES)") { unshare(CLONE_FILES) } }
