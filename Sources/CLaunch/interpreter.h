// Shared by the files of the interpreter; not part of the module.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CLaunch.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// From sys/mount.h, which cannot be included beside linux/mount.h in glibc 2.36.
#define BH_MNT_DETACH 2
#define BH_MS_REC 16384
#define BH_MS_SLAVE (1 << 19)

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

#define BH_LENGTH(array) (sizeof(array) / sizeof(array)[0])

struct bh_child {
    const struct bh_plan *plan;
    int channel;
    uint32_t current;
    int slots[BH_SLOTS];
    const char *executable; // what BH_FIND_EXECUTABLE chose
    int empty;           // the file system that masks directories; one for all of them, -1 until it is needed
    int null;            // the null device, once it was found to be that; -1 until then
    int parent;          // the directory of the node or link that was made last, -1 after any other operation
    int parent_root;
    char parent_path[256];
    int value;           // goes into a failure's report
    char text[960];      // goes into a failure's report
};

// Each returns 0 or a positive errno.
int bh_run_mount(struct bh_child *child, const struct bh_operation *op);
int bh_run_process(struct bh_child *child, const struct bh_operation *op);
int bh_run_terminal(struct bh_child *child, const struct bh_operation *op);
int bh_run_hook(struct bh_child *child, const struct bh_hook *hook);
int bh_copy_up(int target, int source);

static inline int bh_descriptor(const struct bh_child *child, int operand) {
    return operand <= BH_SLOT_BASE ? child->slots[BH_SLOT_BASE - operand] : operand;
}

static inline int bh_keep(struct bh_child *child, const struct bh_operation *op, int descriptor) {
    if (op->slot < 0) {
        close(descriptor);
    } else {
        if (child->slots[op->slot] >= 0) close(child->slots[op->slot]);
        child->slots[op->slot] = descriptor;
    }
    return 0;
}

static inline int bh_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
    int descriptor;
    int attempts = 0;
    // EAGAIN: the kernel could not rule out that a rename led out of the root meanwhile.
    do descriptor = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    while (descriptor < 0 && (errno == EINTR || (errno == EAGAIN && attempts++ < 128)));
    return descriptor;
}

// A place inside an untrusted root, as O_PATH; created if asked for. -1 and errno on failure.
int bh_open_in_root(int root, const char *path, uint64_t create, mode_t mode);
// The directory that holds the path's last component, created if missing, and that component's name. It stays the
// child's: several are made in one directory, and it is looked up once.
int bh_parent_in_root(struct bh_child *child, int root, const char *path, char *buffer, size_t size, const char **name);
void bh_forget_parent(struct bh_child *child);
