// The system-call edge of signals that are read as data, and of terminals.
#pragma once
#include "CLinux.h"
#include <sys/signalfd.h>
#include <termios.h>

// Sets of signals cross as the kernel's own 64 bits, signal n at bit n - 1: glibc's sigset_t is 1,024 bits of which it
// hides two.
static inline int bh_signal_mask(int how, uint64_t set, uint64_t *before) {
    return (int)syscall(SYS_rt_sigprocmask, how, &set, before, sizeof set);
}

static inline int bh_signalfd(uint64_t set) {
    return (int)syscall(SYS_signalfd4, -1, &set, sizeof set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static inline int bh_window_size(int terminal, struct winsize *size) { return ioctl(terminal, TIOCGWINSZ, size); }
static inline int bh_set_window_size(int terminal, const struct winsize *size) {
    return ioctl(terminal, TIOCSWINSZ, size);
}
