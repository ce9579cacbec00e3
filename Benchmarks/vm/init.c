// The guest's first program: says when it began, by the serial port itself, and then runs what the command line's
// `bench=` names.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

static void say(const char *text) {
    // Each byte is one exit of the guest; no driver has a say.
    for (; *text; text++) {
        while (!(inb(0x3fd) & 0x20)) {}
        outb(*text, 0x3f8);
    }
}

// Has the processor for itself for ever, and says each second how far it came.
static void busy(void) {
    volatile unsigned long work = 0;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (long second = now.tv_sec, before = 0;;) {
        for (int step = 0; step < 20000; step++) work++;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec == second) continue;
        char text[64];
        snprintf(text, sizeof text, "@busy %lu %ld\n", work - before, now.tv_sec - second);
        say(text);
        before = work;
        second = now.tv_sec;
    }
}

int main(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    iopl(3);
    char text[64];
    snprintf(text, sizeof text, "\n@init %lld\n", now.tv_sec * 1000000ll + now.tv_nsec / 1000);
    say(text);
    // What the kernel does not know among its parameters is in init's environment.
    const char *bench = getenv("bench");
    if (bench && strcmp(bench, "busy") == 0) busy();
    if (bench && strcmp(bench, "start") != 0) {
        mount("dev", "/dev", "devtmpfs", 0, NULL);
        int console = open("/dev/ttyS0", O_RDWR);
        for (int number = 0; number < 3; number++) dup2(console, number);
        execl("/bin/busybox", "sh", "/bench", bench, NULL);
        say("@failed to run the script\n");
    }
    reboot(RB_POWER_OFF);
    pause();
}
