// What a program is given at its start, and how it seals itself: see selfseal.c. Linking this target is enough for that.
#pragma once

// Whether this process was started from a read-only mount, as sealing makes it.
int bh_is_sealed(void);

// Lets go of what sealing has left open. That takes a while: best when there is to be waited anyway.
void bh_release_seal(void);

// The arguments, NULL after the last, and the environment. Embedded Swift has no CommandLine.
char **bh_program_arguments(void);
char **bh_program_environment(void);
