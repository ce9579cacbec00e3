// What machines need of a compiler that optimises, that Swift does not give them.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { BH_PAGE_SIZE = 4096 };

// A checksum of each page: Fletcher's two sums of its 32-bit words, both exact, in one number. Every change of one word
// changes it, and every change of two bits. That of zeros is 0.
void bh_page_checksums(const void *pages, size_t count, uint64_t *sums);
