// Runs a virtual machine and writes down what its guest says, with the time since the start: watch COMMAND...
//
// Guests speak in lines that begin with @. Two of them ask for more: `@memory` for what the monitor has resident besides
// the guest's memory, `@begin NAME` and `@end NAME COUNT` for the exits between them, from KVM's statistics in debugfs.
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GUEST_KIB 131072

static const char *const counters[] = {"exits", "io_exits", "mmio_exits", "halt_exits", "irq_injections"};
enum { COUNTERS = sizeof counters / sizeof *counters };

static struct timespec begin;
static pid_t child;

static double since_begin(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - begin.tv_sec) * 1e3 + (now.tv_nsec - begin.tv_nsec) / 1e6;
}

// Mappings as large as the guest's memory are the guest's memory.
static void memory(void) {
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/smaps", child);
    FILE *file = fopen(path, "r");
    if (!file) return;
    long size = 0, value, rss = 0, pss = 0, anonymous = 0, guest = 0;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "Size: %ld", &value) == 1) size = value;
        long *sum = NULL;
        if (sscanf(line, "Rss: %ld", &value) == 1) sum = size >= GUEST_KIB ? &guest : &rss;
        else if (size >= GUEST_KIB) continue;
        else if (sscanf(line, "Pss: %ld", &value) == 1) sum = &pss;
        else if (sscanf(line, "Anonymous: %ld", &value) == 1) sum = &anonymous;
        if (sum) *sum += value;
    }
    fclose(file);
    printf("memory %ld %ld %ld %ld\n", rss, pss, anonymous, guest);
}

static void statistics(long long *values) {
    memset(values, 0, COUNTERS * sizeof *values);
    DIR *folder = opendir("/sys/kernel/debug/kvm");
    if (!folder) return;
    char prefix[32];
    snprintf(prefix, sizeof prefix, "%d-", child);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
        for (int index = 0; index < COUNTERS; index++) {
            char path[600];
            snprintf(path, sizeof path, "/sys/kernel/debug/kvm/%s/%s", entry->d_name, counters[index]);
            FILE *file = fopen(path, "r");
            if (!file) continue;
            if (fscanf(file, "%lld", &values[index]) != 1) values[index] = 0;
            fclose(file);
        }
    }
    closedir(folder);
}

int main(int count, char **words) {
    if (count < 2) return 2;
    int ends[2];
    if (pipe(ends) == -1) return 1;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execvp(words[1], words + 1);
        perror(words[1]);
        _exit(127);
    }
    close(ends[1]);
    FILE *guest = fdopen(ends[0], "r");
    char line[4096];
    long long before[COUNTERS], after[COUNTERS];
    while (fgets(line, sizeof line, guest)) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] != '@') {
            if (line[0]) fprintf(stderr, "%s\n", line);
            continue;
        }
        printf("%.3f %s\n", since_begin(), line + 1);
        char name[64];
        long long operations;
        if (strcmp(line, "@memory") == 0) memory();
        if (sscanf(line, "@begin %63s", name) == 1) statistics(before);
        if (sscanf(line, "@end %63s %lld", name, &operations) == 2) {
            statistics(after);
            printf("exits %s %lld", name, operations);
            for (int index = 0; index < COUNTERS; index++) printf(" %lld", after[index] - before[index]);
            printf("\n");
        }
        fflush(stdout);
    }
    int status;
    waitpid(child, &status, 0);
    printf("%.3f ended %d\n", since_begin(), WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return 0;
}
