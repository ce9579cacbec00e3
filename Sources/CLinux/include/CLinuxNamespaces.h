// The system-call edge of namespaces and mounts. Neither <sys/mount.h> nor <linux/mount.h> is included: the two
// contradict each other, and older ones lack the newest names. The calls below have the same numbers on every
// architecture; the constants that go with them are Swift option sets.
#pragma once
#include "CLinux.h"
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif
#ifndef SYS_fsconfig
#define SYS_fsconfig 431
#endif
#ifndef SYS_fsmount
#define SYS_fsmount 432
#endif
#ifndef SYS_fspick
#define SYS_fspick 433
#endif

// nsfs requests; the last six are of 6.11 to 6.13.
enum : unsigned long {
    BH_NS_GET_USERNS = _IO(0xb7, 1),
    BH_NS_GET_PARENT = _IO(0xb7, 2),
    BH_NS_GET_NSTYPE = _IO(0xb7, 3),
    BH_NS_GET_OWNER_UID = _IO(0xb7, 4),
    BH_NS_GET_MNTNS_ID = _IOR(0xb7, 5, uint64_t),
    BH_NS_GET_PID_FROM_PIDNS = _IOR(0xb7, 6, int),
    BH_NS_GET_TGID_FROM_PIDNS = _IOR(0xb7, 7, int),
    BH_NS_GET_PID_IN_PIDNS = _IOR(0xb7, 8, int),
    BH_NS_GET_TGID_IN_PIDNS = _IOR(0xb7, 9, int),
};

// pidfd requests of 6.11: each opens one namespace of the process.
enum : unsigned long {
    BH_PIDFD_GET_CGROUP_NAMESPACE = _IO(0xff, 1),
    BH_PIDFD_GET_IPC_NAMESPACE = _IO(0xff, 2),
    BH_PIDFD_GET_MNT_NAMESPACE = _IO(0xff, 3),
    BH_PIDFD_GET_NET_NAMESPACE = _IO(0xff, 4),
    BH_PIDFD_GET_PID_NAMESPACE = _IO(0xff, 5),
    BH_PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE = _IO(0xff, 6),
    BH_PIDFD_GET_TIME_NAMESPACE = _IO(0xff, 7),
    BH_PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE = _IO(0xff, 8),
    BH_PIDFD_GET_USER_NAMESPACE = _IO(0xff, 9),
    BH_PIDFD_GET_UTS_NAMESPACE = _IO(0xff, 10),
};

static inline int bh_fsopen(const char *type) { return (int)syscall(SYS_fsopen, type, 1u /* FSOPEN_CLOEXEC */); }

static inline int bh_fspick(int directory, const char *path, unsigned flags) {
    return (int)syscall(SYS_fspick, directory, path, flags | 1u /* FSPICK_CLOEXEC */);
}

static inline int bh_fsconfig(int context, unsigned command, const char *key, const void *value, int auxiliary) {
    return (int)syscall(SYS_fsconfig, context, command, key, value, auxiliary);
}

static inline int bh_fsmount(int context, unsigned attributes) {
    return (int)syscall(SYS_fsmount, context, 1u /* FSMOUNT_CLOEXEC */, attributes);
}

static inline int bh_open_tree(int directory, const char *path, unsigned flags) {
    return (int)syscall(SYS_open_tree, directory, path, flags | O_CLOEXEC);
}

static inline int bh_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags) {
    return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

static inline int bh_mount_setattr(
    int directory, const char *path, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation,
    uint64_t user_namespace) {
    struct {
        uint64_t set, clear, propagation, user_namespace;
    } attributes = {set, clear, propagation, user_namespace};
    return (int)syscall(SYS_mount_setattr, directory, path, flags, &attributes, sizeof attributes);
}

static inline int bh_mount(
    const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
    return (int)syscall(SYS_mount, source, target, type, flags, data);
}

static inline int bh_umount(const char *target, int flags) { return (int)syscall(SYS_umount2, target, flags); }

static inline int bh_pivot_root(const char *root, const char *old) {
    return (int)syscall(SYS_pivot_root, root, old);
}

static inline uint64_t bh_makedev(unsigned major, unsigned minor) { return makedev(major, minor); }

// The magic number of the file system that holds an open file; -1 and errno where fstatfs fails.
static inline int64_t bh_file_system_magic(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) < 0 ? -1 : (int64_t)status.f_type;
}

// Sets IFF_UP and IFF_RUNNING on an interface of the network namespace in which the socket was made.
int bh_interface_up(int socket, const char *name);
