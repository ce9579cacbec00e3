// The system-call edge: what Swift's importer cannot see (variadic calls, `_IO*` macros, names behind
// _GNU_SOURCE) or glibc has no wrapper for. Every function returns what the system call returns and leaves
// errno alone otherwise. No policy lives here.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
// Swift's own Glibc module is built without _GNU_SOURCE, which changes the name of a field of fd_set. A file that
// imports both modules has to see one definition.
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// Numbers shared by every architecture since the unified table (5.x); older headers may lack the newest.
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#endif

static inline int bh_errno(void) { return errno; }

static inline int bh_socketpair(int kind, int ends[2]) { return socketpair(AF_UNIX, kind | SOCK_CLOEXEC, 0, ends); }
static inline int bh_sock_stream(void) { return SOCK_STREAM; }
static inline int bh_sock_seqpacket(void) { return SOCK_SEQPACKET; }
static inline int bh_sock_dgram(void) { return SOCK_DGRAM; }
static inline int bh_unix_socket(int kind) { return socket(AF_UNIX, kind | SOCK_CLOEXEC, 0); }
static inline int bh_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC); }
static inline int bh_eventfd(unsigned value) { return eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK); }
static inline int bh_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static inline int bh_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

// Two entries of a directory change places, or neither does; AT_FDCWD for the current one.
static inline int bh_exchange(int directory, const char *one, const char *other) {
    return (int)syscall(SYS_renameat2, directory, one, directory, other, 1u << 1 /* RENAME_EXCHANGE */);
}

static inline int bh_openat(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags, mode);
}

static inline int bh_pidfd_open(pid_t pid, unsigned flags) { return (int)syscall(SYS_pidfd_open, pid, flags); }

static inline int bh_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static inline int bh_pidfd_getfd(int pidfd, int target) { return (int)syscall(SYS_pidfd_getfd, pidfd, target, 0); }

// waitid(P_PIDFD): glibc's idtype_t does not import as an option set of known cases in every version.
static inline int bh_waitid_pidfd(int pidfd, siginfo_t *info, int options) {
    return (int)syscall(SYS_waitid, 3 /* P_PIDFD */, pidfd, info, options, NULL);
}

static inline int bh_siginfo_pid(const siginfo_t *info) { return info->si_pid; }
static inline int bh_siginfo_status(const siginfo_t *info) { return info->si_status; }
static inline int bh_siginfo_code(const siginfo_t *info) { return info->si_code; }

static inline int bh_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return prctl(option, a, b, c, d);
}

static inline int bh_ioctl(int descriptor, unsigned long request, unsigned long argument) {
    return ioctl(descriptor, request, argument);
}

static inline int bh_ioctl_pointer(int descriptor, unsigned long request, void *argument) {
    return ioctl(descriptor, request, argument);
}

// Swift takes neither a macro with a cast nor a variadic function.
static inline void (*bh_ignored(void))(int) { return SIG_IGN; }
static inline int bh_fcntl(int descriptor, int command, long argument) { return fcntl(descriptor, command, argument); }

static inline int bh_close_range(unsigned first, unsigned last, unsigned flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

static inline int bh_prlimit(pid_t pid, int resource, uint64_t soft, uint64_t hard) {
    uint64_t limit[2] = {soft, hard};
    return (int)syscall(SYS_prlimit64, pid, resource, limit, NULL);
}

static inline int bh_getrlimit(int resource, uint64_t *soft, uint64_t *hard) {
    uint64_t limit[2];
    int result = (int)syscall(SYS_prlimit64, 0, resource, NULL, limit);
    *soft = limit[0];
    *hard = limit[1];
    return result;
}
// <asm-generic/resource.h>. <sys/resource.h> with _GNU_SOURCE is another one than that of Swift's module Glibc, and who
// imports both could not use either.
enum { BH_RLIMIT_NOFILE = 7 };

static inline long bh_syscall0(long number) { return syscall(number); }
static inline long bh_syscall3(long number, long a, long b, long c) { return syscall(number, a, b, c); }
static inline long bh_syscall6(long number, long a, long b, long c, long d, long e, long f) {
    return syscall(number, a, b, c, d, e, f);
}

// GNU extensions of posix_spawn(3).
static inline int bh_spawn_close_from(posix_spawn_file_actions_t *actions, int first) {
    return posix_spawn_file_actions_addclosefrom_np(actions, first);
}
static inline short bh_spawn_setsid(void) { return POSIX_SPAWN_SETSID; }

// connect(2) or bind(2) of a Unix socket by path; ENAMETOOLONG for a path that an address cannot hold.
int bh_unix_connect(int socket, const char *path);
int bh_unix_bind(int socket, const char *path);
// To a name that is no path; unix(7), abstract.
int bh_unix_connect_abstract(int socket, const char *name);

enum { BH_MOST_SENT = 8 };
// Sends bytes with up to BH_MOST_SENT descriptors, and never raises SIGPIPE; receives bytes and up to one. CMSG_* are macros
// Swift does not import.
ssize_t bh_send_descriptors(int socket, const void *bytes, size_t count, const int *descriptors, size_t number);
ssize_t bh_receive_descriptor(int socket, void *bytes, size_t count, int *descriptor);

// "EPERM" and the like for a number, NULL for one glibc does not know.
static inline const char *bh_errno_name(int number) { return strerrorname_np(number); }
static inline const char *bh_errno_description(int number) { return strerrordesc_np(number); }
static inline const char *bh_signal_abbreviation(int number) { return sigabbrev_np(number); }
static inline int bh_sigrtmin(void) { return SIGRTMIN; }
static inline int bh_sigrtmax(void) { return SIGRTMAX; }
