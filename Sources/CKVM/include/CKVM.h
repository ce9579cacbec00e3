// What Swift's importer can't see of linux/kvm.h, and the one system call that must not be slow. Structures that are
// newer than Debian 12's headers are declared here under names of our own; a test compares them with the kernel's where
// its headers have them.
#pragma once
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>

// Linux 6.8, KVM_SET_USER_MEMORY_REGION2.
struct bh_kvm_memory_region2 {
    uint32_t slot;
    uint32_t flags;
    uint64_t guest_phys_addr;
    uint64_t memory_size;
    uint64_t userspace_addr;
    uint64_t guest_memfd_offset;
    uint32_t guest_memfd;
    uint32_t pad1;
    uint64_t pad2[14];
};

// Linux 6.8, KVM_CREATE_GUEST_MEMFD.
struct bh_kvm_create_guest_memfd {
    uint64_t size;
    uint64_t flags;
    uint64_t reserved[6];
};

// Linux 6.8, KVM_SET_MEMORY_ATTRIBUTES.
struct bh_kvm_memory_attributes {
    uint64_t address;
    uint64_t size;
    uint64_t attributes;
    uint64_t flags;
};

// The part of the run page that depends on the exit reason.
enum {
    BH_KVM_PAYLOAD_OFFSET = offsetof(struct kvm_run, padding),
    BH_KVM_PAYLOAD_SIZE = 256,
    BH_KVM_SYNC_OFFSET = offsetof(struct kvm_run, s),
};

// Which thread runs a vCPU, and whether somebody wants it to stop. The protocol is told in ckvm.c.
struct bh_kvm_thread {
    int thread;
    unsigned char kicked;
};

// KVM_RUN, again after EAGAIN. Returns 0 or the errno; after EINTR no kick is pending.
int bh_kvm_run(int vcpu, struct kvm_run *run, struct bh_kvm_thread *state);

// Lets KVM take up the answers to the last exit without running the guest: EINTR when it has, 0 when an instruction needs
// one more exit, or another errno.
int bh_kvm_complete(int vcpu, struct kvm_run *run, struct bh_kvm_thread *state);

// Makes the run that goes on, or the next one, return EINTR. Leaves errno alone.
void bh_kvm_kick(struct kvm_run *run, struct bh_kvm_thread *state, int signal);

// Gives the signal a handler that does nothing: 0 or the errno, EBUSY when it has another one.
int bh_kvm_install_handler(int signal);
int bh_kvm_unblock(int signal);

// ioctl(2), whose variable arguments Swift doesn't import.
int bh_kvm_control(int descriptor, unsigned long request, void *argument);
int bh_kvm_control_number(int descriptor, unsigned long request, unsigned long argument);

long bh_kvm_page_size(void);

// The run page of a vCPU: NULL with errno set when it can't be mapped.
struct kvm_run *bh_kvm_map(int vcpu, size_t size);
void bh_kvm_unmap(struct kvm_run *run, size_t size);

// Makes the next run return EINTR; for the thread that runs the vCPU.
void bh_kvm_request_exit(struct kvm_run *run, struct bh_kvm_thread *state);

// SIGRTMIN is not a constant: the C library keeps some for itself.
int bh_kvm_first_real_time_signal(void);

// Zeroed pages, NULL with errno set where there are none.
void *bh_kvm_allocate(size_t size);
void bh_kvm_free(void *memory, size_t size);

uint64_t bh_kvm_nanoseconds(void);

// The oldest write that KVM keeps, NULL when there is none, and its place given back: one thread at a time. And how many
// there can be.
struct kvm_coalesced_mmio *bh_kvm_first_write(struct kvm_coalesced_mmio_ring *ring);
void bh_kvm_drop_write(struct kvm_coalesced_mmio_ring *ring);
uint32_t bh_kvm_most_writes(void);
