#pragma once
#include <stddef.h>
#include <stdint.h>

// libFuzzer's entry point for a program that has a main of its own.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*one_input)(const uint8_t *data, size_t size));

#include <sys/syscall.h>
#include <unistd.h>

// A file in memory: memfd_create(2), which Swift's Glibc does not show.
static inline int fuzz_file(const char *name) { return (int)syscall(SYS_memfd_create, name, 0); }
