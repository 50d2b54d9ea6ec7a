/* The rows of the configuration as data: for config*.c only. */
#ifndef SEOM_APP_CONFIG_TABLE_H
#define SEOM_APP_CONFIG_TABLE_H

#include "app/config.h"

enum config_type { TYPE_TEXT, TYPE_NUMBER, TYPE_FLAG, TYPE_ADDRESS, TYPE_CHOICE };

struct config_row {
    const char *key;
    enum config_type type;
    unsigned of;          /* a set of enum config_of */
    const char *fallback; /* the default */
    const char *environment, *option, *argument, *doc;
    size_t offset;     /* of the member of struct config */
    int64_t min, max;  /* numbers */
    const char *words; /* choices: "a|b" */
};

extern const struct config_row config_rows[CONFIG_COUNT];

#define CONFIG_OF_MAX 64 /* bytes of "dev, cluster up, home, gate, relay" with the 0 */

/* The commands of a set, by name. */
void config_of_text(unsigned of, char out[CONFIG_OF_MAX]);

/* The values of a file as texts; NULL = not there. Read by libcyaml, given back by
 * config_file_free(). */
struct config_file;

/* false: why[] holds one line that names file, line and key. */
bool config_file_read(const char *path, struct config_file **out, char *why, size_t why_bytes);
const char *config_file_value(const struct config_file *file, enum config_key key);
uint32_t config_file_line(const struct config_file *file, enum config_key key); /* 0 = not found */
void config_file_free(struct config_file **file);

#endif
