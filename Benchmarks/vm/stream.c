// Bytes through a stream socket, measured by the side that connects.
//
//   stream serve unix PATH | vsock PORT     answers until it is killed
//   stream MODE SECONDS PORT                in the guest: send, receive or pingpong with the host's PORT
//
// A connection begins with a byte that says the mode. The measuring side prints MB/s, or round trips a second.
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 65536, PING = 64 };
static char buffer[PIECE];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static int whole(int socket) {
    for (int done = 0; done < PING;) {
        ssize_t got = read(socket, buffer + done, PING - done);
        if (got <= 0) return 0;
        done += got;
    }
    return 1;
}

static void answer(int socket) {
    char mode;
    if (read(socket, &mode, 1) != 1) return;
    if (mode == 's') {
        while (read(socket, buffer, PIECE) > 0) {}
    } else if (mode == 'r') {
        while (write(socket, buffer, PIECE) > 0) {}
    } else {
        while (whole(socket) && write(socket, buffer, PING) == PING) {}
    }
}

static int serve(const char *family, const char *place) {
    int listener;
    if (strcmp(family, "unix") == 0) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        strncpy(address.sun_path, place, sizeof address.sun_path - 1);
        unlink(place);
        listener = socket(AF_UNIX, SOCK_STREAM, 0);
        if (bind(listener, (void *)&address, sizeof address) == -1) return perror("bind"), 1;
    } else {
        struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = atoi(place)};
        listener = socket(AF_VSOCK, SOCK_STREAM, 0);
        if (bind(listener, (void *)&address, sizeof address) == -1) return perror("bind"), 1;
    }
    if (listen(listener, 8) == -1) return perror("listen"), 1;
    for (;;) {
        int socket = accept(listener, NULL, NULL);
        if (socket == -1) return perror("accept"), 1;
        answer(socket);
        close(socket);
    }
}

int main(int count, char **words) {
    signal(SIGPIPE, SIG_IGN);
    if (count == 4 && strcmp(words[1], "serve") == 0) return serve(words[2], words[3]);
    if (count != 4) return 2;
    double seconds = atof(words[2]);
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = atoi(words[3])};
    int connection = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (connect(connection, (void *)&address, sizeof address) == -1) return perror("connect"), 1;
    char mode = words[1][0];
    if (write(connection, &mode, 1) != 1) return 1;
    double begin = now(), end = begin + seconds, sum = 0;
    while (now() < end) {
        ssize_t done = 0;
        if (mode == 's') done = write(connection, buffer, PIECE);
        else if (mode == 'r') done = read(connection, buffer, PIECE);
        else done = write(connection, buffer, PING) == PING && whole(connection) ? 1 : 0;
        if (done <= 0) return perror("stream"), 1;
        sum += done;
    }
    double time = now() - begin;
    printf("%.2f %.0f\n", mode == 'p' ? sum / time : sum / time / 1e6, mode == 'p' ? sum : sum / PIECE);
    return 0;
}
