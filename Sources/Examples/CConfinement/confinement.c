#define _GNU_SOURCE
#include "CConfinement.h"
#include "names.h"

#include <errno.h>
#include <linux/audit.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

static char program[32];
static _Thread_local const char *kind = "unnamed";

// struct termios as the kernel has it is smaller on every architecture; glibc's is another one.
static char terminal[128];
static int has_terminal;

void bh_confinement_name_thread(const char *name) { kind = name; }

struct line {
    char text[256];
    size_t used;
};

static void add(struct line *line, const char *text) {
    while (*text && line->used < sizeof line->text - 1) line->text[line->used++] = *text++;
}

static void add_number(struct line *line, unsigned long value, unsigned base) {
    char digits[24];
    size_t at = sizeof digits;
    digits[--at] = 0;
    do digits[--at] = "0123456789abcdef"[value % base];
    while (value /= base);
    if (base == 16) add(line, "0x");
    add(line, digits + at);
}

static void add_arguments(struct line *line, const ucontext_t *context) {
#if defined(__x86_64__)
    const greg_t *registers = context->uc_mcontext.gregs;
    // The order of a call's arguments; syscall(2).
    const int order[] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        add(line, i ? ", " : "(");
        add_number(line, (unsigned long)registers[order[i]], 16);
    }
    add(line, ")");
#else
    (void)context;
#endif
}

// Runs in the thread that made the call, wherever that was: it holds locks, perhaps the allocator's. So nothing here but
// memory of its own and two or three calls, which every filter lets through.
static void end(int signal, siginfo_t *info, void *context) {
    if (info->si_code != 1 /* SYS_SECCOMP */) _exit(128 + signal);
    struct line line = {.used = 0};
    add(&line, program);
    add(&line, ": seccomp: the thread ");
    add(&line, kind);
    add(&line, " may not call ");
    const char *name = NULL;
#if defined(__x86_64__)
    if (info->si_arch == AUDIT_ARCH_X86_64) name = bh_call_name((unsigned)info->si_syscall);
#endif
    if (name) {
        add(&line, name);
    } else {
        add(&line, "number ");
        add_number(&line, (unsigned)info->si_syscall, 10);
        add(&line, " of architecture ");
        add_number(&line, info->si_arch, 16);
    }
    add_arguments(&line, context);
    line.text[line.used++] = '\n';
    if (has_terminal) ioctl(STDIN_FILENO, TCSETS, terminal);
    ssize_t ignored = write(STDERR_FILENO, line.text, line.used);
    (void)ignored;
    _exit(BH_VIOLATION_STATUS);
}

int bh_confinement_begin(const char *name) {
    strncpy(program, name, sizeof program - 1);
    // With heaps of their own, threads that give much memory back make glibc look into /proc whether it may take the
    // memory's promise back, too: open(2) in a thread that may open nothing.
    mallopt(M_ARENA_MAX, 1);
    has_terminal = ioctl(STDIN_FILENO, TCGETS, terminal) == 0;
    struct sigaction action = {.sa_sigaction = end, .sa_flags = SA_SIGINFO};
    sigfillset(&action.sa_mask);
    sigdelset(&action.sa_mask, SIGKILL);
    return sigaction(SIGSYS, &action, NULL) == 0 ? 0 : errno;
}
