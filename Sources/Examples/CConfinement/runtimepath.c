#include <stdlib.h>
#include <unistd.h>

// Swift's runtime looks for its own files before main, by way of /proc, and ends a program that has no /proc, as in a jail.
// The variable tells it to look elsewhere; it is for this process alone, and nothing is there.
__attribute__((constructor(101))) static void spare_the_search(void) {
    if (access("/proc/self/exe", F_OK) != 0) setenv("SWIFT_ROOT", "/", 0);
}
