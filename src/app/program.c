#include "app/program.h"
#include "app/cluster_ask.h"
#include "base/check.h"
#include "os/process.h"
#include <stdio.h>
#include <string.h>

#define SAID_MAX 4096

static int
int_of(const json_t *said, const char *group, const char *key)
{
    return (int)json_integer_value(json_object_get(json_object_get(said, group), key));
}

enum err
program_ask(const char *path, struct program *out, char why[PROGRAM_WHY_MAX])
{
    char text[SAID_MAX], name[] = "seom", command[] = "version";
    char *arguments[] = {name, command, NULL};
    int code = 0;
    size_t bytes = 0;
    enum err error =
        process_read(path, arguments, PROGRAM_ASK_US, text, sizeof text, &bytes, &code);
    json_t *said = error == OK && code == 0 ? json_loadb(text, bytes, 0, NULL) : NULL;
    json_int_t format = json_integer_value(json_object_get(said, "data_format"));
    bool is_seom = json_is_string(json_object_get(said, "revision")) && format > 0;
    *out = (struct program){.path = path,
                            .links_min = int_of(said, "links", "min"),
                            .links_max = int_of(said, "links", "max"),
                            .data_format = (int)format};
    json_decref(said);
    if (is_seom)
        return OK;
    char did[64];
    if (error != OK)
        snprintf(did, sizeof did, "%s", err_text(error));
    else
        snprintf(did, sizeof did, "exit code %d, %zu bytes", code, bytes);
    snprintf(why, PROGRAM_WHY_MAX,
             "%.400s is no seom: `%.400s version` does not say which (%s); nothing was done", path,
             path, did);
    return ERR_FORMAT;
}

static enum err
links_fit(const struct program *program, const json_t *node, char why[PROGRAM_WHY_MAX])
{
    const json_t *range = json_object_get(node, "protocol");
    int from = (int)json_integer_value(json_array_get(range, 0));
    int to = (int)json_integer_value(json_array_get(range, 1));
    bool is_known = program->links_max != 0 && to != 0;
    if (!is_known || (program->links_min <= to && from <= program->links_max))
        return OK;
    snprintf(why, PROGRAM_WHY_MAX,
             "%.400s speaks versions %d to %d of links, %s %d to %d: they could not live together, "
             "so this needs planned maintenance: `seom cluster down`, then `up` by the new program",
             program->path, program->links_min, program->links_max, cluster_text(node, "name"),
             from, to);
    return ERR_CONFLICT;
}

enum err
program_fits(const struct program *program, const json_t *list, char why[PROGRAM_WHY_MAX])
{
    CHECK(program->data_format > 0);
    size_t i;
    const json_t *node;
    json_int_t format = cluster_number(list, "data_format"); /* 0: a keeper of before */
    if (format != 0 && format != program->data_format) {
        snprintf(why, PROGRAM_WHY_MAX,
                 "%.400s reads and writes data format %d, this cluster format %lld: both at once "
                 "would not understand each other's data, so this needs planned maintenance: "
                 "`seom cluster down`, a copy of the store, then `up` by the new program",
                 program->path, program->data_format, (long long)format);
        return ERR_CONFLICT;
    }
    enum err error = OK;
    json_array_foreach(json_object_get(list, "nodes"), i, node)
    {
        if (error == OK)
            error = links_fit(program, node, why);
    }
    return error;
}
