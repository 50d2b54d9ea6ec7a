#include "bots/tickets.h"
#include "base/check.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TITLE          "seom tickets 1"
#define PATH_MAX_BYTES 4096

void
tickets_init(struct tickets *t, uint32_t count)
{
    CHECK(count > 0 && count <= TICKETS_MAX);
    *t = (struct tickets){.count = count};
    t->bytes = calloc(count, sizeof(*t->bytes));
    t->lengths = calloc(count, sizeof(*t->lengths));
    CHECK(t->bytes != NULL && t->lengths != NULL);
}

void
tickets_fini(struct tickets *t)
{
    free(t->bytes);
    free(t->lengths);
    *t = (struct tickets){0};
}

struct slice
tickets_get(const struct tickets *t, uint32_t number)
{
    CHECK(number < t->count);
    return (struct slice){.at = t->bytes[number], .bytes = t->lengths[number]};
}

void
tickets_set(struct tickets *t, uint32_t number, struct slice ticket)
{
    CHECK(number < t->count && ticket.bytes <= TICKET_BYTES_MAX);
    if (ticket.bytes == t->lengths[number] &&
        memcmp(ticket.at, t->bytes[number], ticket.bytes) == 0) {
        return;
    }
    memcpy(t->bytes[number], ticket.at, ticket.bytes);
    t->lengths[number] = (uint8_t)ticket.bytes;
    t->changed = true;
}

static int
digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
read_ticket(const char *line, size_t length, uint8_t out[TICKET_BYTES_MAX], size_t *bytes)
{
    *bytes = 0;
    if (length == 1 && line[0] == '-') {
        return true;
    }
    if (length == 0 || length % 2 != 0 || length / 2 > TICKET_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < length; i += 2) {
        int high = digit_of(line[i]), low = digit_of(line[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[(*bytes)++] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static enum err
read_lines(struct tickets *t, FILE *f, uint32_t *line)
{
    char text[2 * TICKET_BYTES_MAX + 4];
    for (*line = 1; fgets(text, sizeof(text), f) != NULL; (*line)++) {
        uint8_t ticket[TICKET_BYTES_MAX];
        size_t bytes, length = strcspn(text, "\n");
        text[length] = 0;
        if (*line == 1) {
            if (strcmp(text, TITLE) != 0) {
                return ERR_FORMAT;
            }
            continue;
        }
        if (!read_ticket(text, length, ticket, &bytes)) {
            return ERR_FORMAT;
        }
        uint32_t number = *line - 2;
        if (number < t->count && bytes > 0) {
            tickets_set(t, number, (struct slice){.at = ticket, .bytes = bytes});
        }
    }
    return ferror(f) ? ERR_IO : OK;
}

enum err
tickets_load(struct tickets *t, const char *path, uint32_t *line)
{
    *line = 0;
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        return errno == ENOENT ? OK : ERR_IO;
    }
    enum err error = read_lines(t, f, line);
    (void)fclose(f); /* it was only read */
    t->changed = false;
    return error;
}

enum err
tickets_save(struct tickets *t, const char *path)
{
    static const char digits[] = "0123456789abcdef";
    char beside[PATH_MAX_BYTES];
    int length = snprintf(beside, sizeof(beside), "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof(beside)) {
        return ERR_TOO_LARGE;
    }
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (f == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return ERR_IO;
    }
    fputs(TITLE "\n", f);
    for (uint32_t i = 0; i < t->count; i++) {
        for (uint32_t k = 0; k < t->lengths[i]; k++) {
            fputc(digits[t->bytes[i][k] >> 4], f);
            fputc(digits[t->bytes[i][k] & 15], f);
        }
        fputs(t->lengths[i] == 0 ? "-\n" : "\n", f);
    }
    bool failed = ferror(f) != 0;
    failed |= fclose(f) != 0;
    if (failed || rename(beside, path) != 0) {
        (void)unlink(beside);
        return ERR_IO;
    }
    t->changed = false;
    return OK;
}
