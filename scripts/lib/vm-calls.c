// Runs a program that is linked statically, and says which of its functions are called from a moment on:
//
//   vm-calls FUNCTIONS CALLED SECONDS BEGIN COMMAND...
//
// FUNCTIONS is what nm says, by address: lines of an address, a letter and a name. CALLED is written: the names of those that
// were reached when the time is up, or the program has ended; then it is killed. The moment is the first call of BEGIN, which
// returns at once, that time and ever after; the functions that wait for its return count as called. With - it is the start.
//
// Each has a breakpoint, which goes when it is hit: the program runs at its own speed.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

struct place { unsigned long address; char *name; unsigned char byte, isReached; };
static struct place *places;
static size_t count;
static int memory;
enum { BREAKPOINT = 0xcc, RETURN = 0xc3 };

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void put(unsigned long address, unsigned char byte) {
    if (pwrite(memory, &byte, 1, (off_t)address) != 1) die("write");
}

// The last function that begins there or before; they are in order.
static struct place *at(unsigned long address) {
    size_t low = 0, high = count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (places[middle].address <= address) low = middle; else high = middle;
    }
    return &places[low];
}

static void arm_all(void) {
    for (size_t index = 0; index < count; index++) {
        // Two names of one place: the byte is looked at once.
        if (index > 0 && places[index].address == places[index - 1].address) places[index].byte = places[index - 1].byte;
        else if (pread(memory, &places[index].byte, 1, (off_t)places[index].address) != 1) die("read");
        put(places[index].address, BREAKPOINT);
    }
}

// Whatever is on the stack and could be an address in a function is taken for one that is to be returned to.
static void note_callers(unsigned long stack) {
    static unsigned long words[4096];
    ssize_t length = pread(memory, words, sizeof words, (off_t)stack);
    for (ssize_t index = 0; index < length / (ssize_t)sizeof *words; index++)
        if (words[index] > places[0].address && words[index] < places[count - 1].address) at(words[index] - 1)->isReached = 1;
}

static void woken(int signal) { (void)signal; }

int main(int words, char **word) {
    if (words < 6) return 2;
    FILE *file = fopen(word[1], "r");
    if (!file) die(word[1]);
    unsigned long address, begin = 0;
    char letter, *name;
    for (; fscanf(file, "%lx %c %ms", &address, &letter, &name) == 3; count++) {
        if (count % 4096 == 0) places = realloc(places, (count + 4096) * sizeof *places);
        if (!places) die("memory");
        places[count] = (struct place){.address = address, .name = name};
        if (strcmp(name, word[4]) == 0) begin = address;
    }
    fclose(file);
    if (!begin && strcmp(word[4], "-") != 0) return fprintf(stderr, "vm-calls: there is no %s\n", word[4]), 1;
    pid_t pid = fork();
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execvp(word[5], word + 5);
        _exit(127);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) die(word[5]);
    ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    memory = open(path, O_RDWR);
    if (memory < 0) die(path);
    if (begin) put(begin, BREAKPOINT);
    else arm_all();
    struct sigaction action = {.sa_handler = woken};
    sigaction(SIGALRM, &action, NULL);
    alarm((unsigned)atoi(word[3]));
    ptrace(PTRACE_CONT, pid, NULL, NULL);
    for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) continue;
        int signal = WSTOPSIG(status);
        struct user_regs_struct registers;
        // A thread that was just made begins with a stop, and its maker has one of its own.
        if (status >> 16 || signal == SIGSTOP) signal = 0;
        else if (signal == SIGTRAP && ptrace(PTRACE_GETREGS, thread, NULL, &registers) == 0) {
            struct place *place = at(registers.rip - 1);
            if (registers.rip - 1 == begin) {
                arm_all();
                put(begin, RETURN);
                note_callers(registers.rsp);
            } else if (place->address == registers.rip - 1) {
                put(place->address, place->byte);
                place->isReached = 1;
            }
            registers.rip--;
            ptrace(PTRACE_SETREGS, thread, NULL, &registers);
            signal = 0;
        }
        ptrace(PTRACE_CONT, thread, NULL, signal);
    }
    kill(pid, SIGKILL);
    if (!(file = fopen(word[2], "w"))) die(word[2]);
    for (size_t index = 0; index < count; index++)
        if (places[index].isReached) fprintf(file, "%s\n", places[index].name);
    fclose(file);
    return 0;
}
