#define _GNU_SOURCE
#include "Plain.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

int64_t plain_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

int64_t plain_exits(int vcpu, long count, uint64_t *sum) {
    // The run page, and the one behind it, which has the data of ports.
    const size_t page_size = 2 * 4096;
    struct kvm_run *run = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED) return -1;
    uint64_t all = 0;
    int64_t begin = plain_now();
    for (long i = 0; i < count; i++) {
        if (ioctl(vcpu, KVM_RUN, 0) == -1) return -1;
        switch (run->exit_reason) {
        case KVM_EXIT_IO: {
            uint8_t *data = (uint8_t *)run + run->io.data_offset;
            if (run->io.direction == KVM_EXIT_IO_OUT) all += *data;
            else *data = 7;
            break;
        }
        case KVM_EXIT_MMIO:
            if (run->mmio.is_write) all += *(uint32_t *)run->mmio.data;
            else *(uint32_t *)run->mmio.data = 7;
            break;
        default: return -1;
        }
    }
    int64_t time = plain_now() - begin;
    munmap(run, page_size);
    *sum += all;
    return time;
}

static long allocations;

// glibc's own, which a program may stand in front of.
extern void *__libc_malloc(size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __libc_malloc(size);
}

int posix_memalign(void **place, size_t alignment, size_t size) {
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    *place = __libc_memalign(alignment, size);
    return *place == NULL;
}

long plain_allocations(void) { return __atomic_load_n(&allocations, __ATOMIC_RELAXED); }
