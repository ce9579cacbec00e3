// The floor: what a container's life costs when nothing but the kernel works.
//
// The document that `runc spec` writes, hard-coded as system calls: no parser, no checks against a hostile root file
// system, no state but one small file. A runtime can't be faster than this without doing less, so `Benchmarks/run`
// measures every runtime against it. It is not a runtime: it trusts the bundle.
//
//   floor run   STATE-ROOT BUNDLE ID    create, start, wait and delete a container that runs /bin/true
//   floor start STATE-ROOT BUNDLE ID    create and start one that sleeps, and leave it
//   floor delete STATE-ROOT ID          kill it, wait until it is gone, remove what is left
//
// With FLOOR_DEVICES set it also loads and attaches the eBPF program that the document's device rule asks for.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const cgroup_root = "/sys/fs/cgroup";

static void fail(const char *what) {
    dprintf(2, "floor: %s: %s\n", what, strerror(errno));
    _exit(1);
}

#define must(call) \
    do { \
        if ((call) == -1) fail(#call); \
    } while (0)

static void make_directory(const char *path) {
    if (mkdir(path, 0755) == -1 && errno != EEXIST) fail(path);
}

static void device(const char *path, unsigned major_number, unsigned minor_number) {
    must(mknod(path, S_IFCHR | 0666, makedev(major_number, minor_number)));
}

static void file_systems(void) {
    const unsigned long quiet = MS_NOSUID | MS_NOEXEC | MS_NODEV;
    make_directory("proc");
    make_directory("dev");
    make_directory("sys");
    must(mount("proc", "proc", "proc", 0, NULL));
    must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
    make_directory("dev/pts");
    make_directory("dev/shm");
    make_directory("dev/mqueue");
    must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"));
    must(mount("shm", "dev/shm", "tmpfs", quiet, "mode=1777,size=65536k"));
    must(mount("mqueue", "dev/mqueue", "mqueue", quiet, NULL));
    must(mount("sysfs", "sys", "sysfs", quiet | MS_RDONLY, NULL));
    must(mount("cgroup", "sys/fs/cgroup", "cgroup2", quiet | MS_RELATIME | MS_RDONLY, NULL));
}

static void devices(void) {
    mode_t mask = umask(0);
    device("dev/null", 1, 3);
    device("dev/zero", 1, 5);
    device("dev/full", 1, 7);
    device("dev/random", 1, 8);
    device("dev/urandom", 1, 9);
    device("dev/tty", 5, 0);
    umask(mask);
    must(symlink("/proc/self/fd", "dev/fd"));
    must(symlink("/proc/self/fd/0", "dev/stdin"));
    must(symlink("/proc/self/fd/1", "dev/stdout"));
    must(symlink("/proc/self/fd/2", "dev/stderr"));
    must(symlink("/proc/kcore", "dev/core"));
    must(symlink("pts/ptmx", "dev/ptmx"));
}

static void hide(void) {
    static const char *const masked[] = {
        "/proc/acpi",        "/proc/asound",      "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
        "/proc/timer_list",  "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
    };
    static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
    for (size_t i = 0; i < sizeof masked / sizeof *masked; i++) {
        if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) == 0 || errno == ENOENT) continue;
        if (errno != ENOTDIR) fail(masked[i]);
        must(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL));
    }
    for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) {
        if (mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL) == -1) {
            if (errno == ENOENT) continue;
            fail(read_only[i]);
        }
        must(mount(NULL, read_only[i], NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_REC, NULL));
    }
}

static void enter_root(const char *rootfs) {
    must(mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL));
    must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL));
    must(chdir(rootfs));
    file_systems();
    devices();
    must((int)syscall(SYS_pivot_root, ".", "."));
    must(umount2(".", MNT_DETACH));
    must(chdir("/"));
    must(mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL));
    hide();
}

static void drop_privileges(void) {
    const uint64_t kept = 1ull << CAP_AUDIT_WRITE | 1ull << CAP_KILL | 1ull << CAP_NET_BIND_SERVICE;
    const struct rlimit files = {.rlim_cur = 1024, .rlim_max = 1024};
    must(setrlimit(RLIMIT_NOFILE, &files));
    for (int number = 0; number <= CAP_LAST_CAP; number++) {
        if (!(kept >> number & 1)) must(prctl(PR_CAPBSET_DROP, number, 0, 0, 0));
    }
    must(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    must(setgroups(0, NULL));
    must(setresgid(0, 0, 0));
    must(setresuid(0, 0, 0));
    must(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0));
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    // The document's ambient set names three capabilities that its inheritable set lacks, so runtimes skip it.
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)kept, .permitted = (uint32_t)kept},
        {.effective = (uint32_t)(kept >> 32), .permitted = (uint32_t)(kept >> 32)},
    };
    must((int)syscall(SYS_capset, &header, data));
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void child(const char *rootfs, int ready, int go, char *const *program) {
    // A process made by CLONE_NEWCGROUP would have its parent's cgroup as the namespace's root.
    must(unshare(CLONE_NEWCGROUP));
    must(setsid());
    must((int)syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, "_ses.floor"));
    must(sethostname("runc", 4));
    enter_root(rootfs);
    drop_privileges();

    char byte = 0;
    must((int)write(ready, &byte, 1));
    if (read(go, &byte, 1) != 1) _exit(1);
    must((int)syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */));
    static char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                        "TERM=xterm", NULL};
    execve(program[0], program, environment);
    fail("execve");
}

// Denies all but the devices that every container has: the rule of the document, as runtimes compile it.
static void device_rules(int cgroup) {
    const struct bpf_insn program[] = {
        {.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = 2, .src_reg = 1, .off = 4},  // major
        {.code = BPF_LDX | BPF_W | BPF_MEM, .dst_reg = 3, .src_reg = 1, .off = 8},  // minor
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 2, .off = 3, .imm = 1},      // null … urandom
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 2, .off = 2, .imm = 5},      // tty, console, ptmx
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = 2, .off = 1, .imm = 136},    // pts
        {.code = BPF_JMP | BPF_JA, .off = 2},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 1},
        {.code = BPF_JMP | BPF_EXIT},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr load = {
        .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
        .insns = (uintptr_t)program,
        .insn_cnt = sizeof program / sizeof *program,
        .license = (uintptr_t) "Apache-2.0",
    };
    int loaded = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
    must(loaded);
    union bpf_attr attach = {.target_fd = (uint32_t)cgroup,
                             .attach_bpf_fd = (uint32_t)loaded,
                             .attach_type = BPF_CGROUP_DEVICE,
                             .attach_flags = BPF_F_ALLOW_MULTI};
    must((int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach));
    close(loaded);
}

struct paths {
    char cgroup[512], state[512], file[600], temporary[600], rootfs[4200];
};

static void make_paths(struct paths *paths, const char *root, const char *bundle, const char *id) {
    snprintf(paths->cgroup, sizeof paths->cgroup, "%s/%s", cgroup_root, id);
    snprintf(paths->state, sizeof paths->state, "%s/%s", root, id);
    snprintf(paths->file, sizeof paths->file, "%s/state.json", paths->state);
    snprintf(paths->temporary, sizeof paths->temporary, "%s/.state.json", paths->state);
    snprintf(paths->rootfs, sizeof paths->rootfs, "%s/rootfs", bundle);
}

static void forget(const struct paths *paths) {
    while (rmdir(paths->cgroup) == -1) {
        if (errno != EBUSY) fail(paths->cgroup);
        usleep(50);
    }
    must(unlink(paths->file));
    must(rmdir(paths->state));
}

// Creates and starts the container; returns its process id, and a pidfd through the pointer.
static pid_t start(const struct paths *paths, char *const *program, const char *id, const char *bundle, int *pidfd) {
    must(mkdir(paths->state, 0700));
    must(mkdir(paths->cgroup, 0755));
    int cgroup = open(paths->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(cgroup);
    if (getenv("FLOOR_DEVICES")) device_rules(cgroup);

    int ready[2], go[2];
    must(pipe2(ready, O_CLOEXEC));
    must(pipe2(go, O_CLOEXEC));
    struct clone_args arguments = {
        .flags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_INTO_CGROUP |
                 CLONE_PIDFD,
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = (uint64_t)cgroup,
    };
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    must(pid);
    if (pid == 0) child(paths->rootfs, ready[1], go[0], program);
    close(ready[1]);
    close(go[0]);

    char byte = 0;
    if (read(ready[0], &byte, 1) != 1) {
        errno = ECHILD;
        fail("the child ended early");
    }
    int file = open(paths->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(file);
    dprintf(file, "{\"ociVersion\":\"1.0.2\",\"id\":\"%s\",\"pid\":%d,\"bundle\":\"%s\"}\n", id, pid, bundle);
    close(file);
    must(rename(paths->temporary, paths->file));

    must((int)write(go[1], &byte, 1));
    // The ready pipe closes with the exec.
    while (read(ready[0], &byte, 1) > 0) {}
    return pid;
}

static void delete(const struct paths *paths) {
    char text[8192] = "";
    int file = open(paths->file, O_RDONLY | O_CLOEXEC);
    must(file);
    must((int)read(file, text, sizeof text - 1));
    close(file);
    const char *number = strstr(text, "\"pid\":");
    if (!number) {
        errno = EINVAL;
        fail(paths->file);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, atoi(number + 6), 0);
    if (pidfd >= 0) {
        must((int)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0));
        struct pollfd entry = {.fd = pidfd, .events = POLLIN};
        poll(&entry, 1, 10000);
    }
    forget(paths);
}

int main(int count, char **words) {
    static char *const ends[] = {"/bin/true", NULL}, *const sleeps[] = {"/bin/sleep", "100000", NULL};
    struct paths paths;
    int pidfd = -1;
    if (count == 5 && strcmp(words[1], "run") == 0) {
        make_paths(&paths, words[2], words[3], words[4]);
        pid_t pid = start(&paths, ends, words[4], words[3], &pidfd);
        int status = 0;
        must(waitpid(pid, &status, 0));
        forget(&paths);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    if (count == 5 && strcmp(words[1], "start") == 0) {
        make_paths(&paths, words[2], words[3], words[4]);
        start(&paths, sleeps, words[4], words[3], &pidfd);
        return 0;
    }
    if (count == 4 && strcmp(words[1], "delete") == 0) {
        make_paths(&paths, words[2], "", words[3]);
        delete (&paths);
        return 0;
    }
    dprintf(2, "usage: floor run|start STATE-ROOT BUNDLE ID, floor delete STATE-ROOT ID\n");
    return 2;
}
