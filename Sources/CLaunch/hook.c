#include "interpreter.h"
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static void run(const struct bh_hook *hook, int input, int failure_pipe) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    // One that takes too long is ended with all that it has started.
    setsid();
    if (dup3(input, 0, 0) >= 0) {
        syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
        execve(hook->path, (char *const *)hook->argv, (char *const *)hook->envp);
    }
    int error = errno;
    (void)!write(failure_pipe, &error, sizeof error);
    _exit(127);
}

static int64_t now_milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

// Feeds the hook its input and waits for it; a hook that does not read must not hold the container.
static int feed_and_wait(const struct bh_hook *hook, int process, int input) {
    int64_t deadline = hook->timeout_milliseconds >= 0 ? now_milliseconds() + hook->timeout_milliseconds : -1;
    uint32_t length = *hook->input_length;
    uint32_t sent = 0;
    struct pollfd watched[2] = {{.fd = process, .events = POLLIN}, {.fd = input, .events = POLLOUT}};
    for (;;) {
        if (sent == length && watched[1].fd >= 0) {
            close(input);
            watched[1].fd = -1;
        }
        int wait = -1;
        if (deadline >= 0) {
            int64_t left = deadline - now_milliseconds();
            wait = left < 0 ? 0 : left > 1 << 30 ? 1 << 30 : (int)left;
        }
        int ready = poll(watched, 2, wait);
        int failure = ready < 0 && errno != EINTR ? errno : ready == 0 ? ETIMEDOUT : 0;
        if (!failure && ready > 0 && watched[0].revents) {
            if (watched[1].fd >= 0) close(input);
            return 0;
        }
        if (!failure && ready > 0 && watched[1].fd >= 0 && watched[1].revents) {
            ssize_t written = write(input, hook->input + sent, length - sent);
            if (written > 0) sent += (uint32_t)written;
            else if (written < 0 && errno != EAGAIN && errno != EINTR) sent = length; // it closed its end: its right
        }
        if (failure) {
            if (watched[1].fd >= 0) close(input);
            return failure;
        }
    }
}

int bh_run_hook(struct bh_child *child, const struct bh_hook *hook) {
    int input[2], failed[2];
    if (pipe2(input, O_CLOEXEC) < 0) return errno;
    if (pipe2(failed, O_CLOEXEC) < 0) {
        int error = errno;
        close(input[0]);
        close(input[1]);
        return error;
    }
    fcntl(input[1], F_SETFL, O_NONBLOCK);
    int process = -1;
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal;
        uint64_t stack, stack_size, tls, set_tid, set_tid_size, cgroup;
    } arguments = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&process, .exit_signal = SIGCHLD};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) run(hook, input[0], failed[1]);
    int error = pid < 0 ? errno : 0;
    close(input[0]);
    close(failed[1]);
    if (error) {
        close(input[1]);
        close(failed[0]);
        return error;
    }
    // A hook that closes its standard input must not end this process by SIGPIPE. Set after the clone: execve would
    // hand it on.
    struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
    sigaction(SIGPIPE, &ignore, NULL);
    error = feed_and_wait(hook, process, input[1]);
    sigaction(SIGPIPE, &standard, NULL);
    if (error && kill(-(pid_t)pid, SIGKILL) < 0) kill((pid_t)pid, SIGKILL);
    int status = 0;
    while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR) {}
    int refused = 0;
    if (!error && read(failed[0], &refused, sizeof refused) == sizeof refused) error = refused;
    close(failed[0]);
    close(process);
    if (error) return error;
    child->value = status;
    // A hook that ran and said no is no errno of the kernel's: ECANCELED, with the status beside it.
    return status == 0 ? 0 : ECANCELED;
}
