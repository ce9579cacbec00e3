// A kernel that is nothing but a driver that means harm: it goes for each virtio device of its machine with random and crafted
// rings, registers in any order and notifications at any time, for ever, and says by the serial port how many rounds that was.
// It is entered as Linux's 64-bit entry is, and has no interrupts, no heap and no library.

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

enum {
    WINDOWS = 19,
    QUEUES = 6,
    MOST = 64,  // descriptors of a queue
    TABLES = 8,
};
static const u64 devices = 0xc0001000;
// What devices may write to: all but this program, which lies at 8 MiB, and 32 MiB are all there is.
static const u64 arena = 16 << 20, memory = 32 << 20;

enum { NET = 1, BLOCK = 2, ENTROPY = 4, BALLOON = 5, VSOCK = 19 };
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct descriptor { u64 address; u32 length; u16 flags, next; };
struct ring {
    struct descriptor table[MOST] __attribute__((aligned(4096)));
    u16 available[2 + MOST + 1] __attribute__((aligned(4096)));
    u16 used[2 + 4 * MOST + 1] __attribute__((aligned(4096)));
};
static struct ring rings[QUEUES];
static u64 top[512] __attribute__((aligned(4096))), middle[512] __attribute__((aligned(4096)));
static u64 low[512] __attribute__((aligned(4096))), high[512] __attribute__((aligned(4096)));
static u8 stack[16384] __attribute__((aligned(16), used));

__asm__(".globl _start\n_start: cli\n lea stack+16384(%rip), %rsp\n call hostile\n");

// GCC makes calls to it of loops; one byte after the other, as fast as this needs to be.
void *memset(void *place, int value, u64 count) {
    for (volatile u8 *byte = place; count--;) *byte++ = (u8)value;
    return place;
}

static u64 state;
static u64 next(void) {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dul;
}
static u32 below(u32 limit) { return (u32)(next() >> 33) % limit; }
static int chance(u32 of) { return below(of) == 0; }
#define ONE_OF(type, ...) ({ const type all[] = {__VA_ARGS__}; all[below(sizeof all / sizeof *all)]; })

static void out(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static void say(const char *text, u64 number) {
    char digits[20];
    int count = 0;
    for (; *text; text++) out(0x3f8, *text);
    do digits[count++] = '0' + number % 10; while (number /= 10);
    while (count) out(0x3f8, digits[--count]);
    out(0x3f8, '\n');
}

static u64 window;
static u32 get(u32 offset) { return *(volatile u32 *)(window + offset); }
static void put(u32 offset, u32 value) { *(volatile u32 *)(window + offset) = value; }

// Where a driver has no business, or a place in the arena.
static u64 address(void) {
    switch (below(8)) {
    case 0: return ONE_OF(u64, 0, memory - 1, memory - 4, memory, memory + 1, 0xc0000000, 0xc0001050, 0xfee00000, 1ul << 32,
        1ul << 52, 1ul << 63, ~0ul, ~0ul - 15);
    case 1: return next();
    case 2: return memory - below(8192);
    default: return arena + below((u32)(memory - arena - (1 << 20)));
    }
}
static u32 length(void) {
    return chance(2) ? below(8192) : ONE_OF(u32, 0, 1, 2, 4, 11, 12, 13, 16, 17, 44, 512, 513, 4096, 65536, 1 << 20,
        0x7fffffff, 0x80000000, 0xffffffff, 0xfffff001);
}

// The beginning of a request that this kind of device understands.
static u32 header(u32 kind, u32 queue, u8 *bytes) {
    u16 *halves = (u16 *)bytes;
    u32 *words = (u32 *)bytes;
    u64 *longs = (u64 *)bytes;
    for (int index = 0; index < 32; index++) longs[index] = next();
    switch (kind) {
    case BLOCK:
        words[0] = ONE_OF(u32, 0, 0, 0, 1, 1, 1, 4, 8, 11, 13, 14, 0xffffffff);
        longs[1] = ONE_OF(u64, 0, 1, below(4096), 2047, 2048, ~0ul, 1ul << 55, next());
        // Ranges of a discard.
        longs[2] = longs[1];
        words[6] = ONE_OF(u32, 0, 1, 8, 0xffffffff);
        words[7] = below(3);
        return chance(2) ? 16 : 32;
    case NET:
        if (queue == 2) {
            bytes[0] = below(8);
            bytes[1] = below(8);
            return 2 + below(16);
        }
        for (int index = 0; index < 3; index++) longs[index] = chance(4) ? next() : 0;
        // An Ethernet frame behind the header of 12 bytes: to everybody, or to the metadata service (06:01:23:45:67:01).
        for (int index = 12; index < 18; index++) bytes[index] = 0xff;
        if (chance(2)) words[3] = 0x45230106, halves[8] = 0x0167;
        halves[12] = ONE_OF(u16, 0x0608, 0x0008, 0x0008, 0xdd86, 0x0081);
        if (halves[12] == 0x0608) {
            longs[3] = 0x0100040600080100ul << 16 | (longs[3] & 0xffff);
            words[16] = 0xfea9fea9;
        } else {
            // IPv4 and TCP for port 80 of 169.254.169.254, with checksums as they come.
            bytes[26] = chance(4) ? bytes[26] : 0x45;
            halves[14] = ONE_OF(u16, 0x2800, 0x1400, 0xffff, 0x3c00);
            halves[16] = chance(4) ? halves[16] : 0;
            bytes[35] = chance(4) ? bytes[35] : 6;
            halves[21] = 0xfea9;
            halves[22] = 0xfea9;
            halves[24] = 0x5000;
            bytes[58] = ONE_OF(u8, 0x50, 0x60, 0xf0, 0);
            bytes[59] = ONE_OF(u8, 2, 0x10, 0x18, 0x11, 4, 0xff);
        }
        return 12 + ONE_OF(u32, 54, 60, 42, 13, 14, 200, 0);
    case BALLOON:
        for (int index = 0; index < 64; index++) words[index] = (u32)((chance(4) ? address() : arena + (next() & 0xffffff)) >> 12);
        return 4 * below(64) + below(2);
    case VSOCK:
        longs[0] = chance(8) ? next() : 3;
        longs[1] = chance(8) ? next() : 2;
        words[4] = 1024 + below(4);
        words[5] = 1024 + below(4);
        words[6] = ONE_OF(u32, 0, 1, 44, 100, 65536, 0xffffffff);
        halves[14] = chance(8) ? halves[14] : 1;
        halves[15] = below(10);
        words[8] = below(8);
        words[9] = ONE_OF(u32, 0, 1, 4096, 65536, 0xffffffff);
        words[10] = ONE_OF(u32, 0, 1, below(65536), 0xffffffff);
        return chance(4) ? below(64) : 44 + below(100);
    default: return below(64);
    }
}

static void chains(u32 kind, u32 queue, u32 size) {
    volatile struct ring *ring = &rings[queue];
    u16 mask = (u16)(size - 1), count = 1 + below(8);
    for (u16 number = 0; number < count; number++) {
        u16 first = below(size), at = first;
        u8 *request = (u8 *)(arena + 0x100000 + (u64)below(64) * 4096);
        u32 readable = header(kind, queue, request), pieces = 1 + below(chance(16) ? size : 4);
        int isPlain = !chance(4), isTable = chance(6);
        volatile struct descriptor *table = isTable ? (void *)(arena + (u64)below(64) * 4096) : ring->table;
        if (isTable) at = 0;
        u16 start = at;
        for (u32 piece = 0; piece < pieces; piece++) {
            volatile struct descriptor *one = &table[at];
            int isFirst = piece == 0, isLast = piece + 1 == pieces;
            u16 to = isTable ? (at + 1) & (MOST - 1) : (at + 1) & mask;
            if (isPlain && isFirst && (kind != ENTROPY) && !((kind == NET || kind == VSOCK) && queue == 0)) {
                one->address = (u64)request;
                one->length = readable;
                one->flags = isLast ? 0 : NEXT;
            } else {
                one->address = isPlain ? arena + below(8 << 20) : address();
                one->length = isPlain ? (isLast && kind == BLOCK ? 1 : 512 * (1 + below(8))) : length();
                one->flags = (isLast ? 0 : NEXT) | (isPlain ? (isLast || chance(2) ? WRITE : 0) : below(8));
            }
            one->next = isPlain ? to : (u16)(chance(2) ? to : next());
            at = to;
        }
        if (isTable) {
            ring->table[first].address = (u64)(table + start);
            ring->table[first].length = chance(4) ? length() : pieces * sizeof *table;
            ring->table[first].flags = INDIRECT | (chance(8) ? below(8) : 0);
        }
        ring->available[2 + ((ring->available[1] + number) & mask)] = chance(32) ? (u16)next() : first;
    }
    __asm__ volatile("" : : : "memory");
    ring->available[0] = below(2);
    ring->available[1] += chance(32) ? (u16)next() : count;
    put(0x50, queue);
}

static void registers(void) {
    for (u32 count = 1 + below(16); count--;) {
        u32 offset = chance(2) ? below(64) * 4 : below(0x200);
        // Not the rings' places: those would be wherever chance has it, this program included.
        if (offset >= 0x80 && offset < 0xa8) continue;
        u32 value = chance(2) ? below(16) : (u32)next();
        switch (below(6)) {
        case 0: *(volatile u8 *)(window + offset) = (u8)value; break;
        case 1: *(volatile u16 *)(window + offset) = (u16)value; break;
        case 2: *(volatile u64 *)(window + offset) = next(); break;
        case 3: (void)*(volatile u64 *)(window + offset); break;
        case 4: (void)*(volatile u8 *)(window + offset); break;
        default: put(offset, value);
        }
    }
}

// The way up to DRIVER_OK. Each ring is where it should be, or where it can't be.
static u32 boot(u32 size) {
    put(0x70, 0);
    put(0x70, 1);
    put(0x70, 3);
    for (u32 word = 0; word < 2; word++) {
        put(0x14, word);
        put(0x24, word);
        u32 offered = get(0x10);
        put(0x20, chance(2) ? offered : (offered & (u32)next()) | word);
    }
    put(0x70, 11);
    u32 queues = 0;
    for (u32 queue = 0; queue < QUEUES; queue++) {
        put(0x30, queue);
        if (get(0x34) == 0) break;
        queues++;
        volatile struct ring *ring = &rings[queue];
        memset((void *)ring, 0, sizeof *ring);
        int isRubbish = chance(12);
        put(0x38, isRubbish ? ONE_OF(u32, 0, 3, 65535, 0xffffffff) : size);
        u64 places[] = {(u64)ring->table, (u64)ring->available, (u64)ring->used};
        for (int part = 0; part < 3; part++) {
            u64 place = isRubbish && chance(2) ? ONE_OF(u64, memory - 16, memory, ~0ul, 0xc0001000, arena + 1) : places[part];
            put(0x80 + 0x10 * part, (u32)place);
            put(0x84 + 0x10 * part, (u32)(place >> 32));
        }
        put(0x44, 1);
    }
    put(0x70, 15);
    return queues;
}

__attribute__((used)) void hostile(void) {
    // The first GiB, and the one with the devices; in tables of its own, as devices may write to those it began with.
    top[0] = (u64)middle | 3;
    middle[0] = (u64)low | 3;
    middle[3] = (u64)high | 3;
    for (u64 index = 0; index < 512; index++) {
        low[index] = index << 21 | 0x83;
        high[index] = 0xc0000000 | index << 21 | 0x83;
    }
    __asm__ volatile("mov %0, %%cr3" : : "r"(top) : "memory");
    u32 lowHalf, highHalf;
    __asm__ volatile("rdtsc" : "=a"(lowHalf), "=d"(highHalf));
    state = ((u64)highHalf << 32 | lowHalf) * 2 + 1;
    say("@seed ", state);
    u64 rounds = 0, resets = 0;
    for (;;) {
        window = devices + below(WINDOWS) * 0x1000ul;
        if (get(0) != 0x74726976 || get(8) == 0) continue;
        u32 kind = get(8), size = ONE_OF(u32, 4, 16, MOST), queues = boot(size);
        for (int turn = 0; turn < 8; turn++) {
            if (chance(8)) registers();
            else if (queues) chains(kind, below(queues), size);
            if (chance(4)) put(0x50, chance(4) ? (u32)next() : below(QUEUES));
            if (get(0x70) & 0x40) {
                resets++;
                break;
            }
            put(0x64, get(0x60));
        }
        if (chance(2)) put(0x70, 0);
        if (++rounds % 10 == 0) say("@rounds ", rounds);
        if (rounds % 1000 == 0) say("@resets ", resets);
    }
}
