#include "app/cluster_ask.h"
#include "app/config.h"
#include "app/control_client.h"
#include <stdio.h>
#include <string.h>

#define WAIT_MS 5000

json_t *
cluster_ask(const char *data, const char *socket, json_t *question, char why[CLUSTER_ASK_WHY_MAX])
{
    char path[CONFIG_TEXT_MAX + 64];
    json_t *answer = NULL;
    if (question == NULL) {
        snprintf(why, CLUSTER_ASK_WHY_MAX, "a name is not plain text in UTF-8");
        return NULL;
    }
    snprintf(path, sizeof path, "%s/%s.sock", data, socket);
    enum err error = control_ask(path, question, WAIT_MS, &answer, why, CLUSTER_ASK_WHY_MAX);
    json_decref(question);
    const char *refused = json_string_value(json_object_get(answer, "error"));
    if (error == OK && refused == NULL)
        return answer;
    if (error == OK) {
        snprintf(why, CLUSTER_ASK_WHY_MAX, "%s", refused);
    } else {
        size_t told = strlen(why);
        snprintf(why + told, CLUSTER_ASK_WHY_MAX - told,
                 ": does a cluster run there? See --data; `seom cluster up` starts one");
    }
    json_decref(answer);
    return NULL;
}

json_t *
cluster_ask_list(const char *data, char why[CLUSTER_ASK_WHY_MAX])
{
    return cluster_ask(data, CLUSTER_KEEPER, json_pack("{s:s}", "command", "list"), why);
}

const json_t *
cluster_row(const json_t *list, const char *name)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(list, "nodes"), i, row)
    {
        if (strcmp(cluster_text(row, "name"), name) == 0)
            return row;
    }
    return NULL;
}

const char *
cluster_text(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text == NULL ? "" : text;
}

json_int_t
cluster_number(const json_t *row, const char *key)
{
    return json_integer_value(json_object_get(row, key));
}
