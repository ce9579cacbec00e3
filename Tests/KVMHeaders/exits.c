// What the kernel's own headers say of exits, read through their own macros. Names that those of the building machine lack are
// left out of the table; the tests say how many there have to be at least.
#include "KVMHeaders.h"

#include <linux/kvm.h>

static const struct kvm_header_row rows[] = {
    VALUE(KVM_EXIT_UNKNOWN),
    VALUE(KVM_EXIT_EXCEPTION),
    VALUE(KVM_EXIT_IO),
    VALUE(KVM_EXIT_HYPERCALL),
    VALUE(KVM_EXIT_DEBUG),
    VALUE(KVM_EXIT_HLT),
    VALUE(KVM_EXIT_MMIO),
    VALUE(KVM_EXIT_IRQ_WINDOW_OPEN),
    VALUE(KVM_EXIT_SHUTDOWN),
    VALUE(KVM_EXIT_FAIL_ENTRY),
    VALUE(KVM_EXIT_INTR),
    VALUE(KVM_EXIT_SET_TPR),
    VALUE(KVM_EXIT_TPR_ACCESS),
    VALUE(KVM_EXIT_S390_SIEIC),
    VALUE(KVM_EXIT_S390_RESET),
    VALUE(KVM_EXIT_DCR),
    VALUE(KVM_EXIT_NMI),
    VALUE(KVM_EXIT_INTERNAL_ERROR),
    VALUE(KVM_EXIT_OSI),
    VALUE(KVM_EXIT_PAPR_HCALL),
    VALUE(KVM_EXIT_S390_UCONTROL),
    VALUE(KVM_EXIT_WATCHDOG),
    VALUE(KVM_EXIT_S390_TSCH),
    VALUE(KVM_EXIT_EPR),
    VALUE(KVM_EXIT_SYSTEM_EVENT),
    VALUE(KVM_EXIT_S390_STSI),
    VALUE(KVM_EXIT_IOAPIC_EOI),
    VALUE(KVM_EXIT_HYPERV),
    VALUE(KVM_EXIT_ARM_NISV),
    VALUE(KVM_EXIT_X86_RDMSR),
    VALUE(KVM_EXIT_X86_WRMSR),
    VALUE(KVM_EXIT_DIRTY_RING_FULL),
    VALUE(KVM_EXIT_AP_RESET_HOLD),
    VALUE(KVM_EXIT_X86_BUS_LOCK),
    VALUE(KVM_EXIT_XEN),
    VALUE(KVM_EXIT_RISCV_SBI),
    VALUE(KVM_EXIT_RISCV_CSR),
    VALUE(KVM_EXIT_NOTIFY),
#ifdef KVM_EXIT_LOONGARCH_IOCSR
    VALUE(KVM_EXIT_LOONGARCH_IOCSR),
#endif
#ifdef KVM_EXIT_MEMORY_FAULT
    VALUE(KVM_EXIT_MEMORY_FAULT),
#endif
#ifdef KVM_EXIT_TDX
    VALUE(KVM_EXIT_TDX),
#endif
#ifdef KVM_EXIT_ARM_SEA
    VALUE(KVM_EXIT_ARM_SEA),
#endif
};

const struct kvm_header_table kvm_header_exits = {rows, sizeof rows / sizeof *rows};
