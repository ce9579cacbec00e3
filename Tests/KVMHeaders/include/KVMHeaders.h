// Tables of what linux/kvm.h says, to compare Swift's numbers with.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct kvm_header_row {
    const char *name;
    uint64_t value;
};

struct kvm_header_table {
    const struct kvm_header_row *rows;
    size_t count;
};

extern const struct kvm_header_table kvm_header_requests, kvm_header_structures, kvm_header_exits, kvm_header_capabilities;

#define VALUE(name) {#name, (uint64_t)(name)}
#define SIZE(type) {#type, sizeof(struct type)}
#define OFFSET(type, field) {#type "." #field, offsetof(struct type, field)}
