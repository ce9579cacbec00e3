// The loop to compare with: what a monitor in C does with an exit, and nothing else.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Nanoseconds of so many exits of the vCPU; their values are added to `sum`. -1 on an exit that should not be.
int64_t plain_exits(int vcpu, long count, uint64_t *sum);

int64_t plain_now(void);

// How often the program has asked for memory so far: this library's malloc counts.
long plain_allocations(void);
