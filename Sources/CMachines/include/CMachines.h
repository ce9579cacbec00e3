// What machines need of the kernel and the processor that Swift's importer does not see.
#pragma once

// Two files change places, or neither does; renameat2(2).
int bh_exchange_files(const char *one, const char *other);
