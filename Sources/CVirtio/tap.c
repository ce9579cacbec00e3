#include "CVirtio.h"
#include <linux/if.h>
#include <linux/if_tun.h>

_Static_assert(BH_TUN_F_CSUM == TUN_F_CSUM && BH_TUN_F_TSO4 == TUN_F_TSO4 && BH_TUN_F_TSO6 == TUN_F_TSO6, "");
_Static_assert(BH_TUN_F_TSO_ECN == TUN_F_TSO_ECN && BH_TUN_F_UFO == TUN_F_UFO, "");

int bh_tap_join(int tun, char *name, int multiple_queues) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    size_t length = strnlen(name, IFNAMSIZ);
    if (length >= IFNAMSIZ) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(request.ifr_name, name, length);
    request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multiple_queues ? IFF_MULTI_QUEUE : 0));
    if (ioctl(tun, TUNSETIFF, &request) < 0) return -1;
    memcpy(name, request.ifr_name, IFNAMSIZ);
    return 0;
}

int bh_tap_flags(int tap) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (ioctl(tap, TUNGETIFF, &request) < 0) return -1;
    return (unsigned short)request.ifr_flags;
}

int bh_tap_set_header_size(int tap, int size) { return ioctl(tap, TUNSETVNETHDRSZ, &size); }

int bh_tap_set_offload(int tap, unsigned flags) { return ioctl(tap, TUNSETOFFLOAD, (unsigned long)flags); }

int bh_tap_set_queue(int tap, int attached) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    request.ifr_flags = attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
    return ioctl(tap, TUNSETQUEUE, &request);
}
