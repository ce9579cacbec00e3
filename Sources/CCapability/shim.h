// As CLinux has it: both modules show the same C library headers, and clang refuses two shapes of one struct.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <features.h>
#pragma push_macro("__USE_XOPEN")
#undef __USE_XOPEN
#include <sys/select.h>
#pragma pop_macro("__USE_XOPEN")
#include <sys/capability.h>
