// A container's program can make the kernel run the runtime's own binary (a link to /proc/self/exe as its entry point
// is enough) and then hold on to /proc/self/exe until the runtime is gone and the file may be written: CVE-2019-5736.
// So before a command that enters a container does anything, the runtime executes itself once more from a mount of its
// own file that is read-only, detached, and gone from every mount tree: whoever opens /proc/self/exe for writing
// later gets EROFS, whatever the rights of the file are. Nothing is copied.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "SelfSeal.h"
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BH_ST_RDONLY 1

int bh_is_sealed(void) {
    struct statfs status;
    return statfs("/proc/self/exe", &status) == 0 && status.f_flags & BH_ST_RDONLY;
}

static int enters_a_container(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "create") || !strcmp(argv[i], "run") || !strcmp(argv[i], "exec")) return 1;
    return 0;
}

// Before main, so that the first of the two starts costs no more than the C library's.
__attribute__((constructor(101))) static void seal(int argc, char **argv, char **environment) {
    // An unprivileged caller may not, and need not: what runs in its containers has no more rights over the file.
    if (!enters_a_container(argc, argv) || geteuid() != 0) return;
    if (bh_is_sealed()) {
        // Older kernels name a process that was executed by descriptor after the descriptor's number.
        const char *slash = strrchr(argv[0], '/');
        prctl(PR_SET_NAME, slash ? slash + 1 : argv[0], 0, 0, 0);
        return;
    }
    int file = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (file < 0) return;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    if (syscall(SYS_mount_setattr, file, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0)
        syscall(SYS_execveat, file, "", argv, environment, AT_EMPTY_PATH);
    close(file);
}
