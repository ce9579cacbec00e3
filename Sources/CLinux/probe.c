#include "CLinuxProbe.h"

#include <linux/bpf.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <time.h>

// Numbers that every architecture shares; headers may be older than the kernel.
enum {
    NR_OPEN_TREE = 428,
    NR_MOVE_MOUNT = 429,
    NR_FSOPEN = 430,
    NR_FSCONFIG = 431,
    NR_FSMOUNT = 432,
    NR_IO_URING_SETUP = 425,
    NR_CLONE3 = 435,
    NR_LSM_LIST_MODULES = 461,
};

// A descriptor that no process has: limits stay far below it.
#define NO_DESCRIPTOR 0x7fffffff

struct bh_kernel_names bh_kernel_names(void) {
    static _Thread_local struct utsname names;
    uname(&names);
    return (struct bh_kernel_names){names.sysname, names.release, names.machine};
}

static int answer(long result) { return result == -1 ? errno : 0; }

struct clone3_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static int clone_into_no_cgroup(void) {
    struct clone3_arguments arguments = {.flags = 0x200000000ull /* CLONE_INTO_CGROUP */, .cgroup = NO_DESCRIPTOR};
    long pid = syscall(NR_CLONE3, &arguments, sizeof arguments);
    // A kernel without cgroups does not look at the descriptor.
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid((pid_t)pid, NULL, __WALL);
    return answer(pid);
}

static int idmap_with_no_namespace(void) {
    struct {
        uint64_t set, clear, propagation, user_namespace;
    } attributes = {.set = 0x100000 /* MOUNT_ATTR_IDMAP */, .user_namespace = NO_DESCRIPTOR};
    return answer(syscall(SYS_mount_setattr, -1, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
}

int bh_probe_call(enum bh_probe_call call) {
    switch (call) {
    case BH_PROBE_CLONE3: return answer(syscall(NR_CLONE3, NULL, 0));
    case BH_PROBE_CLONE_INTO_CGROUP: return clone_into_no_cgroup();
    case BH_PROBE_OPENAT2: return answer(syscall(SYS_openat2, -1, "", NULL, 0));
    case BH_PROBE_PIDFD_OPEN: return answer(syscall(SYS_pidfd_open, -1, 0));
    case BH_PROBE_PIDFD_GETFD: return answer(syscall(SYS_pidfd_getfd, -1, 0, 0));
    case BH_PROBE_CLOSE_RANGE: return answer(syscall(SYS_close_range, 1, 0, 0));
    case BH_PROBE_FSOPEN: return answer(syscall(NR_FSOPEN, NULL, ~0u));
    case BH_PROBE_FSCONFIG: return answer(syscall(NR_FSCONFIG, -1, ~0u, NULL, NULL, 0));
    case BH_PROBE_FSMOUNT: return answer(syscall(NR_FSMOUNT, -1, ~0u, 0));
    case BH_PROBE_MOVE_MOUNT: return answer(syscall(NR_MOVE_MOUNT, -1, "", -1, "", ~0u));
    case BH_PROBE_OPEN_TREE: return answer(syscall(NR_OPEN_TREE, -1, "", ~0u));
    case BH_PROBE_MOUNT_SETATTR: return answer(syscall(SYS_mount_setattr, -1, "", AT_EMPTY_PATH, NULL, 0));
    case BH_PROBE_IDMAPPED_MOUNT: return idmap_with_no_namespace();
    case BH_PROBE_IO_URING: return answer(syscall(NR_IO_URING_SETUP, 1, NULL));
    // Flag 1 is UFFD_USER_MODE_ONLY, which needs no privilege; the other bit is none.
    case BH_PROBE_USERFAULTFD: return answer(syscall(SYS_userfaultfd, 0x40000000));
    case BH_PROBE_USERFAULTFD_USER_MODE: return answer(syscall(SYS_userfaultfd, 0x40000001));
    }
    return ENOSYS;
}

int bh_probe_seccomp_flags(unsigned flags) {
    return answer(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, NULL));
}

int bh_probe_seccomp_action(unsigned action) {
    uint32_t value = action;
    return answer(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &value));
}

int bh_probe_seccomp_notification(void) {
    struct seccomp_notif_sizes sizes;
    return answer(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
}

int bh_probe_landlock(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
    return version == -1 ? -errno : (int)version;
}

int bh_probe_security_modules(uint64_t *identifiers, unsigned room) {
    uint32_t bytes = room * (uint32_t)sizeof *identifiers;
    long count = syscall(NR_LSM_LIST_MODULES, identifiers, &bytes, 0);
    return count == -1 ? -errno : (int)count;
}

int bh_probe_device_program(void) {
    const struct bpf_insn program[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attributes = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insns = (uintptr_t)program,
        .insn_cnt = sizeof program / sizeof *program,
        .license = (uintptr_t) "Apache-2.0",
    };
    long loaded = syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
    if (loaded == -1) return errno;
    close((int)loaded);
    return 0;
}

int bh_in_child(void (*body)(void *memory), void *memory, int milliseconds);

// Runs `body` in a child that shares only `memory` with this process, for no longer than `milliseconds`. The child
// ends without a SIGCHLD, so no handler of the process runs and no waitpid of the process meets it. It may do system
// calls only: this process may have other threads.
int bh_in_child(void (*body)(void *memory), void *memory, int milliseconds) {
    long pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (pid == -1) return errno;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        body(memory);
        _exit(0);
    }
    int status = 0;
    pid_t reaped = 0;
    int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
    if (pidfd >= 0) {
        struct pollfd entry = {.fd = pidfd, .events = POLLIN};
        struct timespec begin, now;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        int left = milliseconds;
        while (left > 0 && poll(&entry, 1, left) == -1 && errno == EINTR) {
            clock_gettime(CLOCK_MONOTONIC, &now);
            left = milliseconds - (int)((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000);
        }
        close(pidfd);
        reaped = waitpid((pid_t)pid, &status, WNOHANG | __WALL);
    } else {
        for (int waited = 0; waited < milliseconds && reaped == 0; waited++) {
            reaped = waitpid((pid_t)pid, &status, WNOHANG | __WALL);
            if (reaped == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    if (reaped == 0) {
        kill((pid_t)pid, SIGKILL);
        while (waitpid((pid_t)pid, &status, __WALL) == -1 && errno == EINTR) {}
        return ETIMEDOUT;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : EINTR;
}

static void *shared_memory(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

struct namespaces_answer {
    int unprivileged;
    int errors[BH_PROBE_KINDS];
};

static void make_namespaces(void *memory) {
    static const unsigned flags[BH_PROBE_KINDS] = {
        0x00020000, 0x04000000, 0x08000000, 0x20000000, 0x40000000, 0x02000000, 0x00000080, 0x10000000,
    };
    enum { USER = BH_PROBE_KINDS - 1 };
    struct namespaces_answer *result = memory;
    if (result->unprivileged) {
        // The calls themselves: libc's wrappers would signal threads that this child does not have.
        if (geteuid() == 0) {
            syscall(SYS_setgroups, 0, NULL);
            syscall(SYS_setresgid, 65534, 65534, 65534);
            syscall(SYS_setresuid, 65534, 65534, 65534);
        }
        result->errors[USER] = answer(syscall(SYS_unshare, flags[USER]));
    }
    for (int kind = 0; kind < USER; kind++) result->errors[kind] = answer(syscall(SYS_unshare, flags[kind]));
    if (!result->unprivileged) result->errors[USER] = answer(syscall(SYS_unshare, flags[USER]));
}

int bh_probe_namespaces(int errors[BH_PROBE_KINDS], int unprivileged) {
    struct namespaces_answer *result = shared_memory(sizeof *result);
    if (!result) return errno;
    result->unprivileged = unprivileged;
    for (int kind = 0; kind < BH_PROBE_KINDS; kind++) result->errors[kind] = EINTR;
    int error = bh_in_child(make_namespaces, result, 2000);
    memcpy(errors, result->errors, sizeof result->errors);
    munmap(result, sizeof *result);
    return error;
}

static int write_text(const char *path, const char *text) {
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file == -1) return errno;
    int error = answer(write(file, text, strlen(text)));
    close(file);
    return error;
}

// All of it happens inside the child: a user namespace of a second child, and a tmpfs that is mounted nowhere.
static void idmap_tmpfs(void *memory) {
    int *error = memory;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == -1) {
        *error = errno;
        return;
    }
    long owner = syscall(SYS_clone, 0x10000000 /* CLONE_NEWUSER */, 0, 0, 0, 0);
    if (owner == -1) {
        *error = errno;
        return;
    }
    if (owner == 0) {
        // Ends with the pipe's other end, however this process ends.
        char byte;
        close(ends[1]);
        read(ends[0], &byte, 1);
        _exit(0);
    }
    // No stdio: the process that was copied may have held its locks.
    char digits[24], path[64];
    size_t first = sizeof digits - 1;
    digits[first] = 0;
    for (long rest = owner; rest; rest /= 10) digits[--first] = (char)('0' + rest % 10);
    static const char *const names[] = {"/uid_map", "/gid_map", "/ns/user"};
    int namespace = -1;
    *error = 0;
    for (int index = 0; index < 3 && *error == 0; index++) {
        strcpy(path, "/proc/");
        strcat(path, digits + first);
        strcat(path, names[index]);
        if (index < 2) {
            *error = write_text(path, "0 100000 1");
        } else {
            namespace = open(path, O_RDONLY | O_CLOEXEC);
            *error = answer(namespace);
        }
    }
    if (*error == 0) {
        int context = (int)syscall(NR_FSOPEN, "tmpfs", 1 /* FSOPEN_CLOEXEC */);
        *error = answer(context);
        if (*error == 0) *error = answer(syscall(NR_FSCONFIG, context, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0));
        int mount = -1;
        if (*error == 0) {
            mount = (int)syscall(NR_FSMOUNT, context, 1 /* FSMOUNT_CLOEXEC */, 0);
            *error = answer(mount);
        }
        if (*error == 0) {
            struct {
                uint64_t set, clear, propagation, user_namespace;
            } attributes = {.set = 0x100000 /* MOUNT_ATTR_IDMAP */, .user_namespace = (uint64_t)namespace};
            *error = answer(syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes));
        }
    }
    kill((pid_t)owner, SIGKILL);
    waitpid((pid_t)owner, NULL, __WALL);
}

int bh_probe_idmapped_tmpfs(void) {
    int *error = shared_memory(sizeof *error);
    if (!error) return errno;
    *error = EINTR;
    int failed = bh_in_child(idmap_tmpfs, error, 2000);
    int result = failed ? failed : *error;
    munmap(error, sizeof *error);
    return result;
}
