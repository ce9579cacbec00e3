#include "interpreter.h"
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

static int loopback_up(void) {
    int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    // A kernel without IPv4 still has the interface.
    if (socket_ < 0) socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return errno;
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int failure = ioctl(socket_, SIOCSIFFLAGS, &request) < 0 ? errno : 0;
    close(socket_);
    return failure;
}

static int write_file(int directory, const struct bh_operation *op) {
    // The kernel gives a process's own files to root while it is not dumpable, which in a user namespace is nobody.
    if (op->n[0]) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    // Below a trusted procfs: nothing mounted over a part of it, and no link out of it, is followed.
    int file = bh_openat2(
        directory, op->s[0], O_WRONLY, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
    int refusal = errno;
    if (op->n[0]) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (file < 0) return refusal;
    size_t length = strlen(op->s[1]);
    ssize_t written = write(file, op->s[1], length);
    int failure = written < 0 ? errno : (size_t)written < length ? EIO : 0;
    close(file);
    return failure;
}

static int capabilities(const struct bh_operation *op) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int i = 0; i < 2; i++) {
        data[i].effective = (uint32_t)(op->n[0] >> (32 * i));
        data[i].permitted = (uint32_t)(op->n[1] >> (32 * i));
        data[i].inheritable = (uint32_t)(op->n[2] >> (32 * i));
    }
    return syscall(SYS_capset, &header, data) < 0 ? errno : 0;
}

// The kernel's capabilities have no gaps: they end at the first that it does not know.
static int bounding_set(uint64_t keep) {
    for (int capability = 0; capability < 64; capability++) {
        if (keep >> capability & 1) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
        int refusal = errno;
        // One that is gone already does not need the privilege to drop it.
        int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (held < 0) return errno == EINVAL ? 0 : refusal;
        if (held > 0) return refusal;
    }
    return 0;
}

static int ambient_set(uint64_t mask) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return errno;
    for (int capability = 0; capability < 64; capability++) {
        if (!(mask >> capability & 1)) continue;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0) continue;
        if (errno == EINVAL && prctl(PR_CAPBSET_READ, capability, 0, 0, 0) < 0) return 0;
        return errno;
    }
    return 0;
}

static int user(uint64_t uid, uint64_t gid) {
    // The raw calls: glibc's would signal threads that this process does not have.
    if (syscall(SYS_setresgid, (gid_t)gid, (gid_t)gid, (gid_t)gid) < 0) return errno;
    if (syscall(SYS_setresuid, (uid_t)uid, (uid_t)uid, (uid_t)uid) < 0) return errno;
    return 0;
}

static int seccomp(struct bh_child *child, const struct bh_operation *op) {
    struct sock_fprog program = {.len = (unsigned short)op->count, .filter = (struct sock_filter *)op->list};
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, op->n[0], &program);
    if (result < 0) return errno;
    if (op->n[0] & SECCOMP_FILTER_FLAG_NEW_LISTENER) return bh_keep(child, op, (int)result);
    return result > 0 ? ESRCH : 0;
}

static int duplicate(struct bh_child *child, int from, int to) {
    // The channel moves out of the way of a number that the program was promised.
    if (child->channel == to) {
        int moved = fcntl(to, F_DUPFD_CLOEXEC, to + 1);
        if (moved < 0) return errno;
        child->channel = moved;
    }
    if (from == to) return fcntl(to, F_SETFD, 0) < 0 ? errno : 0;
    return dup3(from, to, 0) < 0 ? errno : 0;
}

static int close_gap(unsigned first, unsigned last) {
    if (first > last) return 0;
    return syscall(SYS_close_range, first, last, 4 /* CLOSE_RANGE_CLOEXEC */) < 0 ? errno : 0;
}

// Everything from `first` on closes at execve, except what is kept; until then the interpreter still needs some.
static int close_from(unsigned first, const int *keep, uint32_t count) {
    unsigned next = first;
    for (uint32_t i = 0; i < count; i++) {
        if (keep[i] < (int)next) continue;
        int failure = keep[i] > (int)next ? close_gap(next, (unsigned)keep[i] - 1) : 0;
        if (failure) return failure;
        if (fcntl(keep[i], F_SETFD, 0) < 0) return errno;
        next = (unsigned)keep[i] + 1;
    }
    return close_gap(next, ~0U);
}

static int executable_by_us(const char *path) {
    struct stat status;
    if (stat(path, &status) < 0) return errno;
    if (S_ISDIR(status.st_mode)) return EISDIR;
    if (syscall(439 /* faccessat2 */, AT_FDCWD, path, X_OK, AT_EACCESS) == 0) return 0;
    if (errno != ENOSYS) return errno;
    return access(path, X_OK) == 0 ? 0 : errno;
}

static int find_executable(struct bh_child *child, const struct bh_operation *op) {
    const char *const *candidates = op->list;
    int failure = ENOENT;
    for (uint32_t i = 0; i < op->count; i++) {
        int refusal = executable_by_us(candidates[i]);
        if (refusal == 0) {
            child->executable = candidates[i];
            return 0;
        }
        // As a shell does: a match that may not be run is told of, unless a later one runs.
        if (refusal == EACCES || op->count == 1) failure = refusal;
    }
    return failure;
}

// A working directory outside the root, as through a leaked descriptor, has no name: getcwd then answers
// "(unreachable)…" or ENOENT.
static int change_directory(const char *path) {
    if (chdir(path) < 0) return errno;
    char buffer[4096];
    long length = syscall(SYS_getcwd, buffer, sizeof buffer);
    if (length < 0) return errno;
    return buffer[0] == '/' ? 0 : EXDEV;
}

static int text_call(int (*call)(const char *, size_t), const char *text) {
    return call(text, strlen(text)) < 0 ? errno : 0;
}

int bh_run_process(struct bh_child *child, const struct bh_operation *op) {
    int first = bh_descriptor(child, op->fd);
    switch ((enum bh_code)op->code) {
    case BH_PARENT_DEATH_SIGNAL: return prctl(PR_SET_PDEATHSIG, op->n[0], 0, 0, 0) < 0 ? errno : 0;
    case BH_SETNS: return syscall(SYS_setns, first, (int)op->n[0]) < 0 ? errno : 0;
    case BH_UNSHARE: return syscall(SYS_unshare, op->n[0]) < 0 ? errno : 0;
    case BH_CHANGE_DIRECTORY: return change_directory(op->s[0]);
    case BH_HOSTNAME: return text_call(sethostname, op->s[0]);
    case BH_DOMAINNAME: return text_call(setdomainname, op->s[0]);
    case BH_LOOPBACK_UP: return loopback_up();
    case BH_WRITE_FILE: return write_file(first, op);
    case BH_SESSION: return setsid() < 0 && errno != EPERM ? errno : 0;
    case BH_SESSION_KEYRING:
        // A kernel without keyrings has none to share; a used-up quota must not keep a container from starting.
        if (syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL, 0, 0, 0) < 0 && errno != ENOSYS &&
            errno != EDQUOT && errno != EPERM)
            return errno;
        return 0;
    case BH_RESOURCE_LIMIT: {
        struct {
            uint64_t soft, hard;
        } limit = {op->n[1], op->n[2]};
        return syscall(SYS_prlimit64, 0, (int)op->n[0], &limit, NULL) < 0 ? errno : 0;
    }
    case BH_UMASK: umask((mode_t)op->n[0]); return 0;
    case BH_GROUPS: return syscall(SYS_setgroups, (size_t)op->count, op->list) < 0 ? errno : 0;
    case BH_USER: return user(op->n[0], op->n[1]);
    case BH_KEEP_CAPABILITIES: return prctl(PR_SET_KEEPCAPS, op->n[0], 0, 0, 0) < 0 ? errno : 0;
    case BH_BOUNDING_SET: return bounding_set(op->n[0]);
    case BH_CAPABILITIES: return capabilities(op);
    case BH_AMBIENT_SET: return ambient_set(op->n[0]);
    case BH_NO_NEW_PRIVILEGES: return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? errno : 0;
    case BH_SECCOMP: return seccomp(child, op);
    case BH_PERSONALITY: return syscall(SYS_personality, (unsigned)op->n[0]) < 0 ? errno : 0;
    case BH_SCHEDULER: return syscall(SYS_sched_setattr, 0, op->list, 0) < 0 ? errno : 0;
    case BH_IO_PRIORITY: return syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, (int)op->n[0]) < 0 ? errno : 0;
    case BH_MEMORY_POLICY: return syscall(SYS_set_mempolicy, (int)op->n[0], op->list, op->count) < 0 ? errno : 0;
    case BH_CPU_AFFINITY: return syscall(SYS_sched_setaffinity, 0, (size_t)op->count, op->list) < 0 ? errno : 0;
    case BH_DUPLICATE: return duplicate(child, first, (int)op->n[0]);
    case BH_CLOSE_FROM: return close_from((unsigned)op->n[0], op->list, op->count);
    case BH_HOOK: return bh_run_hook(child, op->list);
    case BH_FIND_EXECUTABLE: return find_executable(child, op);
    case BH_EXECUTE:
        execve(child->executable, (char *const *)op->list, (char *const *)op->list2);
        return errno;
    default: return ENOSYS;
    }
}
