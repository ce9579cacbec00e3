#include "interpreter.h"
#include <sys/sendfile.h>
#include <sys/xattr.h>

#define DEEPEST 48

struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

static int copy_directory(int target, int source, int depth);

static int keep_owner(int target, const char *name, const struct stat *status) {
    if (fchownat(target, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0) return errno;
    // After the owner, which clears the set-id bits.
    if (!S_ISLNK(status->st_mode) && fchmodat(target, name, status->st_mode & 07777, 0) < 0) return errno;
    struct timespec times[2] = {status->st_atim, status->st_mtim};
    return utimensat(target, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? errno : 0;
}

static int copy_file(int target, int source, const char *name) {
    int from = openat(source, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (from < 0) return errno;
    int to = openat(target, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int failure = to < 0 ? errno : 0;
    while (!failure) {
        ssize_t sent = sendfile(to, from, NULL, 1 << 24);
        if (sent == 0) break;
        if (sent < 0 && errno != EINTR) failure = errno;
    }
    if (to >= 0) close(to);
    close(from);
    return failure;
}

static int copy_link(int target, int source, const char *name) {
    char text[4096];
    ssize_t length = readlinkat(source, name, text, sizeof text - 1);
    if (length < 0) return errno;
    text[length] = 0;
    return symlinkat(text, target, name) < 0 ? errno : 0;
}

static int copy_subdirectory(int target, int source, const char *name, int depth) {
    if (mkdirat(target, name, 0700) < 0) return errno;
    int from = openat(source, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0) return errno;
    int to = openat(target, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int failure = to < 0 ? errno : copy_directory(to, from, depth + 1);
    if (to >= 0) close(to);
    close(from);
    return failure;
}

static int copy_entry(int target, int source, const char *name, int depth) {
    struct stat status;
    if (fstatat(source, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return errno;
    int failure;
    switch (status.st_mode & S_IFMT) {
    case S_IFREG: failure = copy_file(target, source, name); break;
    case S_IFLNK: failure = copy_link(target, source, name); break;
    case S_IFDIR: failure = copy_subdirectory(target, source, name, depth); break;
    default: failure = mknodat(target, name, status.st_mode, status.st_rdev) < 0 ? errno : 0;
    }
    return failure ? failure : keep_owner(target, name, &status);
}

static int copy_directory(int target, int source, int depth) {
    if (depth > DEEPEST) return ELOOP;
    char buffer[2048] __attribute__((aligned(8)));
    for (;;) {
        long got = syscall(SYS_getdents64, source, buffer, sizeof buffer);
        if (got <= 0) return got < 0 ? errno : 0;
        for (long at = 0; at < got;) {
            struct entry *entry = (struct entry *)(buffer + at);
            at += entry->length;
            if (!strcmp(entry->name, ".") || !strcmp(entry->name, "..")) continue;
            int failure = copy_entry(target, source, entry->name, depth);
            if (failure) return failure;
        }
    }
}

int bh_copy_up(int target, int source) {
    // `target` came from fsmount and can't be read; its directory can.
    int directory = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return errno;
    int failure = copy_directory(directory, source, 0);
    struct stat status;
    if (!failure && fstat(source, &status) == 0) {
        if (fchown(directory, status.st_uid, status.st_gid) < 0 || fchmod(directory, status.st_mode & 07777) < 0)
            failure = errno;
    }
    close(directory);
    return failure;
}
