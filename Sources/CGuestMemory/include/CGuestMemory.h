// Accesses to memory that a running guest changes at any moment. Each function makes exactly one access of its width,
// which the optimiser may neither drop, nor repeat, nor join with another. Swift has no volatile access and its
// atomics want aligned addresses known to be atomics.
#pragma once
#include <stdint.h>
#include <string.h>

#define BH_GUEST_ACCESS(bits)                                                                                    \
    typedef uint##bits##_t __attribute__((aligned(1), may_alias)) bh_unaligned_##bits;                           \
    static inline uint##bits##_t bh_load_##bits(const void *address) {                                          \
        return *(const volatile bh_unaligned_##bits *)address;                                                   \
    }                                                                                                            \
    static inline void bh_store_##bits(void *address, uint##bits##_t value) {                                    \
        *(volatile bh_unaligned_##bits *)address = value;                                                        \
    }                                                                                                            \
    static inline uint##bits##_t bh_load_acquire_##bits(const void *address) {                                   \
        return __atomic_load_n((const uint##bits##_t *)address, __ATOMIC_ACQUIRE);                               \
    }                                                                                                            \
    static inline void bh_store_release_##bits(void *address, uint##bits##_t value) {                            \
        __atomic_store_n((uint##bits##_t *)address, value, __ATOMIC_RELEASE);                                    \
    }

BH_GUEST_ACCESS(8)
BH_GUEST_ACCESS(16)
BH_GUEST_ACCESS(32)
BH_GUEST_ACCESS(64)
#undef BH_GUEST_ACCESS

// Orders a store before a later load, as seen by the guest's processors.
static inline void bh_full_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

static inline void bh_fetch_or_32(void *address, uint32_t bits) {
    __atomic_fetch_or((uint32_t *)address, bits, __ATOMIC_ACQ_REL);
}
static inline void bh_fetch_and_32(void *address, uint32_t bits) {
    __atomic_fetch_and((uint32_t *)address, bits, __ATOMIC_ACQ_REL);
}
static inline uint64_t bh_fetch_or_64(uint64_t *address, uint64_t bits) {
    return __atomic_fetch_or(address, bits, __ATOMIC_RELAXED);
}
static inline uint64_t bh_fetch_and_64(uint64_t *address, uint64_t bits) {
    return __atomic_fetch_and(address, bits, __ATOMIC_RELAXED);
}
static inline uint64_t bh_exchange_64(uint64_t *address, uint64_t value) {
    return __atomic_exchange_n(address, value, __ATOMIC_ACQ_REL);
}

// The source or the target is guest memory: the barriers keep the compiler from moving the copy's parts across other
// accesses, or reading a byte twice.
static inline void bh_copy(void *to, const void *from, size_t count) {
    __asm__ volatile("" : : : "memory");
    memcpy(to, from, count);
    __asm__ volatile("" : : : "memory");
}
static inline void bh_fill(void *to, int byte, size_t count) {
    memset(to, byte, count);
    __asm__ volatile("" : : : "memory");
}

// mmap(2)'s page size choice is an expression with a shift, which Swift does not import.
enum { BH_MAP_HUGE_2MB = 21 << 26, BH_MFD_HUGE_2MB = 21 << 26 };

// userfaultfd(2): a descriptor by which another process fills in pages that are missing, and a range for it.
int bh_userfault_make(void);
int bh_userfault_register(int faults, void *start, size_t count);
