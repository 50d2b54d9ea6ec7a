/* `seom decode FILE`: a recording of one connection on the player port (src/wire/dump.h) as text, a
 * line per message and record. "-" reads standard input.
 */
#include "app/commands.h"
#include "base/check.h"
#include "wire/dump.h"
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDING_BYTES_MAX ((size_t)1 << 30)

static error_t
file_parse(int key, char *arg, struct argp_state *state)
{
    const char **file = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*file != NULL) {
            argp_error(state, "one FILE at a time, '%s' is too much", arg);
        }
        *file = arg;
        return 0;
    case ARGP_KEY_NO_ARGS: argp_error(state, "a FILE is needed"); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* The whole of it; NULL when it could not be read, errno says why. Owned by the caller. */
static uint8_t *
read_whole(FILE *file, size_t *bytes)
{
    size_t capacity = 1 << 16;
    uint8_t *whole = malloc(capacity);
    CHECK(whole != NULL);
    *bytes = 0;
    for (size_t n; (n = fread(whole + *bytes, 1, capacity - *bytes, file)) > 0;) {
        *bytes += n;
        if (*bytes == capacity && capacity < RECORDING_BYTES_MAX) {
            capacity *= 2;
            whole = realloc(whole, capacity);
            CHECK(whole != NULL);
        }
    }
    if (ferror(file) || *bytes == RECORDING_BYTES_MAX) {
        errno = ferror(file) ? errno : EFBIG;
        free(whole);
        return NULL;
    }
    return whole;
}

static void
print_line(void *ctx, const char *line)
{
    FILE *out = ctx;
    fputs(line, out);
    fputc('\n', out);
}

int
decode_command(int argc, char **argv)
{
    static const struct argp argp = {.parser = file_parse,
                                     .args_doc = "FILE",
                                     .doc =
                                         "Print recorded bytes of the player port as text, one "
                                         "line per message and record: the time in us, > to the "
                                         "server or < to the client, what it is, its fields. FILE "
                                         "may be - for standard input. `seom bots --dump FILE` "
                                         "records; docs/protocol.md says what the lines mean."};
    const char *name = NULL;
    argp_parse(&argp, argc, argv, 0, NULL, &name);
    FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "rb");
    size_t bytes = 0;
    uint8_t *recording = file == NULL ? NULL : read_whole(file, &bytes);
    if (recording == NULL) {
        fprintf(stderr, "%s: %s: %s\n", argv[0], name, strerror(errno));
        return 1;
    }
    struct dump_work *work = malloc(sizeof *work);
    CHECK(work != NULL);
    enum err error = dump_text((struct slice){recording, bytes}, work, print_line, stdout);
    free(work);
    free(recording);
    if (file != stdin) {
        fclose(file);
    }
    if (error != OK) {
        fprintf(stderr, "%s: %s: no recording, or its end is missing: %s\n", argv[0], name,
                err_text(error));
        return 1;
    }
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
