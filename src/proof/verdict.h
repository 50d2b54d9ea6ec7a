/* How a run of the simulator ended; the numbers are exit codes. */
#ifndef SEOM_PROOF_VERDICT_H
#define SEOM_PROOF_VERDICT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum proof_verdict { PROOF_FINE = 0, PROOF_CRASH = 10, PROOF_STUCK = 11, PROOF_WRONG = 12 };

static inline const char *
proof_verdict_name(enum proof_verdict verdict)
{
    switch (verdict) {
    case PROOF_FINE: return "fine";
    case PROOF_CRASH: return "crash";
    case PROOF_STUCK: return "stuck";
    case PROOF_WRONG: return "wrong";
    }
    return "?";
}

/* "at 12.345 ms: " and what is wrong, cut where the text ends. */
void proof_wrong_text(char *text, size_t bytes, int64_t now_us, const char *format,
                      va_list arguments) __attribute__((format(printf, 4, 0)));

#endif
