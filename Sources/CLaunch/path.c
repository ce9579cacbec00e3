#include "interpreter.h"
#include <limits.h>

#define RESOLVE (RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
#define MOST_LINKS 8

static int open_or_create(int root, char *path, uint64_t create, mode_t mode, int links);

// Cuts the last component off `path`, in place. What is left is the parent, "/" or "" for the root itself.
static char *cut_last(char *path) {
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/') path[--length] = 0;
    char *slash = strrchr(path, '/');
    if (!slash) return NULL;
    *slash = 0;
    return slash + 1;
}

static int create_entry(int parent, const char *name, uint64_t create, mode_t mode) {
    if (create == BH_CREATE_DIRECTORY) return mkdirat(parent, name, mode);
    int file = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, mode);
    if (file < 0) return -1;
    close(file);
    return 0;
}

// The entry exists, yet the path did not resolve: a link that dangles inside the root. What it names is created.
static int through_link(
    int root, int parent, const char *path, const char *name, uint64_t create, mode_t mode, int links) {
    char next[PATH_MAX];
    size_t used = 0;
    char link[PATH_MAX];
    ssize_t length = readlinkat(parent, name, link, sizeof link - 1);
    if (length < 0) return -1;
    link[length] = 0;
    if (links == 0) {
        errno = ELOOP;
        return -1;
    }
    if (link[0] != '/') {
        used = strlen(path);
        if (used + 1 >= sizeof next) goto too_long;
        memcpy(next, path, used);
    }
    next[used++] = '/';
    if (used + (size_t)length >= sizeof next) goto too_long;
    memcpy(next + used, link, (size_t)length + 1);
    return open_or_create(root, next, create, mode, links - 1);
too_long:
    errno = ENAMETOOLONG;
    return -1;
}

// `path` is a buffer of the caller's that this function may cut; it starts with a slash.
static int create_missing(int root, char *path, uint64_t create, mode_t mode, int links) {
    char *name = cut_last(path);
    if (!name || !*name || !strcmp(name, "..") || !strcmp(name, ".")) {
        errno = EINVAL;
        return -1;
    }
    int parent = open_or_create(root, path, BH_CREATE_DIRECTORY, 0755, links);
    // The recursion cut deeper into the buffer, but only before this point: `name` is intact, `path` is not.
    if (parent < 0) return -1;
    int result;
    if (create_entry(parent, name, create, mode) == 0) {
        result = bh_openat2(parent, name, O_PATH | O_NOFOLLOW, 0, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
    } else if (errno == EEXIST) {
        for (char *c = path; c < name - 1; c++)
            if (!*c) *c = '/';
        result = through_link(root, parent, path, name, create, mode, links);
    } else {
        result = -1;
    }
    int saved = errno;
    close(parent);
    errno = saved;
    return result;
}

// Likewise.
static int open_or_create(int root, char *path, uint64_t create, mode_t mode, int links) {
    int found = bh_openat2(root, path[0] ? path : "/", O_PATH, 0, RESOLVE);
    if (found >= 0 || errno != ENOENT || create == BH_CREATE_NOTHING) return found;
    return create_missing(root, path, create, mode, links);
}

static int with_leading_slash(char *buffer, size_t size, const char *path) {
    size_t length = strlen(path);
    if (length + 2 > size) {
        errno = ENAMETOOLONG;
        return -1;
    }
    buffer[0] = '/';
    memcpy(buffer + 1, path, length + 1);
    return 0;
}

int bh_open_in_root(int root, const char *path, uint64_t create, mode_t mode) {
    int found = bh_openat2(root, path, O_PATH, 0, RESOLVE);
    if (found >= 0 || errno != ENOENT || create == BH_CREATE_NOTHING) return found;
    char buffer[PATH_MAX];
    if (with_leading_slash(buffer, sizeof buffer, path) < 0) return -1;
    return create_missing(root, buffer, create, mode, MOST_LINKS);
}

static int open_parent(int root, const char *path) {
    int found = bh_openat2(root, path[0] ? path : "/", O_PATH | O_DIRECTORY, 0, RESOLVE);
    if (found >= 0 || errno != ENOENT) return found;
    char copy[PATH_MAX];
    if (strlen(path) >= sizeof copy) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(copy, path);
    return create_missing(root, copy, BH_CREATE_DIRECTORY, 0755, MOST_LINKS);
}

int bh_parent_in_root(
    struct bh_child *child, int root, const char *path, char *buffer, size_t size, const char **name) {
    if (with_leading_slash(buffer, size, path) < 0) return -1;
    char *last = cut_last(buffer);
    if (!last || !*last || !strcmp(last, "..") || !strcmp(last, ".")) {
        errno = EINVAL;
        return -1;
    }
    *name = last;
    if (child->parent >= 0 && child->parent_root == root && !strcmp(child->parent_path, buffer)) return child->parent;
    bh_forget_parent(child);
    child->parent = open_parent(root, buffer);
    child->parent_root = root;
    // One that is too long to be remembered is looked up again.
    if (strlen(buffer) < sizeof child->parent_path) strcpy(child->parent_path, buffer);
    else child->parent_root = -1;
    return child->parent;
}

void bh_forget_parent(struct bh_child *child) {
    if (child->parent >= 0) close(child->parent);
    child->parent = -1;
}
