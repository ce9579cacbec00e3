#include "interpreter.h"
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

struct clone_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal;
    uint64_t stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int report(struct bh_child *child, uint32_t kind, int error, int value, int descriptor) {
    struct bh_report message = {.kind = kind, .operation = child->current, .error = error, .value = value};
    const struct bh_operation *op = &child->plan->operations[child->current];
    size_t used = 0;
    if (kind == BH_FAILED && op->label) {
        // A separator that no label holds: the reader tells the label from the kernel's words.
        used = strnlen(op->label, sizeof message.text - 2);
        memcpy(message.text, op->label, used);
        message.text[used++] = '\n';
    }
    if (kind == BH_FAILED) {
        size_t length = strnlen(child->text, sizeof message.text - used - 1);
        memcpy(message.text + used, child->text, length);
    }
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = &message, .iov_len = sizeof message};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    if (descriptor >= 0) {
        header.msg_control = control.space;
        header.msg_controllen = sizeof control.space;
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    }
    ssize_t sent;
    do sent = sendmsg(child->channel, &header, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

static int synchronize(struct bh_child *child, uint64_t point, int descriptor) {
    int failure = report(child, BH_REACHED, 0, (int)point, descriptor);
    if (failure) return failure;
    char answer;
    ssize_t got;
    do got = read(child->channel, &answer, 1);
    while (got < 0 && errno == EINTR);
    // The parent is gone, and with it whoever would clean up after this process.
    if (got == 0) _exit(1);
    return got < 0 ? errno : 0;
}

static int await_start(struct bh_child *child, int listener) {
    // The creator knows that all is ready when it reads this; it does not answer, it may be gone by then.
    int failure = report(child, BH_REACHED, 0, -1, -1);
    if (failure) return failure;
    close(child->channel);
    child->channel = -1;
    for (;;) {
        int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            return errno;
        }
        char word;
        ssize_t got;
        do got = read(peer, &word, 1);
        while (got < 0 && errno == EINTR);
        // Zero: nobody will start this process any more.
        if (got == 1 && word == 0) _exit(1);
        // One that connects and leaves without a word did not start anything.
        if (got == 1) {
            child->channel = peer;
            close(listener);
            return 0;
        }
        close(peer);
    }
}

static int run_operation(struct bh_child *child, const struct bh_operation *op) {
    // Whatever else is done may have put something else in its place.
    if (op->code != BH_MAKE_NODE && op->code != BH_MAKE_LINK) bh_forget_parent(child);
    switch ((enum bh_code)op->code) {
    case BH_SYNCHRONIZE: return synchronize(child, op->n[0], bh_descriptor(child, op->fd));
    case BH_AWAIT_START: return await_start(child, bh_descriptor(child, op->fd));
    case BH_TERMINAL: return bh_run_terminal(child, op);
    case BH_PROPAGATION:
    case BH_OPEN:
    case BH_CLONE_TREE:
    case BH_MOUNT_ATTRIBUTES:
    case BH_ATTACH:
    case BH_ATTACH_AT_PATH:
    case BH_FILE_SYSTEM:
    case BH_RECONFIGURE:
    case BH_PATH_ATTRIBUTES:
    case BH_MASK:
    case BH_READ_ONLY:
    case BH_COPY_UP:
    case BH_MAKE_NODE:
    case BH_MAKE_LINK:
    case BH_MAKE_DIRECTORY:
    case BH_PIVOT_ROOT:
    case BH_MOVE_ROOT: return bh_run_mount(child, op);
    default: return bh_run_process(child, op);
    }
}

#ifdef BULKHEAD_FAULTS
int bh_has_faults(void) { return 1; }

// Returns the errno to fail with, or 0.
static int fault_before(const struct bh_plan *plan, uint32_t index) {
    if (plan->fault_kind == BH_FAULT_FAIL && plan->fault_operation == index) return plan->fault_error;
    return 0;
}

// A process of a new pid namespace cannot signal its parent: the parent is asked to end itself, and waited for.
static void fault_after(struct bh_child *child, uint32_t index) {
    const struct bh_plan *plan = child->plan;
    if (plan->fault_kind != BH_FAULT_KILL_PARENT || plan->fault_operation != index) return;
    if (report(child, BH_DIE, 0, 0, -1) != 0) return;
    struct pollfd channel = {.fd = child->channel};
    while (poll(&channel, 1, -1) < 0 && errno == EINTR) {}
}
#else
int bh_has_faults(void) { return 0; }
static int fault_before(const struct bh_plan *plan, uint32_t index) { return 0; }
static void fault_after(struct bh_child *child, uint32_t index) {}
#endif

// What the parent holds is not for the child to hold open: a lock, or the end of another child's channel, which would
// then never come to its end.
static void close_unneeded(const struct bh_plan *plan) {
    if (plan->close_first < 0) return;
    unsigned next = (unsigned)plan->close_first;
    for (uint32_t i = 0; i < plan->kept_count; i++) {
        unsigned kept = (unsigned)plan->kept[i];
        if (kept < next) continue;
        if (kept > next) syscall(SYS_close_range, next, kept - 1, 0);
        next = kept + 1;
    }
    syscall(SYS_close_range, next, ~0U, 0);
}

static _Noreturn void run_child(const struct bh_plan *plan, int wait_first) {
    struct bh_child child = {.plan = plan, .channel = plan->channel, .empty = -1, .null = -1, .parent = -1};
    for (int i = 0; i < BH_SLOTS; i++) child.slots[i] = -1;
    close(plan->parent_channel);
    close_unneeded(plan);
    if (plan->trace) plan->trace->start = now();

    // A process that a container can see must not be looked into before it is the container's own program. Only
    // while an unprivileged parent writes its id maps does it have to be dumpable, and then nobody else is there.
    int maps_awaited = wait_first && plan->clone_flags & CLONE_NEWUSER;
    if (!maps_awaited) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    // From here on files are made with exactly the mode that an operation names.
    umask(0);
    // Handlers are gone by CLONE_CLEAR_SIGHAND, ignored signals are not: the program starts with neither.
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(SIGPIPE, &standard, NULL);
    sigaction(SIGCHLD, &standard, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);

    if (wait_first && synchronize(&child, BH_POINT_FIRST, -1) != 0) _exit(1);
    if (maps_awaited) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    for (uint32_t i = 0; i < plan->count; i++) {
        child.current = i;
        const struct bh_operation *op = &plan->operations[i];
        int failure = fault_before(plan, i);
        if (!failure) {
            if (op->code == BH_EXECUTE && plan->trace) plan->trace->finished[i] = now();
            failure = run_operation(&child, op);
        }
        if (failure) {
            report(&child, BH_FAILED, failure, child.value, -1);
            _exit(1);
        }
        if (plan->trace) plan->trace->finished[i] = now();
        fault_after(&child, i);
    }
    // A plan that does not end in an execve has done its work.
    _exit(0);
}

// Clones; runs the plan in the child. In the parent: the pid, or -1 and errno.
static long clone_child(const struct bh_plan *plan, uint64_t extra, int exit_signal, struct bh_launched *launched) {
    struct clone_arguments arguments = {
        .flags = plan->clone_flags | CLONE_PIDFD | CLONE_CLEAR_SIGHAND | extra,
        .pidfd = (uintptr_t)&launched->pidfd,
        .exit_signal = (uint64_t)exit_signal,
    };
    launched->cgroup_refused = 0;
    if (plan->cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)plan->cgroup;
    }
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid < 0 && plan->cgroup >= 0 && errno != EAGAIN && errno != ENOMEM && errno != ENOSPC && errno != EUSERS) {
        // Refused: the cgroup's owner is another user namespace's, or the kernel does not know the flag.
        int refusal = errno;
        arguments.flags &= ~CLONE_INTO_CGROUP;
        arguments.cgroup = 0;
        pid = syscall(SYS_clone3, &arguments, sizeof arguments);
        if (pid >= 0) launched->cgroup_refused = refusal;
        if (pid == 0) run_child(plan, 1);
        return pid;
    }
    if (pid == 0) run_child(plan, plan->wait_first != 0);
    return pid;
}

struct stage {
    const struct bh_plan *plan;
    struct bh_launched *launched;
    int error;
};

// Runs in the parent's memory and descriptor table, which the parent does not touch meanwhile, in a process of its
// own: what it joins is inherited by the child, and never changes the caller.
static int run_stage(void *context) {
    struct stage *stage = context;
    const struct bh_plan *plan = stage->plan;
    for (uint32_t i = 0; i < plan->stage_count; i++) {
        if (syscall(SYS_setns, plan->stages[i].fd, plan->stages[i].flags) < 0) {
            stage->error = errno;
            stage->launched->failed_stage = (int)i;
            return 0;
        }
    }
    long pid = clone_child(plan, CLONE_PARENT, 0, stage->launched);
    if (pid < 0) stage->error = errno;
    else stage->launched->pid = (pid_t)pid;
    return 0;
}

static int launch_in_stage(const struct bh_plan *plan, struct bh_launched *launched) {
    struct stage stage = {.plan = plan, .launched = launched};
    char stack[32768] __attribute__((aligned(16)));
    int helper_pidfd = -1;
    int helper = clone(
        run_stage, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PIDFD | SIGCHLD, &stage,
        &helper_pidfd);
    if (helper < 0) return errno;
    siginfo_t info;
    while (syscall(SYS_waitid, 3 /* P_PIDFD */, helper_pidfd, &info, 4 /* WEXITED */, NULL) < 0 && errno == EINTR) {}
    close(helper_pidfd);
    return stage.error;
}

int bh_launch(const struct bh_plan *plan, struct bh_launched *launched) {
    *launched = (struct bh_launched){.pid = -1, .pidfd = -1, .failed_stage = -1};
    sigset_t all, before;
    sigfillset(&all);
    // A signal between clone and the clearing of handlers would run the parent's handler in the child.
    sigprocmask(SIG_SETMASK, &all, &before);
    int failure = 0;
    if (plan->stage_count > 0) {
        failure = launch_in_stage(plan, launched);
    } else {
        long pid = clone_child(plan, 0, SIGCHLD, launched);
        if (pid < 0) failure = errno;
        else launched->pid = (pid_t)pid;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return failure;
}
