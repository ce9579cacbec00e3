// Shared by the files of this target; not part of the module.
#pragma once

// Starts the C library and the program from the stack as the kernel leaves it, and does not return; or returns at once,
// where it can't be sure that it knows how.
void bh_start_quickly(long *stack);
