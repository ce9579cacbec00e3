#define _GNU_SOURCE
#include "CProgram.h"
#include <unistd.h>

static char **arguments;

// glibc hands constructors what it hands main.
__attribute__((constructor(101))) static void keep(int argc, char **argv) {
    (void)argc;
    arguments = argv;
}

char **bh_program_arguments(void) { return arguments; }
char **bh_program_environment(void) { return environ; }
