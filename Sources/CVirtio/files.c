#include "CVirtioFiles.h"
#include <stdio.h>
#include <sys/sysmacros.h>

int bh_attributes(int directory, const char *name, struct bh_attributes *result) {
    struct statx raw;
    if (statx(
            directory, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_BTIME,
            &raw) != 0)
        return -1;
    *result = (struct bh_attributes){
        .device = makedev(raw.stx_dev_major, raw.stx_dev_minor),
        .inode = raw.stx_ino,
        .size = raw.stx_size,
        .blocks = raw.stx_blocks,
        .birth = raw.stx_mask & STATX_BTIME
                     ? (uint64_t)raw.stx_btime.tv_sec * 1000000000 + raw.stx_btime.tv_nsec
                     : 0,
        .accessed = raw.stx_atime.tv_sec,
        .modified = raw.stx_mtime.tv_sec,
        .changed = raw.stx_ctime.tv_sec,
        .accessed_part = raw.stx_atime.tv_nsec,
        .modified_part = raw.stx_mtime.tv_nsec,
        .changed_part = raw.stx_ctime.tv_nsec,
        .mode = raw.stx_mode,
        .links = raw.stx_nlink,
        .user = raw.stx_uid,
        .group = raw.stx_gid,
        .block_size = raw.stx_blksize,
        // As the kernel's 32-bit encoding has it: 12 bits of major between 8 and 12 of minor.
        .represented_device = (raw.stx_rdev_minor & 0xff) | (raw.stx_rdev_major & 0xfff) << 8
                              | (raw.stx_rdev_minor & ~0xffu) << 12,
    };
    return 0;
}

int bh_space(int descriptor, struct bh_space *result) {
    struct statfs raw;
    if (fstatfs(descriptor, &raw) != 0) return -1;
    *result = (struct bh_space){
        .blocks = raw.f_blocks,
        .free = raw.f_bfree,
        .available = raw.f_bavail,
        .files = raw.f_files,
        .free_files = raw.f_ffree,
        .block_size = (uint32_t)raw.f_bsize,
        .name_length = (uint32_t)raw.f_namelen,
        .fragment_size = (uint32_t)raw.f_frsize,
    };
    return 0;
}

// The link's name in /proc/self/fd.
struct link_name {
    char text[12];
};
static struct link_name link_name(int file) {
    struct link_name name;
    snprintf(name.text, sizeof name.text, "%d", file);
    return name;
}

int bh_reopen(int links, int file, int flags) {
    struct link_name name = link_name(file);
    return openat(links, name.text, flags | O_CLOEXEC | O_NOCTTY);
}

int bh_change_mode(int links, int file, mode_t mode) {
    struct link_name name = link_name(file);
    return fchmodat(links, name.text, mode, 0);
}

int bh_link(int links, int file, int directory, const char *name) {
    struct link_name old = link_name(file);
    return linkat(links, old.text, directory, name, AT_SYMLINK_FOLLOW);
}

int bh_set_times(
    int links, int file, int64_t accessed, uint32_t accessed_part, int64_t modified, uint32_t modified_part) {
    struct link_name name = link_name(file);
    struct timespec times[2] = {{accessed, accessed_part}, {modified, modified_part}};
    return utimensat(links, name.text, times, 0);
}

// These calls take no directory.
struct link_path {
    char text[32];
};
static struct link_path link_path(int file) {
    struct link_path path;
    snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", file);
    return path;
}

ssize_t bh_get_extended(int file, const char *name, void *value, size_t room) {
    struct link_path path = link_path(file);
    return getxattr(path.text, name, value, room);
}

ssize_t bh_list_extended(int file, char *list, size_t room) {
    struct link_path path = link_path(file);
    return listxattr(path.text, list, room);
}

int bh_set_extended(int file, const char *name, const void *value, size_t count, int flags) {
    struct link_path path = link_path(file);
    return setxattr(path.text, name, value, count, flags);
}

int bh_remove_extended(int file, const char *name) {
    struct link_path path = link_path(file);
    return removexattr(path.text, name);
}
