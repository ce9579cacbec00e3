// A kick stops a vCPU's run and is never lost. Three words take part: `immediate_exit` in the run page, which KVM reads
// after a run has begun and answers with EINTR; `thread`, which says where the vCPU runs; and `kicked`.
//
//   the kicker                         the vCPU's thread
//   K0 says what it wants              V1 thread = me, where it was another
//   K1 kicked = 1                      V2 KVM_RUN
//   K2 raises immediate_exit           V3 on EINTR: kicked = 0, takes immediate_exit down
//   K3 if it was down: signals         V4 looks at what is wanted
//      `thread`, if there is one
//
// If K3 finds no thread, V1 comes later in the one order of these stores, so V2 sees K2's flag. If it finds the thread,
// the signal interrupts the guest, or waits for V2 to begin, or comes before V2, which then sees the flag. A kick whose
// flag V3 takes down is not lost either: V3 read that flag, so V4 sees what K0 said.
//
// If K2 finds the flag up, either another kicker raised it, whose signal is on its way, or the vCPU's own thread did,
// outside of the guest: no second signal is needed. That is more than thrift. Real-time signals queue, and kickers that are
// faster than the thread's handler would keep it from ever running again; and the queue is limited, for all processes of
// a user together. Where others have used it up, a kicker tries again until there is room or the flag is down.
//
// `kicked` is for bh_kvm_complete alone, which uses the flag for itself and must know whether to leave it up.
#define _GNU_SOURCE
#include "CKVM.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static __thread int this_thread;

static void enter(struct bh_kvm_thread *state) {
    if (this_thread == 0) this_thread = (int)syscall(SYS_gettid);
    if (__atomic_load_n(&state->thread, __ATOMIC_RELAXED) != this_thread)
        __atomic_store_n(&state->thread, this_thread, __ATOMIC_SEQ_CST);
}

int bh_kvm_run(int vcpu, struct kvm_run *run, struct bh_kvm_thread *state) {
    enter(state);
    while (ioctl(vcpu, KVM_RUN, 0) == -1) {
        int error = errno;
        // The vCPU waited to be started and was: nothing of the guest has run yet.
        if (error == EAGAIN) continue;
        if (error == EINTR) {
            __atomic_exchange_n(&state->kicked, 0, __ATOMIC_SEQ_CST);
            __atomic_exchange_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
        }
        return error;
    }
    return 0;
}

int bh_kvm_complete(int vcpu, struct kvm_run *run, struct bh_kvm_thread *state) {
    enter(state);
    __atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    int error = ioctl(vcpu, KVM_RUN, 0) == -1 ? errno : 0;
    __atomic_exchange_n(&run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&state->kicked, __ATOMIC_SEQ_CST)) __atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
    return error;
}

void bh_kvm_kick(struct kvm_run *run, struct bh_kvm_thread *state, int signal) {
    int before = errno;
    __atomic_store_n(&state->kicked, 1, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST) == 0) {
        int thread = __atomic_load_n(&state->thread, __ATOMIC_SEQ_CST);
        // A thread that has ended does not answer, and nothing of it runs.
        while (thread != 0 && syscall(SYS_tgkill, getpid(), thread, signal) == -1 && errno == EAGAIN &&
               __atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST))
            sched_yield();
    }
    errno = before;
}

static void do_nothing(int signal) { (void)signal; }

int bh_kvm_install_handler(int signal) {
    struct sigaction present;
    if (sigaction(signal, NULL, &present) == -1) return errno;
    if (present.sa_handler == do_nothing) return 0;
    if (present.sa_handler != SIG_DFL) return EBUSY;
    // The thread's other calls go on after a kick. KVM_RUN is never restarted.
    struct sigaction ours = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    sigemptyset(&ours.sa_mask);
    return sigaction(signal, &ours, NULL) == -1 ? errno : 0;
}

int bh_kvm_unblock(int signal) {
    sigset_t set;
    sigemptyset(&set);
    if (sigaddset(&set, signal) == -1) return errno;
    return pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int bh_kvm_control(int descriptor, unsigned long request, void *argument) {
    return ioctl(descriptor, request, argument);
}

int bh_kvm_control_number(int descriptor, unsigned long request, unsigned long argument) {
    return ioctl(descriptor, request, argument);
}

long bh_kvm_page_size(void) { return sysconf(_SC_PAGESIZE); }

struct kvm_run *bh_kvm_map(int vcpu, size_t size) {
    void *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    return run == MAP_FAILED ? NULL : run;
}

void bh_kvm_unmap(struct kvm_run *run, size_t size) { munmap(run, size); }

void bh_kvm_request_exit(struct kvm_run *run, struct bh_kvm_thread *state) {
    __atomic_store_n(&state->kicked, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&run->immediate_exit, 1, __ATOMIC_SEQ_CST);
}

int bh_kvm_first_real_time_signal(void) { return SIGRTMIN; }

void *bh_kvm_allocate(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

void bh_kvm_free(void *memory, size_t size) { munmap(memory, size); }

uint64_t bh_kvm_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t bh_kvm_most_writes(void) {
    return (uint32_t)((bh_kvm_page_size() - sizeof(struct kvm_coalesced_mmio_ring)) / sizeof(struct kvm_coalesced_mmio));
}

struct kvm_coalesced_mmio *bh_kvm_first_write(struct kvm_coalesced_mmio_ring *ring) {
    // Acquire both: what the kernel stored before it moved the end, and what another thread did before it moved the start.
    uint32_t first = __atomic_load_n(&ring->first, __ATOMIC_ACQUIRE);
    uint32_t last = __atomic_load_n(&ring->last, __ATOMIC_ACQUIRE);
    if (first == last || first >= bh_kvm_most_writes()) return NULL;
    return &ring->coalesced_mmio[first];
}

void bh_kvm_drop_write(struct kvm_coalesced_mmio_ring *ring) {
    __atomic_store_n(&ring->first, (ring->first + 1) % bh_kvm_most_writes(), __ATOMIC_RELEASE);
}
