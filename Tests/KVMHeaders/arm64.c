// The numbers that the Swift code for arm64 has, against the kernel's headers: there, this does not compile otherwise.
#if defined(__aarch64__)
#include <asm/ptrace.h>
#include <linux/kvm.h>
#include <stddef.h>

#define CORE(field) (KVM_REG_ARM64 | KVM_REG_SIZE_U64 | KVM_REG_ARM_CORE | KVM_REG_ARM_CORE_REG(field))
#define CHECK(condition) _Static_assert(condition, #condition)

CHECK(CORE(regs.regs[3]) == (0x6000000000000000|0x0030000000000000|0x100000|6));
CHECK(KVM_REG_ARM_CORE_REG(regs.sp) == 62);
CHECK(KVM_REG_ARM_CORE_REG(regs.pc) == 64);
CHECK(KVM_REG_ARM_CORE_REG(regs.pstate) == 66);
CHECK(KVM_REG_ARM_CORE_REG(sp_el1) == 68);
CHECK(KVM_REG_ARM_CORE_REG(elr_el1) == 70);
CHECK(KVM_REG_ARM_CORE_REG(spsr) == 72);
CHECK(KVM_REG_ARM_CORE_REG(fp_regs.vregs[1]) == 88);
CHECK(KVM_REG_ARM_CORE_REG(fp_regs.fpsr) == 212);
CHECK(KVM_REG_ARM_CORE_REG(fp_regs.fpcr) == 213);
CHECK(ARM64_SYS_REG(3,0,0,0,5) == (0x6030000000130000ull | 3<<14 | 5));
CHECK(KVM_REG_ARM_PSCI_VERSION == 0x6030000000140000ull);
CHECK(sizeof(struct kvm_vcpu_init) == 32);
CHECK(sizeof(struct kvm_vcpu_events) == 64);
CHECK(offsetof(struct kvm_vcpu_events, exception.serror_esr) == 8);
CHECK(sizeof(struct kvm_guest_debug) == 8+512);
CHECK(KVM_ARM_VCPU_INIT == (1u<<30|32<<16|0xae<<8|0xae));
CHECK(KVM_ARM_PREFERRED_TARGET == (2u<<30|32<<16|0xae<<8|0xaf));
CHECK(KVM_ARM_VCPU_FINALIZE == (1u<<30|4<<16|0xae<<8|0xc2));
CHECK(KVM_DEV_TYPE_ARM_VGIC_V2 == 5);
CHECK(KVM_DEV_TYPE_ARM_VGIC_V3 == 7);
CHECK(KVM_DEV_TYPE_ARM_VGIC_ITS == 8);
CHECK(KVM_DEV_ARM_VGIC_GRP_ADDR == 0);
CHECK(KVM_DEV_ARM_VGIC_GRP_NR_IRQS == 3);
CHECK(KVM_DEV_ARM_VGIC_GRP_CTRL == 4);
CHECK(KVM_DEV_ARM_VGIC_CTRL_INIT == 0);
CHECK(KVM_ARM_IRQ_TYPE_SPI == 1);
CHECK(KVM_ARM_IRQ_TYPE_PPI == 2);
CHECK(KVM_ARM_IRQ_TYPE_SHIFT == 24);
CHECK(KVM_ARM_IRQ_VCPU_SHIFT == 16);
CHECK(KVM_ARM_IRQ_VCPU2_SHIFT == 28);
CHECK(PSR_MODE_EL1h == 5);
CHECK((PSR_D_BIT|PSR_A_BIT|PSR_I_BIT|PSR_F_BIT|PSR_MODE_EL1h) == 0x3c5);
#endif
