// Linking this target seals the program: see selfseal.c. There is nothing to call.
#pragma once

// Whether this process was started from a read-only mount, as sealing makes it.
int bh_is_sealed(void);
