#include "CVirtio.h"

int bh_uring_probe(int ring, uint8_t *known, unsigned count) {
    _Alignas(struct io_uring_probe) uint8_t
        bytes[sizeof(struct io_uring_probe) + 256 * sizeof(struct io_uring_probe_op)] = {0};
    if (syscall(SYS_io_uring_register, ring, 8 /* IORING_REGISTER_PROBE */, bytes, 256) < 0) return -1;
    const struct io_uring_probe *probe = (const void *)bytes;
    for (unsigned i = 0; i < count; i++)
        known[i] = i < probe->ops_len && i < 256 && (probe->ops[i].flags & IO_URING_OP_SUPPORTED) != 0;
    return 0;
}

int bh_uring_restrict(int ring, const uint8_t *operations, unsigned count) {
    struct io_uring_restriction restrictions[16];
    if (count > sizeof restrictions / sizeof *restrictions) {
        errno = EINVAL;
        return -1;
    }
    memset(restrictions, 0, sizeof restrictions);
    for (unsigned i = 0; i < count; i++) {
        restrictions[i].opcode = IORING_RESTRICTION_SQE_OP;
        restrictions[i].sqe_op = operations[i];
    }
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_RESTRICTIONS, restrictions, count) < 0) return -1;
    return (int)syscall(SYS_io_uring_register, ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}
