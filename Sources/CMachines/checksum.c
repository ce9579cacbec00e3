#include "CMachines.h"

#include <string.h>

void bh_page_checksums(const void *pages, size_t count, uint64_t *sums) {
    // Twice an odd number: a word that differs by d, and is in the second sum n times, changes the result by
    // d * (1 + n * factor), which is no multiple of 2^64 as what is in brackets is odd.
    const uint64_t factor = 0x3c6ef372fe94f82a;
    const unsigned char *place = pages;
    for (size_t page = 0; page < count; page++) {
        uint64_t first = 0, second = 0;
        for (const unsigned char *end = place + BH_PAGE_SIZE; place < end; place += sizeof(uint64_t)) {
            uint64_t words;
            memcpy(&words, place, sizeof words);
            first += (uint32_t)words;
            second += first;
            first += words >> 32;
            second += first;
        }
        sums[page] = first + second * factor;
    }
}
