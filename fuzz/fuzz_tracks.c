/* Recordings of movement: whatever is read must be a track that can be walked. */
#include "base/check.h"
#include "bots/tracks.h"
#include "fuzz/fuzz.h"
#include <math.h>

#define SIDE_M 8160.0

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tracks *tracks;
    char why[TRACKS_WHY_MAX];
    if (tracks_parse((struct slice){data, size}, TRACKS_AUTO, &tracks, why) != OK) {
        return 0;
    }
    CHECK(tracks->count > 0);
    tracks_fit(tracks, SIDE_M);
    for (uint32_t i = 0; i < tracks->count; i++) {
        int64_t duration = track_duration_ms(tracks, i);
        CHECK(duration > 0);
        for (int64_t at = -1; at <= 2 * duration; at += 1 + duration / 7) {
            double x, y;
            track_at_looped(tracks, i, at, &x, &y);
            CHECK(x >= tracks->left_m - 1e-3 && x <= tracks->right_m + 1e-3);
            CHECK(y >= tracks->low_m - 1e-3 && y <= tracks->high_m + 1e-3);
            CHECK(x >= -1e-3 && x <= SIDE_M + 1e-3 && y >= -1e-3 && y <= SIDE_M + 1e-3);
        }
    }
    tracks_free(&tracks);
    return 0;
}
