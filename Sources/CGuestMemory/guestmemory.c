#define _GNU_SOURCE
#include "CGuestMemory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The call asks for a capability, the device for the right to open it.
static int make(void) {
    int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (faults >= 0 || errno != EPERM) return faults;
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device < 0) {
        errno = EPERM;
        return -1;
    }
    faults = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
    int error = errno;
    close(device);
    errno = error;
    return faults;
}

int bh_userfault_make(void) {
    int faults = make();
    if (faults < 0) return -1;
    // A balloon takes pages back: who answers faults has to hear of it.
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_EVENT_REMOVE};
    if (ioctl(faults, UFFDIO_API, &api) == 0) return faults;
    int error = errno;
    close(faults);
    errno = error;
    return -1;
}

int bh_userfault_register(int faults, void *start, size_t count) {
    struct uffdio_register range = {
        .range = {.start = (uint64_t)(uintptr_t)start, .len = count}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    return ioctl(faults, UFFDIO_REGISTER, &range);
}
