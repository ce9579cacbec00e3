// What answers a call that a thread's seccomp filter forbids (SECCOMP_RET_TRAP), and the numbers that filters test; and what
// else this program has to say in C.
#pragma once
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

// The status of a process that made a forbidden call: 128 and some, as Firecracker has it.
enum { BH_VIOLATION_STATUS = 148 };

// Handles SIGSYS for the whole process: one line on standard error that names the call and the kind of thread, the
// terminal as it was found here, and the end with BH_VIOLATION_STATUS. All threads allocate from one heap from then on.
// 0 or the errno.
//
// `program` begins the line; up to 31 bytes of it.
int bh_confinement_begin(const char *program);

// What kind of thread the calling one is, for that line; kept, not copied.
void bh_confinement_name_thread(const char *kind);

// Puts "fc_" before the calling thread's name: by that Firecracker's clients find the threads of virtual processors.
void bh_name_as_firecracker(void);

// The program's words, NULL behind the last: Swift's CommandLine reads them from /proc, which a jail has not.
char *const *bh_monitor_arguments(void);

// Gives the pages of this program's code and constants back to the page cache: most of them have made the machine and are not
// needed to run it. Those that are come back by themselves. A host with many machines has more room for guests by it.
void bh_forget_start_up(void);

// A write to a pipe without a reader is an error like others from then on, and no end of the process.
void bh_ignore_broken_pipes(void);

// How many bytes a stream socket's other end has not read yet; unix(7). -1 where that can't be known.
int bh_unread(int socket);

// The requests of ioctl(2) that are macros of macros.
enum : unsigned long {
    BH_KVM_RUN = KVM_RUN,
    BH_KVM_GET_REGS = KVM_GET_REGS,
    BH_KVM_SET_REGS = KVM_SET_REGS,
    BH_KVM_GET_SREGS = KVM_GET_SREGS,
    BH_KVM_SET_SREGS = KVM_SET_SREGS,
    BH_KVM_GET_FPU = KVM_GET_FPU,
    BH_KVM_SET_FPU = KVM_SET_FPU,
    BH_KVM_GET_MSRS = KVM_GET_MSRS,
    BH_KVM_SET_MSRS = KVM_SET_MSRS,
    BH_KVM_GET_LAPIC = KVM_GET_LAPIC,
    BH_KVM_SET_LAPIC = KVM_SET_LAPIC,
    BH_KVM_GET_MP_STATE = KVM_GET_MP_STATE,
    BH_KVM_SET_MP_STATE = KVM_SET_MP_STATE,
    BH_KVM_GET_VCPU_EVENTS = KVM_GET_VCPU_EVENTS,
    BH_KVM_SET_VCPU_EVENTS = KVM_SET_VCPU_EVENTS,
    BH_KVM_GET_DEBUGREGS = KVM_GET_DEBUGREGS,
    BH_KVM_SET_DEBUGREGS = KVM_SET_DEBUGREGS,
    BH_KVM_GET_XSAVE = KVM_GET_XSAVE,
    BH_KVM_GET_XSAVE2 = KVM_GET_XSAVE2,
    BH_KVM_SET_XSAVE = KVM_SET_XSAVE,
    BH_KVM_GET_XCRS = KVM_GET_XCRS,
    BH_KVM_SET_XCRS = KVM_SET_XCRS,
    BH_KVM_GET_TSC_KHZ = KVM_GET_TSC_KHZ,
    BH_KVM_SET_TSC_KHZ = KVM_SET_TSC_KHZ,
    BH_KVM_GET_CPUID2 = KVM_GET_CPUID2,
    BH_KVM_SET_CPUID2 = KVM_SET_CPUID2,
    BH_KVM_KVMCLOCK_CTRL = KVM_KVMCLOCK_CTRL,
    BH_KVM_TRANSLATE = KVM_TRANSLATE,
    BH_KVM_SET_GUEST_DEBUG = KVM_SET_GUEST_DEBUG,
    BH_KVM_CREATE_VM = KVM_CREATE_VM,
    BH_KVM_CREATE_VCPU = KVM_CREATE_VCPU,
    BH_KVM_CHECK_EXTENSION = KVM_CHECK_EXTENSION,
    BH_KVM_GET_API_VERSION = KVM_GET_API_VERSION,
    BH_KVM_GET_VCPU_MMAP_SIZE = KVM_GET_VCPU_MMAP_SIZE,
    BH_KVM_GET_SUPPORTED_CPUID = KVM_GET_SUPPORTED_CPUID,
    BH_KVM_GET_MSR_INDEX_LIST = KVM_GET_MSR_INDEX_LIST,
    BH_KVM_ENABLE_CAP = KVM_ENABLE_CAP,
    BH_KVM_SET_TSS_ADDR = KVM_SET_TSS_ADDR,
    BH_KVM_SET_IDENTITY_MAP_ADDR = KVM_SET_IDENTITY_MAP_ADDR,
    BH_KVM_CREATE_IRQCHIP = KVM_CREATE_IRQCHIP,
    BH_KVM_GET_IRQCHIP = KVM_GET_IRQCHIP,
    BH_KVM_SET_IRQCHIP = KVM_SET_IRQCHIP,
    BH_KVM_CREATE_PIT2 = KVM_CREATE_PIT2,
    BH_KVM_GET_PIT2 = KVM_GET_PIT2,
    BH_KVM_SET_PIT2 = KVM_SET_PIT2,
    BH_KVM_GET_CLOCK = KVM_GET_CLOCK,
    BH_KVM_SET_CLOCK = KVM_SET_CLOCK,
    BH_KVM_SET_USER_MEMORY_REGION = KVM_SET_USER_MEMORY_REGION,
    BH_KVM_GET_DIRTY_LOG = KVM_GET_DIRTY_LOG,
    BH_KVM_IOEVENTFD = KVM_IOEVENTFD,
    BH_KVM_REGISTER_COALESCED_MMIO = KVM_REGISTER_COALESCED_MMIO,
    BH_KVM_UNREGISTER_COALESCED_MMIO = KVM_UNREGISTER_COALESCED_MMIO,
    BH_KVM_IRQFD = KVM_IRQFD,
    BH_KVM_IRQ_LINE = KVM_IRQ_LINE,
    BH_KVM_SET_GSI_ROUTING = KVM_SET_GSI_ROUTING,
    BH_TUNSETIFF = TUNSETIFF,
    BH_TUNGETIFF = TUNGETIFF,
    BH_TUNSETVNETHDRSZ = TUNSETVNETHDRSZ,
    BH_TUNSETOFFLOAD = TUNSETOFFLOAD,
    BH_TUNSETQUEUE = TUNSETQUEUE,
};
