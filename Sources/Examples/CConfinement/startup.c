#define _GNU_SOURCE
#include "CConfinement.h"
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

// The linker's: the program's first byte, and the end of its code. Nothing between them is ever written to.
extern const char __executable_start[], etext[];

void bh_forget_start_up(void) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = (uintptr_t)__executable_start & -page, end = ((uintptr_t)etext + page - 1) & -page;
    madvise((void *)start, end - start, MADV_DONTNEED);
}
