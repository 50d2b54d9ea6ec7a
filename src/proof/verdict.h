/* How a run of the simulator ended; the numbers are exit codes. */
#ifndef SEOM_PROOF_VERDICT_H
#define SEOM_PROOF_VERDICT_H

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

#endif
