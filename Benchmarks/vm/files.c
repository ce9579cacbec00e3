// Requests to a shared directory, one after the other, in the guest.
//
//   files MODE SECONDS FOLDER     missing: look for a name that is not there; opens: open and close a file; creates:
//                                 make, rename, look at and remove one; lists: read a folder of 100 files and look at
//                                 each; reads, writes: 4 KiB somewhere in FOLDER/data, past the guest's cache
//
// Prints how many a second, and how many in all.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 16384, FILES = 100 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void drop(void) {
    int file = open("/proc/sys/vm/drop_caches", O_WRONLY);
    if (file < 0 || write(file, "2", 1) != 1) die("drop_caches");
    close(file);
}

int main(int argc, char **argv) {
    if (argc != 4 || chdir(argv[3]) != 0) die("files");
    const char *mode = argv[1];
    double seconds = atof(argv[2]), start, end;
    long count = 0;
    struct stat status;
    char name[64];
    void *block = NULL;
    int data = -1;
    srandom(1);
    if (!strcmp(mode, "reads") || !strcmp(mode, "writes")) {
        if (posix_memalign(&block, BLOCK, BLOCK) != 0) die("memory");
        memset(block, 'x', BLOCK);
        data = open("data", O_RDWR | O_DIRECT);
        if (data < 0) die("data");
    }
    if (!strcmp(mode, "lists")) {
        mkdir("many", 0755);
        for (int number = 0; number < FILES; number++) {
            snprintf(name, sizeof name, "many/%d", number);
            close(open(name, O_CREAT | O_WRONLY, 0644));
        }
    }
    start = now();
    do {
        if (!strcmp(mode, "missing")) {
            snprintf(name, sizeof name, "missing-%ld", count);
            if (stat(name, &status) == 0) die("a name that is not there");
            count++;
        } else if (!strcmp(mode, "opens")) {
            int file = open("data", O_RDONLY);
            if (file < 0) die("open");
            close(file);
            count++;
        } else if (!strcmp(mode, "creates")) {
            int file = open("new", O_CREAT | O_EXCL | O_WRONLY, 0644);
            if (file < 0) die("create");
            close(file);
            if (rename("new", "moved") != 0 || stat("moved", &status) != 0 || unlink("moved") != 0) die("rename");
            count++;
        } else if (!strcmp(mode, "lists")) {
            drop();
            DIR *folder = opendir("many");
            if (!folder) die("many");
            for (struct dirent *entry; (entry = readdir(folder));) {
                if (fstatat(dirfd(folder), entry->d_name, &status, 0) != 0) die("stat");
                count++;
            }
            closedir(folder);
        } else {
            off_t place = (off_t)(random() % BLOCKS) * BLOCK;
            ssize_t done = !strcmp(mode, "reads") ? pread(data, block, BLOCK, place) : pwrite(data, block, BLOCK, place);
            if (done != BLOCK) die("data");
            count++;
        }
        end = now();
    } while (end - start < seconds);
    printf("%.1f %ld\n", count / (end - start), count);
}
