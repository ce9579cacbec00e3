// The system-call edge of the virtio devices: what Swift's importer cannot see.
#pragma once
#include "CLinux.h"
#include "CVirtioFiles.h"
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>

static inline int bh_uring_setup(unsigned entries, struct io_uring_params *parameters) {
    return (int)syscall(SYS_io_uring_setup, entries, parameters);
}
static inline int bh_uring_enter(int ring, unsigned submit, unsigned wait, unsigned flags) {
    return (int)syscall(SYS_io_uring_enter, ring, submit, wait, flags, NULL, 0);
}
// IORING_REGISTER_PROBE (8): which operations the kernel knows, one flag for each of the first `count`.
int bh_uring_probe(int ring, uint8_t *known, unsigned count);

// Lets a ring that was made disabled do these operations, without flags, and nothing else for good; and enables it.
int bh_uring_restrict(int ring, const uint8_t *operations, unsigned count);

// A submission of an operation on a file; the anonymous unions of the kernel's struct have many names.
static inline void bh_uring_prepare(
    struct io_uring_sqe *entry, uint8_t operation, int file, const void *address, uint32_t length, uint64_t offset,
    uint32_t flags, uint64_t user_data) {
    memset(entry, 0, sizeof *entry);
    entry->opcode = operation;
    entry->fd = file;
    entry->addr = (uint64_t)(uintptr_t)address;
    entry->len = length;
    entry->off = offset;
    entry->rw_flags = (int)flags;
    entry->user_data = user_data;
}

static inline int bh_timerfd(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); }
// Fires once after `nanoseconds`, and then each `interval`; 0 and 0 stop the timer.
static inline int bh_timerfd_set(int timer, uint64_t nanoseconds, uint64_t interval) {
    struct itimerspec when = {
        .it_value = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)},
        .it_interval = {(time_t)(interval / 1000000000), (long)(interval % 1000000000)},
    };
    return timerfd_settime(timer, 0, &when, NULL);
}
static inline uint64_t bh_monotonic(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// The size of a block device in bytes, -1 where there is none.
static inline int64_t bh_block_device_size(int descriptor) {
    uint64_t size;
    return ioctl(descriptor, BLKGETSIZE64, &size) < 0 ? -1 : (int64_t)size;
}

static inline int bh_shut_write(void) { return SHUT_WR; }
static inline int bh_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

static inline int bh_set_blocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK);
}

// writev(2) that never raises SIGPIPE: a closed pipe or socket is EPIPE and nothing else.
ssize_t bh_write_quietly(int descriptor, const struct iovec *vectors, int count);
// The same for sockets alone, in one call.
static inline ssize_t bh_send_quietly(int socket, const struct iovec *vectors, int count) {
    struct msghdr message = {.msg_iov = (struct iovec *)vectors, .msg_iovlen = (size_t)count};
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Receives bytes. Descriptors that come along are not opened; `came` says that there were some.
ssize_t bh_receive_bare(int socket, void *bytes, size_t count, int *came);
// How long a blocking send or receive waits before it fails with EAGAIN.
int bh_set_socket_timeout(int socket, unsigned milliseconds);
static inline int bh_shut_both(int socket) { return shutdown(socket, SHUT_RDWR); }

// Joins a tap device, which is made where it does not exist; `name` has room for 16 bytes and receives the name.
int bh_tap_join(int tun, char *name, int multiple_queues);
// The interface's flags, TUNGETIFF.
int bh_tap_flags(int tap);
int bh_tap_set_header_size(int tap, int size);
int bh_tap_set_offload(int tap, unsigned flags);
// Attaches or detaches one queue of a tap of several.
int bh_tap_set_queue(int tap, int attached);

enum {
    BH_RWF_DSYNC = 2,
    BH_RWF_NOWAIT = 8,
    BH_TUN_F_CSUM = 1,
    BH_TUN_F_TSO4 = 2,
    BH_TUN_F_TSO6 = 4,
    BH_TUN_F_TSO_ECN = 8,
    BH_TUN_F_UFO = 16,
};
