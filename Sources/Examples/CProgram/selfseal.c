// A container's program can make the kernel run the runtime's own binary (a link to /proc/self/exe as its entry point
// is enough) and then hold on to /proc/self/exe until the runtime is gone and the file may be written: CVE-2019-5736.
// So before a command that enters a container does anything, the runtime executes itself once more from a mount of its
// own file that is read-only, detached, and gone from every mount tree: whoever opens /proc/self/exe for writing
// later gets EROFS, whatever the rights of the file are. Nothing is copied.
//
// Where the linker is told to enter at bh_start, that happens before the C library's own start, which costs a quarter
// of a millisecond on a virtual machine (each CPUID leaves it) and would be thrown away. So nothing here may call the
// C library, not even for its thread-local errno.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "CProgram.h"
#include "quickstart.h"
#include <elf.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BH_ST_RDONLY 1

static long call(long number, long a, long b, long c, long d, long e) {
#if defined __x86_64__
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
#elif defined __aarch64__
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
#else
#error "sealing is not written for this architecture"
#endif
}

static int is_sealed = -1; // not known yet

int bh_is_sealed(void) {
    if (is_sealed < 0) {
        struct statfs status;
        is_sealed = call(SYS_statfs, (long)"/proc/self/exe", (long)&status, 0, 0, 0) == 0 &&
            status.f_flags & BH_ST_RDONLY;
    }
    return is_sealed;
}

static int equal(const char *one, const char *other) {
    while (*one && *one == *other) one++, other++;
    return *one == *other;
}

static int enters_a_container(char **argv) {
    if (!argv[0]) return 0;
    for (char **word = argv + 1; *word; word++)
        if (equal(*word, "create") || equal(*word, "run") || equal(*word, "exec")) return 1;
    return 0;
}

// Older kernels name a process that was executed by descriptor after the descriptor's number.
static void take_name(const char *path) {
    const char *name = path;
    for (const char *next = path; *next; next++)
        if (*next == '/') name = next + 1;
    call(SYS_prctl, PR_SET_NAME, (long)name, 0, 0, 0);
}

// Closing a detached mount waits for the kernel's other processors: that is for when there is nothing else to do.
static int seal_mount = -1;

void bh_release_seal(void) {
    if (seal_mount >= 0) call(SYS_close, seal_mount, 0, 0, 0, 0);
    seal_mount = -1;
}

// The descriptor by which this program was executed, out of the auxiliary vector's "/dev/fd/3"; -1 for a path.
static int executed_descriptor(char **environment) {
    while (*environment) environment++;
    for (const Elf64_auxv_t *entry = (const Elf64_auxv_t *)(environment + 1); entry->a_type != AT_NULL; entry++) {
        if (entry->a_type != AT_EXECFN) continue;
        const char *name = (const char *)entry->a_un.a_val;
        for (const char *prefix = "/dev/fd/"; *prefix; prefix++, name++)
            if (*name != *prefix) return -1;
        int number = 0;
        for (; *name >= '0' && *name <= '9' && number < 1 << 20; name++) number = number * 10 + *name - '0';
        return *name ? -1 : number;
    }
    return -1;
}

// The number is the caller's to use, so the mount moves to where nobody expects a descriptor; from 64 on the kernel would
// make its table larger.
static void keep_seal(int mount) {
    if (mount < 0) return;
    seal_mount = (int)call(SYS_fcntl, mount, F_DUPFD_CLOEXEC, 60, 0, 0);
    call(SYS_close, mount, 0, 0, 0, 0);
}

static int is_done;

// The stack as the kernel leaves it: the arguments' count, the arguments, NULL, the environment, NULL.
__attribute__((used, no_stack_protector)) static void seal(char **argv, char **environment) {
    if (is_done) return;
    is_done = 1;
    // An unprivileged caller may not, and need not: what runs in its containers has no more rights over the file.
    if (!enters_a_container(argv) || call(SYS_geteuid, 0, 0, 0, 0, 0) != 0) return;
    if (bh_is_sealed()) {
        take_name(argv[0]);
        keep_seal(executed_descriptor(environment));
        return;
    }
    // Open across the execution, for bh_release_seal.
    long file = call(SYS_open_tree, AT_FDCWD, (long)"/proc/self/exe", OPEN_TREE_CLONE, 0, 0);
    if (file < 0) return;
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    if (call(SYS_mount_setattr, file, (long)"", AT_EMPTY_PATH, (long)&attributes, sizeof attributes) == 0)
        call(SYS_execveat, file, (long)"", (long)argv, (long)environment, AT_EMPTY_PATH);
    call(SYS_close, file, 0, 0, 0, 0);
}

// For programs that are linked as ever.
__attribute__((constructor(101))) static void seal_late(int argc, char **argv, char **environment) {
    (void)argc;
    seal(argv, environment);
}

#if defined __x86_64__
__attribute__((used, no_stack_protector)) static void enter(long *stack) {
    char **argv = (char **)(stack + 1);
    seal(argv, argv + *stack + 1);
    bh_start_quickly(stack);
}

__asm__(".text\n"
        ".globl bh_start\n"
        ".type bh_start, @function\n"
        "bh_start:\n"
        "    endbr64\n"
        "    mov %rsp, %rbx\n"
        "    mov %rdx, %r12\n"
        "    mov %rsp, %rdi\n"
        "    xor %ebp, %ebp\n"
        "    and $-16, %rsp\n"
        "    call enter\n"
        "    mov %rbx, %rsp\n"
        "    mov %r12, %rdx\n"
        "    jmp _start\n");
#endif
