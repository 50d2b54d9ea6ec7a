#include "proof/cluster_mutant.h"

#include <stddef.h>
#include <string.h>

static const struct cluster_mutant mutants[] = {
    {"subscribe-dropped", "a change of the subscriptions that a link refused is forgotten",
     .gate = GATE_MUTANT_SUBSCRIBE_DROPPED, .mesh = MESH_MUTANT_DROP_CONTROL, .seeds = 800},
    {"gate-epoch-ignored", "gates do not compare session_epochs", .gate = GATE_MUTANT_EPOCH_IGNORED,
     .seeds = 500},
    {"home-epoch-ignored", "homes do not compare session_epochs",
     .world = WORLD_MUTANT_EPOCH_IGNORED, .seeds = 300},
    {"gate-steward-ignored", "gates do not compare steward_epochs",
     .gate = GATE_MUTANT_STEWARD_IGNORED, .seeds = 50},
    {"home-steward-ignored", "a home goes on telling of things though another is their steward",
     .world = WORLD_MUTANT_STEWARD_IGNORED, .seeds = 300},
    {"claim-unseen", "a session goes on though another home has claimed its player",
     .world = WORLD_MUTANT_CLAIM_UNSEEN, .seeds = 1500},
    {"login-unasked", "of two logins the one whose ENTER comes last counts as the newer",
     .world = WORLD_MUTANT_LOGIN_UNASKED, .seeds = 1000},
    {"sweep-blind", "pages of places are taken away though documents name them",
     .world = WORLD_MUTANT_SWEEP_BLIND, .seeds = 50},
    {"assert-cancel", "a cancel of nothing stops the process",
     .requests = REQUESTS_MUTANT_ASSERT_CANCEL, .seeds = 50},
    {"deadline-ignored", "an answer is waited for for ever",
     .requests = REQUESTS_MUTANT_NO_DEADLINE, .seeds = 50},
    {"watch-trusted", "the directory is listed once, then the watch is believed",
     .directory = DIRECTORY_MUTANT_WATCH_TRUSTED, .seeds = 50},
    {"lease-as-lock", "whose lease ended gives up its epoch",
     .directory = DIRECTORY_MUTANT_LEASE_AS_LOCK, .seeds = 50},
    {"foreign-version", "of a commit only the initiator's document is checked",
     .world = WORLD_MUTANT_FOREIGN_VERSION, .seeds = 500},
    {"shard-ignored", "a home takes in whoever asks, whatever island he is on",
     .world = WORLD_MUTANT_SHARD_IGNORED, .seeds = 50},
    {"note-goes-back", "a relay passes a note on to the shard, too, that it began in",
     .notes = NOTES_MUTANT_BACK, .seeds = 100},
    {"gates-told-once", "where the gates are is told when it changes, and never again",
     .notes = NOTES_MUTANT_GATES_ONCE, .seeds = 50},
    {"lines-again", "a gate tells a line by each way that it comes",
     .gate = GATE_MUTANT_LINES_AGAIN, .seeds = 200},
    {"hints-trusted", "a home does not look at what no hint told of",
     .world = WORLD_MUTANT_HINTS_TRUSTED, .seeds = 600},
};

const struct cluster_mutant *
cluster_mutant_at(uint32_t n)
{
    return n < sizeof mutants / sizeof mutants[0] ? &mutants[n] : NULL;
}

const struct cluster_mutant *
cluster_mutant_find(const char *name)
{
    for (uint32_t i = 0; cluster_mutant_at(i) != NULL; i++) {
        if (strcmp(mutants[i].name, name) == 0) {
            return &mutants[i];
        }
    }
    return NULL;
}
