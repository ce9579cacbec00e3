#include "CLinuxProbe.h"

#include <linux/kvm.h>
#include <sys/mman.h>
#include <time.h>

int bh_in_child(void (*body)(void *memory), void *memory, int milliseconds);

#if defined(__x86_64__)

// Guest memory: three pages of page tables, then the code.
enum { PML4 = 0, DIRECTORY_POINTERS = 0x1000, DIRECTORY = 0x2000, CODE = 0x3000, MEMORY = 0x4000, CPUID_ENTRIES = 256 };

struct area {
    struct bh_kvm_probe result;
    union {
        struct kvm_cpuid2 list;
        char room[sizeof(struct kvm_cpuid2) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2)];
    } cpuid;
};

static void stop(struct area *area, enum bh_kvm_step step, int error) {
    area->result.step = step;
    area->result.error = error;
    _exit(0);
}

static void set_up_vcpu(struct area *area, int kvm, int vcpu) {
    area->cpuid.list.nent = CPUID_ENTRIES;
    if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, &area->cpuid.list) == -1 ||
        ioctl(vcpu, KVM_SET_CPUID2, &area->cpuid.list) == -1)
        stop(area, BH_KVM_REGISTERS, errno);
    struct kvm_sregs special;
    if (ioctl(vcpu, KVM_GET_SREGS, &special) == -1) stop(area, BH_KVM_REGISTERS, errno);
    const struct kvm_segment code = {
        .limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    const struct kvm_segment data = {
        .limit = 0xffffffff, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    special.cs = code;
    special.ds = special.es = special.fs = special.gs = special.ss = data;
    special.cr3 = PML4;
    special.cr4 = 1 << 5;             // PAE
    special.cr0 = 1u << 31 | 1 << 4 | 1;  // PG, ET, PE
    special.efer = 1 << 10 | 1 << 8;  // LMA, LME
    if (ioctl(vcpu, KVM_SET_SREGS, &special) == -1) stop(area, BH_KVM_REGISTERS, errno);
}

// Nanoseconds until the loop of so many rounds has halted, the least of five tries.
static double time_loop(struct area *area, int vcpu, struct kvm_run *run, uint64_t rounds) {
    double least = -1;
    for (int attempt = 0; attempt < 5; attempt++) {
        struct kvm_regs registers = {.rip = CODE, .rcx = rounds, .rsp = MEMORY, .rflags = 2};
        if (ioctl(vcpu, KVM_SET_REGS, &registers) == -1) stop(area, BH_KVM_REGISTERS, errno);
        struct timespec begin, end;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        int ran = ioctl(vcpu, KVM_RUN, 0);
        clock_gettime(CLOCK_MONOTONIC, &end);
        if (ran == -1) stop(area, BH_KVM_RUN, errno);
        if (run->exit_reason != KVM_EXIT_HLT) stop(area, BH_KVM_UNEXPECTED_EXIT, (int)run->exit_reason);
        double time = (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
        if (least < 0 || time < least) least = time;
        // A slow one needs no second opinion, and the caller has a deadline.
        if (time > 2e7) break;
    }
    return least;
}

static void run_machine(void *shared) {
    struct area *area = shared;
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm == -1) stop(area, BH_KVM_OPEN, errno);
    int version = ioctl(kvm, KVM_GET_API_VERSION, 0);
    if (version == -1) stop(area, BH_KVM_VERSION, errno);
    area->result.version = version;
    if (version != KVM_API_VERSION) stop(area, BH_KVM_VERSION, 0);
    int run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (run_size == -1) stop(area, BH_KVM_VERSION, errno);

    int machine;
    do machine = ioctl(kvm, KVM_CREATE_VM, 0);
    while (machine == -1 && errno == EINTR);
    if (machine == -1) stop(area, BH_KVM_CREATE_VM, errno);
    // Intel's processors need three pages of their own below 4 GiB; others ignore the call.
    ioctl(machine, KVM_SET_TSS_ADDR, 0xfffbd000);

    unsigned char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) stop(area, BH_KVM_MEMORY, errno);
    *(uint64_t *)(memory + PML4) = DIRECTORY_POINTERS | 3;
    *(uint64_t *)(memory + DIRECTORY_POINTERS) = DIRECTORY | 3;
    *(uint64_t *)(memory + DIRECTORY) = 0x83;  // the first 2 MiB as one page
    static const unsigned char code[] = {
        0x48, 0xff, 0xc9,  // again: dec rcx
        0x75, 0xfb,        // jnz again
        0xf4,              // hlt
    };
    memcpy(memory + CODE, code, sizeof code);
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY, .userspace_addr = (uintptr_t)memory};
    if (ioctl(machine, KVM_SET_USER_MEMORY_REGION, &region) == -1) stop(area, BH_KVM_MEMORY, errno);

    int vcpu = ioctl(machine, KVM_CREATE_VCPU, 0);
    if (vcpu == -1) stop(area, BH_KVM_CREATE_VCPU, errno);
    struct kvm_run *run = mmap(NULL, (size_t)run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED) stop(area, BH_KVM_CREATE_VCPU, errno);
    set_up_vcpu(area, kvm, vcpu);

    // The difference of two loops leaves entry and exit out. Where the processor is emulated as a whole these take
    // milliseconds, and only the long loop stands out from their noise; it is left out where it would take too long.
    const uint64_t few = 1, some = 1000, many = 20000;
    double entry = time_loop(area, vcpu, run, few);
    double instruction = (time_loop(area, vcpu, run, some) - entry) / (2.0 * (double)(some - few));
    if (instruction < 5000) instruction = (time_loop(area, vcpu, run, many) - entry) / (2.0 * (double)(many - few));
    area->result.instruction = instruction < 0 ? 0 : instruction;
    stop(area, BH_KVM_DONE, 0);
}

#else

struct area {
    struct bh_kvm_probe result;
};

// The loop is x86 code; elsewhere no software stands in for ring 0.
static void run_machine(void *shared) {
    struct area *area = shared;
    area->result.step = BH_KVM_OTHER_ARCHITECTURE;
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm == -1) {
        area->result.step = BH_KVM_OPEN;
        area->result.error = errno;
        return;
    }
    area->result.version = ioctl(kvm, KVM_GET_API_VERSION, 0);
}

#endif

struct bh_kvm_probe bh_probe_kvm(int milliseconds) {
    struct bh_kvm_probe result = {.step = BH_KVM_CHILD, .instruction = -1};
    struct area *area = mmap(NULL, sizeof *area, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) {
        result.error = errno;
        return result;
    }
    area->result = result;
    int error = bh_in_child(run_machine, area, milliseconds);
    result = area->result;
    if (error != 0) {
        // A measurement that was made before the time ran out still counts.
        result.step = result.instruction >= 0 ? BH_KVM_DONE : BH_KVM_CHILD;
        result.error = error;
    }
    munmap(area, sizeof *area);
    return result;
}
