#include "app/arguments.h"
#include "base/check.h"
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
arguments_read(const char *text, uint32_t low, uint32_t high, uint32_t *out)
{
    char *end;
    CHECK(low <= high);
    if (!is_digit(text[0])) { /* strtoull() takes blanks and signs */
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != 0 || value < low || value > high) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

bool
arguments_read_real(const char *text, double low, double high, double *out)
{
    char *end;
    CHECK(low <= high);
    if (!is_digit(text[0]) && text[0] != '.' && text[0] != '-') {
        return false;
    }
    errno = 0;
    double value = strtod(text, &end);
    if (errno != 0 || end == text || *end != 0 || !(value >= low && value <= high)) {
        return false;
    }
    *out = value;
    return true;
}

uint32_t
arguments_number(const char *text, uint32_t low, uint32_t high, const char *option,
                 struct argp_state *state)
{
    uint32_t value = low;
    if (!arguments_read(text, low, high, &value)) {
        argp_error(state, "%s: a number from %" PRIu32 " to %" PRIu32 ", not `%s'", option, low,
                   high, text);
    }
    return value;
}

double
arguments_real(const char *text, double low, double high, const char *option,
               struct argp_state *state)
{
    double value = low;
    if (!arguments_read_real(text, low, high, &value)) {
        argp_error(state, "%s: a number from %g to %g, not `%s'", option, low, high, text);
    }
    return value;
}
