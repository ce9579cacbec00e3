#include "CVirtio.h"
#include <signal.h>

ssize_t bh_write_quietly(int descriptor, const struct iovec *vectors, int count) {
    ssize_t written = bh_send_quietly(descriptor, vectors, count);
    if (written >= 0 || errno != ENOTSOCK) return written;
    // A pipe knows no MSG_NOSIGNAL: the signal is held back, and taken if it is ours.
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    int was_pending = sigismember(&pending, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    written = writev(descriptor, vectors, count);
    int error = errno;
    if (written < 0 && error == EPIPE && !was_pending) {
        struct timespec none = {0, 0};
        while (sigtimedwait(&pipe, NULL, &none) < 0 && errno == EINTR) {}
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return written;
}
