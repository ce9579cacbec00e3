// The start of a statically linked C library asks the processor for all that it is, to choose the fastest memcpy.
// On a virtual machine each question (CPUID) is answered by the host: three microseconds and more, about seventy times,
// which is a tenth of a container's whole start. This is the same start without the questions: every function gets
// its plain variant, which for what a runtime copies is as good.
//
// It calls what is private to the GNU C library, so it acts only in the version that it was written for, and there only
// where all of it was linked in. Everything else starts as ever.
#include "quickstart.h"

#if defined __x86_64__ && __has_include(<gnu/libc-version.h>)
#include <elf.h>
#include <gnu/libc-version.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define WEAK __attribute__((weak))

typedef void initializer(int, char **, char **);

extern int main(int, char **, char **) WEAK;
extern char **environ;
extern void *__libc_stack_end WEAK;
extern void *_dl_random WEAK;
extern void _dl_aux_init(Elf64_auxv_t *) WEAK;
extern void __tunables_init(char **) WEAK;
extern void __libc_setup_tls(void) WEAK;
extern void __libc_early_init(_Bool) WEAK;
extern void __libc_init_first(int, char **, char **) WEAK;
extern void _init(void) WEAK;
extern const Elf64_Rela __rela_iplt_start[] WEAK, __rela_iplt_end[] WEAK;
extern initializer *__preinit_array_start[] WEAK, *__preinit_array_end[] WEAK;
extern initializer *__init_array_start[] WEAK, *__init_array_end[] WEAK;
// From which size on memcpy(3) goes around the caches, and until where it uses the processor's own string copy.
extern long __x86_shared_non_temporal_threshold WEAK, __x86_rep_movsb_threshold WEAK, __x86_rep_stosb_threshold WEAK,
    __x86_rep_movsb_stop_threshold WEAK;

static int is_known(void) {
    const char *version = gnu_get_libc_version();
    return version[0] == '2' && version[1] == '.' && version[2] == '3' && version[3] == '6' && !version[4] &&
        main && &__libc_stack_end && &_dl_random && _dl_aux_init && __tunables_init && __libc_setup_tls &&
        __libc_early_init && __libc_init_first && _init && __rela_iplt_start != __rela_iplt_end &&
        &__x86_shared_non_temporal_threshold && &__x86_rep_movsb_threshold && &__x86_rep_stosb_threshold &&
        &__x86_rep_movsb_stop_threshold;
}

// A set-user-id program's start has more to care for.
static int is_secure(const Elf64_auxv_t *vector) {
    for (; vector->a_type != AT_NULL; vector++)
        if (vector->a_type == AT_SECURE) return vector->a_un.a_val != 0;
    return 1;
}

// Lets each function that has variants choose one, knowing nothing of the processor.
static int choose_variants(void) {
    for (const Elf64_Rela *entry = __rela_iplt_start; entry < __rela_iplt_end; entry++)
        if (ELF64_R_TYPE(entry->r_info) != R_X86_64_IRELATIVE) return 0;
    for (const Elf64_Rela *entry = __rela_iplt_start; entry < __rela_iplt_end; entry++)
        *(uintptr_t *)entry->r_offset = ((uintptr_t(*)(void))entry->r_addend)();
    // They were computed from what is not known; these are the library's own for a megabyte of cache.
    __x86_shared_non_temporal_threshold = __x86_rep_movsb_stop_threshold = 0xc0000;
    __x86_rep_movsb_threshold = __x86_rep_stosb_threshold = 2048;
    return 1;
}

// The kernel's random bytes guard the stack, with a zero that ends strings, and the pointers in jump buffers.
static void set_guards(void) {
    const uintptr_t *random = _dl_random;
    __asm__ volatile("mov %0, %%fs:0x28" ::"r"(random[0] & ~(uintptr_t)0xff));
    __asm__ volatile("mov %0, %%fs:0x30" ::"r"(random[1]));
}

__attribute__((no_stack_protector)) void bh_start_quickly(long *stack) {
    int count = (int)*stack;
    char **arguments = (char **)(stack + 1);
    char **variables = arguments + count + 1;
    char **end = variables;
    while (*end) end++;
    Elf64_auxv_t *vector = (Elf64_auxv_t *)(end + 1);
    if (!is_known() || is_secure(vector)) return;
    environ = variables;
    __libc_stack_end = stack;
    _dl_aux_init(vector);
    __tunables_init(environ);
    if (!choose_variants()) return;
    __libc_setup_tls();
    set_guards();
    __libc_early_init(1);
    __libc_init_first(count, arguments, environ);
    for (initializer **next = __preinit_array_start; next < __preinit_array_end; next++)
        (*next)(count, arguments, environ);
    _init();
    for (initializer **next = __init_array_start; next < __init_array_end; next++) (*next)(count, arguments, environ);
    exit(main(count, arguments, environ));
}
#else
void bh_start_quickly(long *stack) { (void)stack; }
#endif
