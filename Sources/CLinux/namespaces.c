// <net/if.h> stays out of the header: it contradicts <linux/if.h>, which other shims may want.
#include "CLinuxNamespaces.h"
#include <net/if.h>

int bh_interface_up(int socket, const char *name) {
    struct ifreq request = {0};
    if (strlen(name) >= sizeof request.ifr_name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(request.ifr_name, name);
    if (ioctl(socket, SIOCGIFFLAGS, &request) < 0) return -1;
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    return ioctl(socket, SIOCSIFFLAGS, &request);
}
