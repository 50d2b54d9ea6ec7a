#include "app/home_notes.h"

#include <stdio.h>

enum err
home_notes_check(const struct config *config, char why[NODE_WHY_MAX])
{
    if (config->shard <= config->shards) {
        return OK;
    }
    snprintf(why, NODE_WHY_MAX,
             "--shard %lld, but there are %lld: tell every home how many shards the world has "
             "(--shards)",
             (long long)config->shard, (long long)config->shards);
    return ERR_RANGE;
}

static void
heard(void *ctx, const struct note *note)
{
    struct world **world = ctx;
    if (*world != NULL) {
        world_note(*world, note);
    }
}

void
home_notes_open(struct home_shards *h, struct node_process *node, struct world **world)
{
    struct home_shards_options options = {.self = node->self,
                                          .mesh = node->mesh,
                                          .requests = node->requests,
                                          .env = &node->env,
                                          .heard = heard,
                                          .ctx = world};
    home_shards_open(h, &options);
}

void
home_notes_table(struct home_shards *h, const struct directory *directory, const struct env *env)
{
    if (home_shards_table(h, directory) != OK) {
        env_log(env, LOG_ERROR, "home.islands",
                "the directory's table of islands cannot be read: the former one goes on");
    }
}

json_t *
home_notes_status(const struct home_shards *h)
{
    const struct notes_stats none = {0};
    const struct notes_stats *n = h->notes != NULL ? notes_stats(h->notes) : &none;
    uint32_t known = 0;
    for (uint16_t shard = 1; shard <= h->shards.count; shard++) {
        known += shards_gates(&h->shards, shard).bytes > 0;
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "lines_told",
                     (json_int_t)n->told[NOTE_LINE], "lines_heard", (json_int_t)n->heard[NOTE_LINE],
                     "mails_told", (json_int_t)n->told[NOTE_MAIL], "mails_heard",
                     (json_int_t)n->heard[NOTE_MAIL], "again", (json_int_t)n->again, "lost",
                     (json_int_t)n->lost, "shards_known", (int)known);
}
