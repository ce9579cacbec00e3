// As CLinux has it: both modules show the same C library headers, and clang refuses two shapes of one struct.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <linux/filter.h>
#include <seccomp.h>
#include <stdlib.h>
