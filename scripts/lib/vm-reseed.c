// What a guest does after a restore whose kernel has no driver for the generation id, as Debian's cloud kernel has none:
// bytes that no twin has go into the kernel's pool, and its random numbers begin anew. They come from the monitor, which
// has them from the host: `reseed </dev/hwrng`.
#include <linux/random.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(void) {
    struct {
        int bits, size;
        char bytes[32];
    } more = {.bits = 8 * sizeof more.bytes, .size = sizeof more.bytes};
    size_t have = 0;
    while (have < sizeof more.bytes) {
        ssize_t count = read(0, more.bytes + have, sizeof more.bytes - have);
        if (count <= 0) return 1;
        have += count;
    }
    int pool = open("/dev/urandom", O_WRONLY);
    if (ioctl(pool, RNDADDENTROPY, &more) == -1 || ioctl(pool, RNDRESEEDCRNG) == -1) {
        perror("reseed");
        return 1;
    }
    return 0;
}
