#include <stdlib.h>

// Swift's runtime, where it is linked in, looks for its own files before main, by way of /proc, and ends a program that has no
// /proc, as in a jail. The variable tells it to look elsewhere, and nothing is there.
__attribute__((constructor(101))) static void spare_the_search(void) { setenv("SWIFT_ROOT", "/", 0); }
