// Questions to the kernel that leave no trace in the process that asks: calls with arguments that can't succeed, whose
// errno tells an unknown call from a refused one, and calls made in a child that is gone afterwards.
#pragma once
#include "CLinux.h"

// uname(2), without its struct: Swift's Glibc module has another idea of that than _GNU_SOURCE has. The texts are
// the calling thread's until its next call.
struct bh_kernel_names {
    const char *name, *release, *machine;
};
struct bh_kernel_names bh_kernel_names(void);

// The calls that can be asked for by a wrong argument.
enum bh_probe_call {
    BH_PROBE_CLONE3,
    BH_PROBE_CLONE_INTO_CGROUP,
    BH_PROBE_OPENAT2,
    BH_PROBE_PIDFD_OPEN,
    BH_PROBE_PIDFD_GETFD,
    BH_PROBE_CLOSE_RANGE,
    BH_PROBE_FSOPEN,
    BH_PROBE_FSCONFIG,
    BH_PROBE_FSMOUNT,
    BH_PROBE_MOVE_MOUNT,
    BH_PROBE_OPEN_TREE,
    BH_PROBE_MOUNT_SETATTR,
    BH_PROBE_IDMAPPED_MOUNT,
    BH_PROBE_IO_URING,
    BH_PROBE_USERFAULTFD,
    BH_PROBE_USERFAULTFD_USER_MODE,
};

// The errno that the call answers to an argument that no kernel accepts.
int bh_probe_call(enum bh_probe_call call);

// seccomp(2): the errno of installing no filter with these flags (EFAULT: known), of asking for an action (0: known),
// of asking for the sizes of user notifications (0: known).
int bh_probe_seccomp_flags(unsigned flags);
int bh_probe_seccomp_action(unsigned action);
int bh_probe_seccomp_notification(void);

// landlock_create_ruleset(2): the ABI's version, or minus the errno.
int bh_probe_landlock(void);

// lsm_list_modules(2): how many identifiers it wrote, or minus the errno.
int bh_probe_security_modules(uint64_t *identifiers, unsigned room);

// Loads a cgroup device program of two instructions and drops it: 0 or the errno.
int bh_probe_device_program(void);

enum { BH_PROBE_KINDS = 8 };

// Makes one namespace of each kind in a child, which then ends: errors[i] is 0 or the errno, in the order mnt, uts,
// ipc, pid, net, cgroup, time, user. With `unprivileged` the child gives up root first, and makes the user namespace
// first and the others inside it. Returns 0, or the errno that kept the child from answering.
int bh_probe_namespaces(int errors[BH_PROBE_KINDS], int unprivileged);

// Gives a new tmpfs, which no one sees, an id map: 0 or the errno.
int bh_probe_idmapped_tmpfs(void);

// How far a virtual machine of one page of code got.
enum bh_kvm_step {
    BH_KVM_DONE,
    BH_KVM_OPEN,
    BH_KVM_VERSION,
    BH_KVM_CREATE_VM,
    BH_KVM_MEMORY,
    BH_KVM_CREATE_VCPU,
    BH_KVM_REGISTERS,
    BH_KVM_RUN,
    BH_KVM_UNEXPECTED_EXIT,
    BH_KVM_OTHER_ARCHITECTURE,
    BH_KVM_CHILD,
};

struct bh_kvm_probe {
    enum bh_kvm_step step;     // the step that failed, or BH_KVM_DONE
    int error;                 // its errno; the exit reason for BH_KVM_UNEXPECTED_EXIT
    int version;               // KVM_GET_API_VERSION, 0 when it was not reached
    double instruction;        // nanoseconds an instruction of ring 0 took, below 0 when it was not measured
};

// Runs a loop in ring 0 of a virtual machine, in a child that has `milliseconds` for all of it.
struct bh_kvm_probe bh_probe_kvm(int milliseconds);
