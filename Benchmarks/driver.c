// Spawns commands and says what each cost. Written in C and linked statically, for two reasons: nothing of an
// interpreter stands inside the measured interval, and the kernel counts the spawner's own peak memory as the
// child's until the exec, so the spawner has to be smaller than anything it measures.
//
// In, one command a line on descriptor 0: words separated by tabs. Out, one line each: wall time in nanoseconds, peak
// resident memory in KiB (of the process, or of a descendant that it waited for, whichever is greater), exit status
// (128 + n after signal n). The commands get /dev/null as their standard input and output, and the file named on the
// command line as standard error.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ll + time.tv_nsec;
}

int main(int count, char **arguments) {
    if (count != 2) {
        fputs("usage: driver STDERR-FILE\n", stderr);
        return 2;
    }
    // A driver whose master was killed must not live on.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, arguments[1], O_WRONLY | O_CREAT | O_APPEND, 0600);

    static char line[65536];
    static char *words[256];
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        size_t number = 0;
        for (char *word = strtok(line, "\t"); word && number < 255; word = strtok(NULL, "\t")) words[number++] = word;
        words[number] = NULL;
        if (number == 0) continue;

        pid_t pid;
        int status = 0;
        struct rusage usage = {0};
        long long begin = now();
        int error = posix_spawn(&pid, words[0], &actions, NULL, words, environ);
        if (error == 0) {
            while (wait4(pid, &status, 0, &usage) == -1 && errno == EINTR) {}
        }
        long long end = now();
        int code = error ? 127 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        printf("%lld %ld %d\n", end - begin, usage.ru_maxrss, code);
        fflush(stdout);
    }
    return 0;
}
