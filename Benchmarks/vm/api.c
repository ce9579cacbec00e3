// A client of Firecracker's API, which measures the monitor that it talks to.
//
//   api ready SOCKET COMMAND...     starts COMMAND, and says when SOCKET answers and what that took: the monitor's end follows
//   api get SOCKET PATH SECONDS     GETs over one connection, one after the other
//   api load SOCKET PID SECONDS N   N requests a second over eight connections, beside clients that hang, send half a
//                                   request, send 100 MB, or leave; and what became of the memory and descriptors of PID
//   api serve SOCKET                the floor: answers as a monitor would, from constants, and looks at nothing it need not
//
// Each prints a line of results: `@result NAME VALUE`.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double clock_of(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static double now(void) { return clock_of(CLOCK_MONOTONIC); }

static void fail(const char *what) {
    printf("@failed %s: %s\n", what, strerror(errno));
    exit(1);
}

static int dial(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int number = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(number, (struct sockaddr *)&address, sizeof address) == 0) return number;
    close(number);
    return -1;
}

// Sends a request and reads its answer: the status, or 0 where the connection ended.
static int ask(int connection, const char *request) {
    char answer[16384];
    size_t length = strlen(request), have = 0;
    if (send(connection, request, length, MSG_NOSIGNAL) != (ssize_t)length) return 0;
    for (;;) {
        ssize_t count = read(connection, answer + have, sizeof answer - 1 - have);
        if (count <= 0) return 0;
        have += count;
        answer[have] = 0;
        char *body = strstr(answer, "\r\n\r\n");
        if (!body) continue;
        char *header = strstr(answer, "Content-Length: ");
        size_t wanted = header && header < body ? strtoul(header + 16, NULL, 10) : 0;
        if (have >= (size_t)(body + 4 - answer) + wanted) return atoi(answer + 9);
    }
}

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double *times;
static size_t count;
static void note(double time) {
    if (count % 65536 == 0) times = realloc(times, (count + 65536) * sizeof *times);
    times[count++] = time;
}
static void say(const char *name) {
    if (!count) fail(name);
    qsort(times, count, sizeof *times, by_value);
    printf("@result %s %.1f\n@result %s-p99 %.1f\n", name, times[count / 2] * 1e6, name, times[count * 99 / 100] * 1e6);
}

static int ready(const char *path, char **command) {
    // One that looked again and again would slow down what it looks at, on a machine of one processor.
    char folder[108] = "", event[4096];
    strncpy(folder, path, sizeof folder - 1);
    char *slash = strrchr(folder, '/');
    strcpy(slash ? slash + 1 : folder, ".");
    int watch = inotify_init1(IN_CLOEXEC);
    if (inotify_add_watch(watch, folder, IN_CREATE) < 0) fail(folder);
    double begin = now();
    pid_t child = fork();
    if (child == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    int connection;
    struct pollfd created = {.fd = watch, .events = POLLIN};
    while ((connection = dial(path)) < 0) {
        if (now() - begin > 60) fail("the socket");
        // The socket is there a moment before it listens: nobody tells of that.
        if (errno == ECONNREFUSED) {
            struct timespec nap = {0, 200000};
            nanosleep(&nap, NULL);
        } else if (poll(&created, 1, 1000) == 1 && read(watch, event, sizeof event) < 0) fail(folder);
    }
    double wall = now() - begin;
    clockid_t clock;
    clock_getcpuclockid(child, &clock);
    // It is ready when it answers, whatever it has put off until then.
    if (ask(connection, "GET / HTTP/1.1\r\n\r\n") != 200) fail("the first answer");
    double cpu = clock_of(clock);
    printf("@result ready-cpu %.3f\n@result ready %.3f\n@result ready-first %.3f\n", cpu * 1e3, wall * 1e3, (now() - begin) * 1e3);
    close(connection);
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    return 0;
}

static int get(const char *path, const char *resource, double seconds) {
    char request[256];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n\r\n", resource);
    int connection = dial(path);
    if (connection < 0) fail("connect");
    for (double end = now() + seconds; now() < end;) {
        double begin = now();
        if (ask(connection, request) != 200) fail(resource);
        note(now() - begin);
    }
    say("get");
    return 0;
}

static long private_kib(int pid) {
    char path[64], line[256];
    long value, sum = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    if (!file) fail(path);
    // The guest's own memory is a shared mapping.
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "RssAnon: %ld", &value) == 1 || sscanf(line, "VmPTE: %ld", &value) == 1) sum += value;
    }
    fclose(file);
    return sum;
}

static long descriptors(int pid) {
    char path[64];
    long sum = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    if (!folder) fail(path);
    while (readdir(folder)) sum++;
    closedir(folder);
    return sum;
}

// One that misbehaves, in turn.
static void rude(const char *path, unsigned turn) {
    static int hung = -1;
    static char block[65536];
    int connection = dial(path);
    if (connection < 0) return;
    const char *half = "PUT /machine-config HTTP/1.1\r\nContent-Length: 100\r\n\r\n{\"vcpu";
    switch (turn % 4) {
    case 0: break;
    case 1:
        // It stays until the next one of its kind.
        send(connection, half, strlen(half), MSG_NOSIGNAL);
        if (hung >= 0) close(hung);
        hung = connection;
        return;
    case 2: {
        const char *large = "PUT /mmds HTTP/1.1\r\nContent-Length: 104857600\r\n\r\n";
        send(connection, large, strlen(large), MSG_NOSIGNAL);
        for (int index = 0; index < 1600; index++)
            if (send(connection, block, sizeof block, MSG_NOSIGNAL) <= 0) break;
        break;
    }
    case 3:
        // Leaves without its answer.
        send(connection, "GET /vm/config HTTP/1.1\r\n\r\n", 27, MSG_NOSIGNAL);
        break;
    }
    close(connection);
}

static int load(const char *path, int pid, double seconds, double rate) {
    enum { CONNECTIONS = 8 };
    static const struct { const char *text; int status; } requests[] = {
        {"GET / HTTP/1.1\r\n\r\n", 200},
        {"GET /vm/config HTTP/1.1\r\n\r\n", 200},
        {"GET /machine-config HTTP/1.1\r\n\r\n", 200},
        {"PUT /nothing HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400},
        {"PATCH /vm HTTP/1.1\r\nContent-Length: 7\r\n\r\n{\"a\":1}", 400},
    };
    int connections[CONNECTIONS];
    for (int index = 0; index < CONNECTIONS; index++)
        if ((connections[index] = dial(path)) < 0) fail("connect");
    for (int index = 0; index < 400; index++) {
        ask(connections[index % CONNECTIONS], requests[index % 5].text);
        if (index % 20 == 0) rude(path, index / 20);
    }
    long memory = private_kib(pid), open = descriptors(pid);
    double begin = now(), end = begin + seconds;
    unsigned long done = 0;
    unsigned turn = 0;
    while (now() < end) {
        double due = begin + done / rate, time = now();
        if (due > time) {
            struct timespec nap = {0, (long)((due - time) * 1e9)};
            nanosleep(&nap, NULL);
        }
        int which = done % CONNECTIONS, kind = done % 5;
        time = now();
        int status = ask(connections[which], requests[kind].text);
        if (status != requests[kind].status) {
            printf("@failed %d instead of %d\n", status, requests[kind].status);
            return 1;
        }
        note(now() - time);
        done++;
        if (done % 250 == 0) rude(path, turn++);
    }
    double took = now() - begin;
    for (int index = 0; index < 20; index++) ask(connections[index % CONNECTIONS], requests[0].text);
    printf("@result load-rate %.1f\n@result load-memory %ld\n@result load-descriptors %ld\n", done / took,
        private_kib(pid) - memory, descriptors(pid) - open);
    say("load");
    return 0;
}

static int serve(const char *path) {
    static const char good[] = "HTTP/1.1 200 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n"
        "Content-Type: application/json\r\nContent-Length: 126\r\n\r\n"
        "{\"cpu_template\":\"None\",\"huge_pages\":\"None\",\"mem_size_mib\":128,\"smt\":false,\"track_dirty_pages\":false,"
        "\"vcpu_count\":1,\"floor\":true}";
    static const char bad[] = "HTTP/1.1 400 \r\nServer: Firecracker API\r\nConnection: keep-alive\r\n"
        "Content-Type: application/json\r\nContent-Length: 26\r\n\r\n{\"fault_message\":\"floor.\"}";
    static char request[65536];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = door};
    if (bind(door, (struct sockaddr *)&address, sizeof address) < 0 || listen(door, 16) < 0) fail(path);
    epoll_ctl(waiting, EPOLL_CTL_ADD, door, &event);
    while (epoll_wait(waiting, &event, 1, -1) == 1) {
        int number = event.data.fd;
        if (number == door) {
            event.data.fd = accept4(door, NULL, NULL, SOCK_CLOEXEC);
            epoll_ctl(waiting, EPOLL_CTL_ADD, event.data.fd, &event);
            continue;
        }
        ssize_t length = read(number, request, sizeof request);
        int got = length > 4 && !memcmp(request, "GET ", 4);
        if (length > 0 && memmem(request, length, "\r\n\r\n", 4))
            send(number, got ? good : bad, got ? sizeof good - 1 : sizeof bad - 1, MSG_NOSIGNAL);
        else
            close(number);
    }
    return 0;
}

int main(int words, char **word) {
    if (words >= 4 && !strcmp(word[1], "ready")) return ready(word[2], word + 3);
    if (words == 5 && !strcmp(word[1], "get")) return get(word[2], word[3], atof(word[4]));
    if (words == 6 && !strcmp(word[1], "load")) return load(word[2], atoi(word[3]), atof(word[4]), atof(word[5]));
    if (words == 3 && !strcmp(word[1], "serve")) return serve(word[2]);
    fprintf(stderr, "usage: api ready|get|load|serve ...\n");
    return 2;
}
