#include "CConfinement.h"

void bh_name_as_firecracker(void) {
    char name[3 + 16] = "fc_";
    // What is too long is cut off.
    if (prctl(PR_GET_NAME, name + 3) == 0) prctl(PR_SET_NAME, name);
}
