// As CLinux has it: both modules show the same C library headers, and clang refuses two shapes of one struct.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
// And fd_set in the shape that Swift's own Glibc module has, as CLinux has it too.
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")
#include <sys/capability.h>
