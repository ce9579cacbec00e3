#include "CLinux.h"
#include <stddef.h>
#include <sys/resource.h>

_Static_assert(BH_RLIMIT_NOFILE == RLIMIT_NOFILE, "");

static int unix_address(struct sockaddr_un *address, const char *path) {
    size_t length = strlen(path);
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (length >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address->sun_path, path, length);
    return 0;
}

int bh_unix_connect(int socket, const char *path) {
    struct sockaddr_un address;
    return unix_address(&address, path) < 0 ? -1 : connect(socket, (struct sockaddr *)&address, sizeof address);
}

int bh_unix_bind(int socket, const char *path) {
    struct sockaddr_un address;
    return unix_address(&address, path) < 0 ? -1 : bind(socket, (struct sockaddr *)&address, sizeof address);
}

int bh_unix_connect_abstract(int socket, const char *name) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    if (length >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    // All bytes of the address's length are part of the name, so that length is exact.
    memcpy(address.sun_path + 1, name, length);
    return connect(socket, (struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length));
}

ssize_t bh_send_descriptors(int socket, const void *bytes, size_t count, const int *descriptors, size_t number) {
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

ssize_t bh_receive_descriptor(int socket, void *bytes, size_t count, int *descriptor) {
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = bytes, .iov_len = count};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = sizeof control.space,
    };
    *descriptor = -1;
    ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (got < 0) return got;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        // Alignment leaves room for a second descriptor; a sender that uses it must not leave it open here.
        for (size_t used = CMSG_LEN(0); used + sizeof(int) <= header->cmsg_len; used += sizeof(int)) {
            int received;
            memcpy(&received, (const char *)header + used, sizeof received);
            if (*descriptor < 0)
                *descriptor = received;
            else
                close(received);
        }
    }
    return got;
}
