// What the guest of vm-demo does with its vsock: `vsock PORT TEXT` answers whoever connects to PORT with what they said,
// says TEXT to the host's PORT meanwhile, and prints the host's answer.
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what) {
    perror(what);
    return 1;
}

static void echo(int socket) {
    char buffer[4096];
    ssize_t count;
    while ((count = read(socket, buffer, sizeof buffer)) > 0) {
        if (write(socket, buffer, count) != count) break;
    }
    close(socket);
}

int main(int count, char **words) {
    if (count != 3) return 2;
    struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = atoi(words[1])};
    int listener = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (listener == -1) return fail("socket");
    if (bind(listener, (void *)&address, sizeof address) == -1 || listen(listener, 4) == -1) return fail("listen");
    if (fork() == 0) {
        // Who waits for the end of what is printed does not wait for this.
        close(1);
        for (int peer; (peer = accept(listener, NULL, NULL)) != -1;) echo(peer);
        _exit(0);
    }
    address.svm_cid = VMADDR_CID_HOST;
    int host = socket(AF_VSOCK, SOCK_STREAM, 0);
    if (connect(host, (void *)&address, sizeof address) == -1) return fail("connect");
    if (write(host, words[2], strlen(words[2])) == -1) return fail("write");
    char answer[4096];
    ssize_t length = read(host, answer, sizeof answer - 1);
    if (length < 0) return fail("read");
    answer[length] = 0;
    puts(answer);
    return 0;
}
