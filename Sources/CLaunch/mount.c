#include "interpreter.h"
#include <sys/sysmacros.h>

static int set_attributes(
    int mount, const char *path, uint64_t set, uint64_t clear, uint64_t propagation, int recursive, int user_namespace) {
    struct mount_attr attributes = {
        .attr_set = set,
        .attr_clr = clear,
        .propagation = propagation,
        .userns_fd = user_namespace >= 0 ? (uint64_t)user_namespace : 0,
    };
    unsigned flags = (path[0] ? 0 : AT_EMPTY_PATH) | (recursive ? AT_RECURSIVE : 0);
    return syscall(SYS_mount_setattr, mount, path, flags, &attributes, sizeof attributes) < 0 ? errno : 0;
}

static int clone_tree(int directory, const char *path, int recursive) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (path[0] ? 0 : AT_EMPTY_PATH);
    return (int)syscall(SYS_open_tree, directory, path, flags);
}

static int attach(int mount, int target) {
    return syscall(SYS_move_mount, mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? errno : 0;
}

// The file system's own words on why it refused, as fsopen(2) hands them out: "e proc: Unknown parameter 'x'", of which
// the first letter is the message's level.
static void read_log(struct bh_child *child, int context) {
    size_t used = 0;
    while (used + 2 < sizeof child->text) {
        ssize_t got = read(context, child->text + used, sizeof child->text - used - 2);
        if (got <= 0) break;
        if (got > 2 && child->text[used + 1] == ' ') {
            got -= 2;
            memmove(child->text + used, child->text + used + 2, (size_t)got);
        }
        used += (size_t)got;
        while (used > 0 && child->text[used - 1] == '\n') used--;
        child->text[used++] = ';';
        child->text[used++] = ' ';
    }
    if (used >= 2) child->text[used - 2] = 0;
}

static int configure(int context, const struct bh_option *option) {
    if (option->value)
        return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, option->key, option->value, 0);
    if (option->fd >= 0) return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_FD, option->key, NULL, option->fd);
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, option->key, NULL, 0);
}

static int file_system(struct bh_child *child, const struct bh_operation *op) {
    int context = (int)syscall(SYS_fsopen, op->s[0], FSOPEN_CLOEXEC);
    if (context < 0) return errno;
    int failure = 0;
    const struct bh_option *options = op->list;
    if (op->s[1] && syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", op->s[1], 0) < 0) failure = errno;
    for (uint32_t i = 0; i < op->count && !failure; i++)
        if (configure(context, &options[i]) < 0) failure = errno;
    if (!failure && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) failure = errno;
    int mount = -1;
    if (!failure) {
        mount = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, (unsigned)op->n[0]);
        if (mount < 0) failure = errno;
    }
    if (failure) read_log(child, context);
    close(context);
    return failure ? failure : bh_keep(child, op, mount);
}

static int reconfigure(struct bh_child *child, const struct bh_operation *op) {
    int place = bh_open_in_root(bh_descriptor(child, op->fd), op->s[0], BH_CREATE_NOTHING, 0);
    if (place < 0) return errno;
    int context = (int)syscall(SYS_fspick, place, "", 2 /* FSPICK_SYMLINK_NOFOLLOW */ | 8 /* FSPICK_EMPTY_PATH */ | 1);
    int failure = context < 0 ? errno : 0;
    const struct bh_option *options = op->list;
    for (uint32_t i = 0; i < op->count && !failure; i++)
        if (configure(context, &options[i]) < 0) failure = errno;
    if (!failure && syscall(SYS_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0) failure = errno;
    if (context >= 0) {
        if (failure) read_log(child, context);
        close(context);
    }
    close(place);
    return failure;
}

static int is_null_device(int file) {
    struct stat status;
    return fstat(file, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

// An empty read-only tmpfs, not attached. A file system costs more than a mount, so all masks share one.
static int empty_directory(struct bh_child *child) {
    if (child->empty < 0) {
        int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
        if (context < 0) return -1;
        if (syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "size", "0", 0) == 0 &&
            syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", "0555", 0) == 0 &&
            syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
            child->empty = (int)syscall(
                SYS_fsmount, context, FSMOUNT_CLOEXEC,
                MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
        int error = errno;
        close(context);
        errno = error;
        if (child->empty < 0) return -1;
        // Before Linux 6.15 only what is attached can be cloned: the first mask is the mount itself.
        return fcntl(child->empty, F_DUPFD_CLOEXEC, 3);
    }
    return clone_tree(child->empty, "", 0);
}

// The container's own /dev/null might be anything, a link included: it counts only if it is the device.
static int null_device(struct bh_child *child, int root) {
    if (child->null >= 0) return child->null;
    int null = bh_openat2(root, "/dev/null", O_PATH | O_NOFOLLOW, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (null < 0 || is_null_device(null)) return child->null = null;
    close(null);
    errno = ENODEV;
    return -1;
}

// A file is covered by the null device, a directory by an empty read-only tmpfs.
static int mask(struct bh_child *child, int root, const char *path) {
    int place = bh_open_in_root(root, path, BH_CREATE_NOTHING, 0);
    if (place < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    struct stat status;
    int failure = fstat(place, &status) < 0 ? errno : 0;
    int mount = -1;
    if (!failure && S_ISDIR(status.st_mode)) {
        mount = empty_directory(child);
        if (mount < 0) failure = errno;
    } else if (!failure) {
        int null = null_device(child, root);
        if (null < 0) failure = errno;
        else if ((mount = clone_tree(null, "", 0)) < 0) failure = errno;
        else if (!is_null_device(mount)) failure = ENODEV;
    }
    if (!failure) failure = attach(mount, place);
    if (mount >= 0) close(mount);
    close(place);
    return failure;
}

static int read_only(int root, const char *path) {
    int place = bh_open_in_root(root, path, BH_CREATE_NOTHING, 0);
    if (place < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    int mount = clone_tree(place, "", 1);
    int failure = mount < 0 ? errno : set_attributes(mount, "", MOUNT_ATTR_RDONLY, 0, 0, 0, -1);
    if (!failure) failure = attach(mount, place);
    if (mount >= 0) close(mount);
    close(place);
    return failure;
}

static int make_node(struct bh_child *child, int root, const struct bh_operation *op) {
    char buffer[4096];
    const char *name;
    int parent = bh_parent_in_root(child, root, op->s[0], buffer, sizeof buffer, &name);
    if (parent < 0) return errno;
    int failure = 0;
    mode_t mode = (mode_t)op->n[0];
    if (mknodat(parent, name, mode, (dev_t)op->n[1]) < 0) {
        failure = errno;
        struct stat status;
        // A device that is there already, as in a bind-mounted /dev, is as good as a new one if it is the same.
        if (failure == EEXIST && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
            (status.st_mode & S_IFMT) == (mode & S_IFMT) && (S_ISFIFO(mode) || status.st_rdev == (dev_t)op->n[1]))
            failure = 0;
    }
    if (!failure && (op->n[2] || op->n[3]) &&
        fchownat(parent, name, (uid_t)op->n[2], (gid_t)op->n[3], AT_SYMLINK_NOFOLLOW) < 0)
        failure = errno;
    return failure;
}

static int make_link(struct bh_child *child, int root, const struct bh_operation *op) {
    char buffer[4096];
    const char *name;
    int parent = bh_parent_in_root(child, root, op->s[0], buffer, sizeof buffer, &name);
    if (parent < 0) return errno;
    return symlinkat(op->s[1], parent, name) < 0 && errno != EEXIST ? errno : 0;
}

static int legacy_mount(const char *source, const char *target, unsigned long flags) {
    return syscall(SYS_mount, source, target, NULL, flags, NULL) < 0 ? errno : 0;
}

// The old root lies on top of the new one for a moment, and is gone after: no directory for it is needed.
static int pivot_root(int root) {
    int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (old < 0) return errno;
    int failure = fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || fchdir(old) < 0 ? errno : 0;
    close(old);
    // Unmounting must not travel to the host through a shared old root. Only from inside the old root does "." mean it:
    // from the new one it would be the container's own mounts that lose their propagation.
    if (!failure) failure = legacy_mount(NULL, ".", BH_MS_SLAVE | BH_MS_REC);
    if (failure) return failure;
    if (syscall(SYS_umount2, ".", BH_MNT_DETACH) < 0) return errno;
    return chdir("/") < 0 ? errno : 0;
}

// The new root lies on top of the old one already.
static int move_root(int root) {
    if (fchdir(root) < 0) return errno;
    if (chroot(".") < 0) return errno;
    return chdir("/") < 0 ? errno : 0;
}

int bh_run_mount(struct bh_child *child, const struct bh_operation *op) {
    int first = bh_descriptor(child, op->fd);
    int second = bh_descriptor(child, op->fd2);
    switch ((enum bh_code)op->code) {
    case BH_PROPAGATION: return legacy_mount(NULL, op->s[0], op->n[0]);
    case BH_OPEN: {
        int file = bh_openat2(first, op->s[0], op->n[0], 0, op->n[1]);
        return file < 0 ? errno : bh_keep(child, op, file);
    }
    case BH_CLONE_TREE: {
        int tree = clone_tree(first, op->s[0], op->n[0] != 0);
        return tree < 0 ? errno : bh_keep(child, op, tree);
    }
    case BH_MOUNT_ATTRIBUTES: return set_attributes(first, "", op->n[0], op->n[1], op->n[2], op->n[3] != 0, second);
    case BH_ATTACH: {
        uint64_t create = op->n[0];
        struct stat status;
        // What is mounted decides what its place has to be.
        if (create == BH_CREATE_FILE && fstat(first, &status) == 0 && S_ISDIR(status.st_mode))
            create = BH_CREATE_DIRECTORY;
        int place = bh_open_in_root(second, op->s[0], create, (mode_t)op->n[1]);
        if (place < 0) return errno;
        int failure = attach(first, place);
        close(place);
        return failure;
    }
    case BH_ATTACH_AT_PATH:
        return syscall(SYS_move_mount, first, "", AT_FDCWD, op->s[0], MOVE_MOUNT_F_EMPTY_PATH) < 0 ? errno : 0;
    case BH_FILE_SYSTEM: return file_system(child, op);
    case BH_RECONFIGURE: return reconfigure(child, op);
    case BH_PATH_ATTRIBUTES: {
        int place = bh_open_in_root(first, op->s[0], BH_CREATE_NOTHING, 0);
        if (place < 0) return errno;
        int failure = set_attributes(place, "", op->n[0], op->n[1], op->n[2], op->n[3] != 0, -1);
        close(place);
        return failure;
    }
    case BH_MASK: return mask(child, first, op->s[0]);
    case BH_READ_ONLY: return read_only(first, op->s[0]);
    case BH_COPY_UP: {
        int source = bh_openat2(
            second, op->s[0], O_RDONLY | O_DIRECTORY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
        if (source < 0) return errno == ENOENT ? 0 : errno;
        int failure = bh_copy_up(first, source);
        close(source);
        return failure;
    }
    case BH_MAKE_NODE: return make_node(child, first, op);
    case BH_MAKE_LINK: return make_link(child, first, op);
    case BH_MAKE_DIRECTORY: {
        int made = bh_open_in_root(first, op->s[0], BH_CREATE_DIRECTORY, (mode_t)op->n[0]);
        if (made < 0) return errno;
        close(made);
        return 0;
    }
    case BH_PIVOT_ROOT: return pivot_root(first);
    case BH_MOVE_ROOT: return move_root(first);
    default: return ENOSYS;
    }
}
