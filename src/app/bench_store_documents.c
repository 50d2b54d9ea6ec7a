#include "app/bench_store_documents.h"
#include "base/check.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define WORLD       1
#define NOISE_BYTES 65536

enum err
bench_documents_init(struct bench_documents *documents, uint32_t count, uint64_t seed)
{
    CHECK(count > 0);
    *documents = (struct bench_documents){.count = count};
    rand_seed(&documents->rand, seed);
    size_t bytes = count * sizeof documents->versions[0];
    void *versions = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    documents->under_way = calloc(count, 1);
    documents->noise = malloc(NOISE_BYTES);
    if (versions == MAP_FAILED || documents->under_way == NULL || documents->noise == NULL) {
        if (versions != MAP_FAILED) {
            munmap(versions, bytes);
        }
        free(documents->under_way);
        free(documents->noise);
        *documents = (struct bench_documents){0};
        return ERR_FULL;
    }
    documents->versions = versions;
    for (size_t i = 0; i < NOISE_BYTES; i += sizeof(uint64_t)) {
        uint64_t noise = rand_next(&documents->rand);
        memcpy(documents->noise + i, &noise, sizeof noise);
    }
    return OK;
}

void
bench_documents_fini(struct bench_documents *documents)
{
    CHECK(documents->versions != NULL);
    munmap((void *)documents->versions, documents->count * sizeof documents->versions[0]);
    free(documents->under_way);
    free(documents->noise);
    *documents = (struct bench_documents){0};
}

uint32_t
bench_documents_pick(struct bench_documents *documents, uint32_t among)
{
    CHECK(among > 0 && among <= documents->count);
    uint32_t document;
    do {
        document = rand_below(&documents->rand, among);
    } while (documents->under_way[document]);
    documents->under_way[document] = 1;
    return document;
}

void
bench_documents_settle(struct bench_documents *documents, uint32_t document, bool written)
{
    CHECK(document < documents->count);
    documents->under_way[document] = 0;
    if (written) {
        uint64_t version = bench_documents_version(documents, document);
        atomic_store_explicit(&documents->versions[document], version + 1, memory_order_relaxed);
    }
}

uint64_t
bench_documents_version(const struct bench_documents *documents, uint32_t document)
{
    return atomic_load_explicit(&documents->versions[document], memory_order_relaxed);
}

struct key
bench_document_key(uint32_t document)
{
    return key_make(WORLD, KEY_CLASS_PLAYER, document);
}

size_t
bench_document_value(const struct bench_documents *documents, uint32_t document, uint64_t version,
                     uint8_t value[BENCH_VALUE_MAX])
{
    uint64_t chance = rand_mix(document, version);
    size_t bytes = BENCH_VALUE_MIN + chance % (BENCH_VALUE_MAX - BENCH_VALUE_MIN + 1);
    memcpy(value, documents->noise + (chance >> 32) % (NOISE_BYTES - BENCH_VALUE_MAX), bytes);
    /* Noise is cut from the same place now and then: these two never repeat. */
    memcpy(value, &document, sizeof document);
    memcpy(value + sizeof document, &version, sizeof version);
    return bytes;
}

bool
bench_document_fits(const struct bench_documents *documents, uint32_t document, uint64_t version,
                    struct slice value)
{
    uint8_t expected[BENCH_VALUE_MAX];
    size_t bytes = bench_document_value(documents, document, version, expected);
    return value.bytes == bytes && memcmp(value.at, expected, bytes) == 0;
}
