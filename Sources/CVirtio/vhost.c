#include "CVirtio.h"
#include <sys/time.h>

ssize_t bh_send_with(int socket, const void *bytes, size_t count, const int *descriptors, size_t number) {
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(BH_MOST_SENT * sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (number > BH_MOST_SENT) {
        errno = EINVAL;
        return -1;
    }
    if (number > 0) {
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(number * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(number * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, number * sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

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
