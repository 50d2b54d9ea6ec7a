/* The whole of a small client: connects, walks a square of 6 m and says what it sees.
 *
 *     build/client/seom-example 127.0.0.1:7777
 */
#include "client/posix.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALK_MM_S 2000
#define SIDE_MM   6000
#define SIDES     4

static void
on_welcome(void *ctx, struct seom_client *c)
{
    (void)ctx;
    struct motion at = seom_client_self(c);
    printf("playing as entity %" PRIu64 " on island %" PRIu32 " at %.1f m, %.1f m\n",
           seom_client_entity(c), seom_client_island(c), at.x_mm / 1000.0, at.y_mm / 1000.0);
}

static void
on_heard(void *ctx, const struct seom_entity *e, int64_t quiet_ms)
{
    (void)ctx;
    if (quiet_ms < 0) {
        printf("entity %" PRIu64 " came into view\n", e->entity);
    }
}

static void
on_corrected(void *ctx, const struct motion *truth)
{
    (void)ctx;
    printf("the server says that I stand at %.1f m, %.1f m\n", truth->x_mm / 1000.0,
           truth->y_mm / 1000.0);
}

static void
on_ended(void *ctx, uint32_t code, uint32_t retry_after_ms)
{
    (void)ctx;
    printf("the line ended, code %" PRIu32 ", may return after %" PRIu32 " ms\n", code,
           retry_after_ms);
}

/* Begins one side of the square where the avatar is now; returns when it will be done (monotonic
 * us). */
static int64_t
walk_side(struct seom_client *c, int side)
{
    static const int16_t east[SIDES] = {1, 0, -1, 0}, north[SIDES] = {0, 1, 0, -1};
    int64_t now_us = seom_now_us();
    int64_t world_ms = seom_client_world_ms(c, now_us);
    struct motion self = seom_client_self(c);
    struct place at = motion_at(&self, world_ms);
    int32_t lasts_ms = SIDE_MM * 1000 / WALK_MM_S;
    struct motion leg = {
        .x_mm = at.x_mm,
        .y_mm = at.y_mm,
        .vx = (int16_t)(east[side % SIDES] * (WALK_MM_S / VELOCITY_UNIT_MM_S)),
        .vy = (int16_t)(north[side % SIDES] * (WALK_MM_S / VELOCITY_UNIT_MM_S)),
        .since_ms = world_ms,
        .lasts_ms = (uint16_t)lasts_ms,
    };
    enum err error = seom_client_move(c, &leg, LOOK_WALKER, NULL);
    if (error != OK) {
        printf("cannot move: %s\n", err_text(error));
    }
    return now_us + lasts_ms * INT64_C(1000);
}

int
main(int argc, char **argv)
{
    struct seom_events events = {
        .welcome = on_welcome, .heard = on_heard, .corrected = on_corrected, .ended = on_ended};
    struct seom_options options = {.replica = true, .seed = (uint64_t)seom_now_us()};
    struct seom_client *client;
    struct seom_line *line;
    if (seom_client_open(&options, &events, &client) != OK) {
        return EXIT_FAILURE;
    }
    if (seom_line_open(client, argc > 1 ? argv[1] : "127.0.0.1:7777", &line) != OK) {
        fprintf(stderr, "usage: %s ADDRESS:PORT\n", argv[0]);
        seom_client_close(&client);
        return EXIT_FAILURE;
    }
    int64_t corner_us = 0;
    for (int side = 0; side < SIDES && seom_client_state(client) != SEOM_ENDED;) {
        if (seom_client_state(client) == SEOM_PLAYING && seom_now_us() >= corner_us) {
            corner_us = walk_side(client, side++);
        }
        seom_line_wait(line, 100);
    }
    while (seom_client_state(client) == SEOM_PLAYING && seom_now_us() < corner_us) {
        seom_line_wait(line, 100);
    }
    if (seom_client_goodbye(client) == OK) {
        seom_line_turn(line);
    }
    printf("saw %" PRIu32 " others at the end\n", seom_client_entity_count(client));
    seom_line_close(&line);
    seom_client_close(&client);
    return EXIT_SUCCESS;
}
