// What Embedded Swift's standard library leaves to the program: reading a floating-point number, for `Double(String)`.
// Weak, as the full standard library brings its own.
#include <stdlib.h>

const char *_swift_stdlib_strtod_clocale(const char *text, double *value);

__attribute__((weak)) const char *_swift_stdlib_strtod_clocale(const char *text, double *value) {
    char *end;
    // No program of this package sets a locale, so strtod(3) reads by that of C.
    *value = strtod(text, &end);
    return end;
}
