/* Recordings: whatever a file holds, its text is lines of printable ASCII. */
#include "base/check.h"
#include "fuzz/fuzz.h"
#include "wire/dump.h"
#include <string.h>

static void
check_line(void *ctx, const char *line)
{
    size_t *lines = ctx;
    size_t bytes = strlen(line);
    CHECK(bytes > 0 && bytes < DUMP_LINE_MAX);
    for (size_t i = 0; i < bytes; i++) {
        CHECK(line[i] >= ' ' && line[i] < 127);
    }
    ++*lines;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dump_work work;
    size_t lines = 0;
    if (dump_text((struct slice){data, size}, &work, check_line, &lines) != OK) {
        return 0;
    }
    CHECK(lines <= size); /* no message or record is shorter than a byte */
    return 0;
}
