#include "interpreter.h"
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

static int send_descriptor(int socket, int descriptor, const char *text) {
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)text, .iov_len = strlen(text)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof control.space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

// The container's side shows up as dev/console, mounted from its descriptor: a path could be exchanged meanwhile.
static int bind_console(int root, int terminal) {
    int place = bh_open_in_root(root, "/dev/console", BH_CREATE_FILE, 0600);
    if (place < 0) return errno;
    int mount = (int)syscall(SYS_open_tree, terminal, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    int failure = mount < 0 ? errno : 0;
    if (!failure &&
        syscall(SYS_move_mount, mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        failure = errno;
    if (mount >= 0) close(mount);
    close(place);
    return failure;
}

// fd: where the pty's master goes, fd2: the root in which dev/console appears, or -1.
int bh_run_terminal(struct bh_child *child, const struct bh_operation *op) {
    int receiver = bh_descriptor(child, op->fd);
    int root = bh_descriptor(child, op->fd2);
    int directory = root >= 0 ? root : AT_FDCWD;
    int master = root >= 0
        ? bh_openat2(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        : openat(directory, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0) return errno;
    int failure = 0;
    int terminal = -1;
    int unlock = 0;
    unsigned number = 0;
    struct stat status;
    // Whatever the root's dev/pts is, only a master of the kernel's own (5:2) is accepted.
    if (fstat(master, &status) < 0 || !S_ISCHR(status.st_mode) || status.st_rdev != makedev(5, 2)) failure = ENODEV;
    else if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0) failure = errno;
    else if ((terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) failure = errno;

    if (!failure && op->n[0]) {
        struct winsize size = {.ws_col = (unsigned short)op->n[0], .ws_row = (unsigned short)op->n[1]};
        if (ioctl(terminal, TIOCSWINSZ, &size) < 0) failure = errno;
    }
    if (!failure && root >= 0) failure = bind_console(root, terminal);
    if (!failure) failure = send_descriptor(receiver, master, "/dev/ptmx");
    if (!failure && setsid() < 0 && errno != EPERM) failure = errno;
    if (!failure && ioctl(terminal, TIOCSCTTY, 0) < 0) failure = errno;
    for (int i = 0; i < 3 && !failure; i++)
        if (dup3(terminal, i, 0) < 0) failure = errno;
    if (terminal > 2) close(terminal);
    close(master);
    return failure;
}
