/* A fuzz target: one decoder, fed with whatever. It must not crash, and what it checks beyond that
 * says each target's opening. libFuzzer calls it millions of times; replay.c runs the corpus
 * through it in every build.
 */
#ifndef SEOM_FUZZ_FUZZ_H
#define SEOM_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
