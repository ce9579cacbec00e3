// The child's side of a launch: a flat array of operations, run between clone3 and execve without allocation,
// locks, or any libc call that is not async-signal-safe. The parent builds the array; nothing in it changes after.
#pragma once
#include <stdint.h>

// One operation is one system call or one fixed sequence of them.
enum bh_code : uint16_t {
    BH_SYNCHRONIZE,         // n0: point; fd: slot whose descriptor goes along, or -1
    BH_AWAIT_START,         // fd: listening socket. The peer that connects becomes the channel for reports.
    BH_PARENT_DEATH_SIGNAL, // n0: signal, 0 clears
    BH_SETNS,               // fd: namespace or pidfd, n0: CLONE_NEW*
    BH_UNSHARE,             // n0: CLONE_NEW*
    BH_PROPAGATION,         // s0: path, n0: MS_* flags
    BH_OPEN,                // fd: directory, s0: path, n0: O_*, n1: RESOLVE_* -> slot
    BH_CLONE_TREE,          // fd: directory, s0: path, n0: recursive -> slot
    BH_MOUNT_ATTRIBUTES,    // fd: mount, n0: set, n1: clear, n2: propagation, n3: AT_RECURSIVE?, fd2: user namespace
    BH_ATTACH,              // fd: mount, fd2: root, s0: target, n0: enum bh_create, n1: mode
    BH_ATTACH_AT_PATH,      // fd: mount, s0: absolute path in the current root
    BH_FILE_SYSTEM,         // s0: type, s1: source or null, list: bh_option, n0: MOUNT_ATTR_* -> slot
    BH_RECONFIGURE,         // fd: root, s0: path, list: bh_option: change the superblock's own options
    BH_PATH_ATTRIBUTES,     // fd: root, s0: path, n0: set, n1: clear, n2: propagation, n3: AT_RECURSIVE?
    BH_MASK,                // fd: root, s0: path; absent is fine
    BH_READ_ONLY,           // fd: root, s0: path; absent is fine
    BH_COPY_UP,             // fd: mount to fill, fd2: root, s0: directory whose content is copied
    BH_MAKE_NODE,           // fd: root, s0: path, n0: mode with type, n1: device, n2: uid, n3: gid
    BH_MAKE_LINK,           // fd: root, s0: path of the link, s1: what it says
    BH_MAKE_DIRECTORY,      // fd: root, s0: path, n0: mode
    BH_PIVOT_ROOT,          // fd: new root
    BH_MOVE_ROOT,           // fd: new root: for an initramfs, which cannot be pivoted away
    BH_CHANGE_DIRECTORY,    // s0: path
    BH_HOSTNAME,            // s0
    BH_DOMAINNAME,          // s0
    BH_LOOPBACK_UP,
    BH_WRITE_FILE,          // fd: directory, s0: path beneath it, s1: text, n0: as the process's owner
    BH_TERMINAL,            // fd: socket that receives the pty, n0: columns, n1: rows, fd2: root or -1: bind on dev/console
    BH_SESSION,
    BH_SESSION_KEYRING,
    BH_RESOURCE_LIMIT,      // n0: resource, n1: soft, n2: hard
    BH_UMASK,               // n0
    BH_GROUPS,              // list: gid_t
    BH_USER,                // n0: uid, n1: gid
    BH_KEEP_CAPABILITIES,   // n0
    BH_BOUNDING_SET,        // n0: mask to keep
    BH_CAPABILITIES,        // n0: effective, n1: permitted, n2: inheritable
    BH_AMBIENT_SET,         // n0: mask
    BH_NO_NEW_PRIVILEGES,
    BH_SECCOMP,             // list: sock_filter, n0: SECCOMP_FILTER_FLAG_* -> slot if NEW_LISTENER
    BH_PERSONALITY,         // n0
    BH_SCHEDULER,           // list: one struct sched_attr, count in bytes
    BH_IO_PRIORITY,         // n0
    BH_MEMORY_POLICY,       // n0: mode, list: node mask as unsigned long, count in bits
    BH_CPU_AFFINITY,        // list: mask bytes
    BH_DUPLICATE,           // fd -> exactly n0
    BH_CLOSE_FROM,          // n0: first, list: int to keep, ascending
    BH_HOOK,                // list: bh_hook
    BH_FIND_EXECUTABLE,     // list: const char * candidates; n0: whether PATH was searched
    BH_EXECUTE,             // list: argv (null-terminated), list2: envp; the file that BH_FIND_EXECUTABLE found
};

enum bh_create : uint64_t { BH_CREATE_NOTHING = 0, BH_CREATE_DIRECTORY = 1, BH_CREATE_FILE = 2 };

// A descriptor operand: a number that the child inherits, AT_FDCWD, or one that an earlier operation made.
#define BH_SLOT_BASE (-1000)
#define BH_SLOTS 64

struct bh_option {
    const char *key;
    const char * value; // null: a flag
    int fd;                      // with value null and fd >= 0: a descriptor parameter
};

struct bh_hook {
    const char *path;
    const char *const *argv;
    const char *const *envp;
    const char *input; // the process's standard input, in memory shared with the parent
    const uint32_t *input_length;
    int64_t timeout_milliseconds; // negative: none
};

struct bh_operation {
    uint16_t code;
    int16_t slot; // where a descriptor that the operation makes goes; -1: nowhere
    int32_t fd;
    int32_t fd2;
    uint32_t count;
    uint64_t n[4];
    const char * s[2];
    const void * list;
    const void * list2;
    const char * label; // sent along with a failure when the reader may not have the plan
};

// What the child says on its channel, a SOCK_SEQPACKET socket. An end of file instead: execve succeeded. BH_DIE is a
// fault: the reader ends itself.
enum bh_kind : uint32_t { BH_REACHED = 1, BH_FAILED = 2, BH_DIE = 3 };

struct bh_report {
    uint32_t kind;
    uint32_t operation; // index in the plan
    int32_t error;      // errno
    int32_t value;      // the point reached; for a hook, its wait status
    char text[1024];    // null-terminated: what the kernel's log or the label adds; may be empty
};

// Shared with the child: the parent reads the times of a trace here.
struct bh_trace {
    uint64_t start;      // CLOCK_MONOTONIC nanoseconds when the child first ran
    uint64_t finished[]; // for each operation; 0: not reached
};

struct bh_stage {
    uint32_t flags; // CLONE_NEW*
    int32_t fd;
};

// A fault to inject, for tests of the failure paths.
enum bh_fault_kind : uint32_t { BH_FAULT_NONE = 0, BH_FAULT_FAIL = 1, BH_FAULT_KILL_PARENT = 2 };

struct bh_plan {
    const struct bh_operation *operations;
    uint32_t count;
    uint32_t stage_count;          // joins made before the clone, in a stage of their own
    const struct bh_stage *stages;
    uint64_t clone_flags;          // CLONE_NEW*
    int32_t cgroup;                // -1: the parent's
    int32_t channel;               // the child's end
    int32_t parent_channel;        // the parent's, of which a copy in the child would hide that the parent is gone
    struct bh_trace * trace;
    uint32_t fault_kind;
    uint32_t fault_operation;
    int32_t fault_error;
    uint32_t wait_first;  // the parent has something to do before the first operation
    int32_t close_first;  // the child closes everything from here on at once, but `kept`; -1: nothing
    uint32_t kept_count;
    const int *kept; // ascending
};

struct bh_launched {
    int32_t pid;
    int32_t pidfd;
    int32_t cgroup_refused;  // clone3 refused CLONE_INTO_CGROUP with this errno: the parent moves the child
    int32_t failed_stage;    // index in `stages`, or -1: clone3 itself
};

#define BH_POINT_FIRST 0 // the point at which a child with wait_first stands

// Starts the child. Returns 0, or the errno of what failed; nothing is left running then.
int bh_launch(const struct bh_plan *plan, struct bh_launched *launched);

// Whether this build can inject faults.
int bh_has_faults(void);
