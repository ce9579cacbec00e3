#include "CConfinement.h"
#include <signal.h>

void bh_ignore_broken_pipes(void) { signal(SIGPIPE, SIG_IGN); }

int bh_unread(int socket) {
    int bytes;
    return ioctl(socket, TIOCOUTQ, &bytes) == 0 ? bytes : -1;
}
