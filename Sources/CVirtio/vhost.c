#include "CVirtio.h"
#include <sys/time.h>

ssize_t bh_receive_bare(int socket, void *bytes, size_t count, int *came) {
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    // Without room for descriptors the kernel opens none here, and says that some were there.
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    *came = got >= 0 && (message.msg_flags & MSG_CTRUNC) != 0;
    return got;
}

int bh_set_socket_timeout(int socket, unsigned milliseconds) {
    struct timeval time = {.tv_sec = milliseconds / 1000, .tv_usec = (suseconds_t)(milliseconds % 1000) * 1000};
    if (setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) < 0) return -1;
    return setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}
