// What the FUSE server asks of the host's files: variadic calls, calls newer than glibc, and files reached through the
// links of /proc/self/fd.
#pragma once
#include "CLinux.h"
#include <sys/statfs.h>
#include <sys/xattr.h>

// What statx(2) says of a file. Times are seconds and nanoseconds.
struct bh_attributes {
    uint64_t device, inode, size, blocks, birth;
    int64_t accessed, modified, changed;
    uint32_t accessed_part, modified_part, changed_part;
    uint32_t mode, links, user, group, block_size, represented_device;
};

// Of `name` in a directory, or with an empty name of the open file itself. Follows no link, mounts nothing.
int bh_attributes(int directory, const char *name, struct bh_attributes *result);

struct bh_space {
    uint64_t blocks, free, available, files, free_files;
    uint32_t block_size, name_length, fragment_size;
};
int bh_space(int descriptor, struct bh_space *result);

static inline ssize_t bh_directory_entries(int directory, void *buffer, size_t room) {
    return syscall(SYS_getdents64, directory, buffer, room);
}
static inline int bh_rename(
    int from, const char *old_name, int to, const char *new_name, unsigned flags) {
    return (int)syscall(SYS_renameat2, from, old_name, to, new_name, flags);
}
static inline ssize_t bh_copy_range(int from, int64_t source, int to, int64_t target, size_t count) {
    off64_t in = source, out = target;
    return copy_file_range(from, &in, to, &out, count, 0);
}

// The following reach an open file, be it open as a place only (O_PATH), by its link in `links`, which is
// /proc/self/fd. The link leads to the file itself: it is followed, but no symbolic link is that stands there.
int bh_reopen(int links, int file, int flags);
int bh_change_mode(int links, int file, mode_t mode);
int bh_link(int links, int file, int directory, const char *name);
// Each time: seconds, and nanoseconds or UTIME_NOW or UTIME_OMIT.
int bh_set_times(
    int links, int file, int64_t accessed, uint32_t accessed_part, int64_t modified, uint32_t modified_part);
ssize_t bh_get_extended(int file, const char *name, void *value, size_t room);
ssize_t bh_list_extended(int file, char *list, size_t room);
int bh_set_extended(int file, const char *name, const void *value, size_t count, int flags);
int bh_remove_extended(int file, const char *name);

enum {
    BH_UTIME_NOW = (1 << 30) - 1,
    BH_UTIME_OMIT = (1 << 30) - 2,
    BH_RENAME_NOREPLACE = 1,
    BH_RENAME_EXCHANGE = 2,
};
