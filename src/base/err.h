/* Foreseen failures as values. 0 is success; every function that can fail returns enum err and
 * hands its results out last. errno ends in os/, where it is turned into one of these.
 */
#ifndef SEOM_BASE_ERR_H
#define SEOM_BASE_ERR_H

/* X(name, text for people) */
#define ERR_TABLE(X)                               \
    X(OK, "fine")                                  \
    X(ERR_FULL, "a limit is reached")              \
    X(ERR_TOO_LARGE, "larger than its limit")      \
    X(ERR_FORMAT, "malformed")                     \
    X(ERR_SHORT, "ends too early")                 \
    X(ERR_RANGE, "outside its range")              \
    X(ERR_NOT_FOUND, "not there")                  \
    X(ERR_EXISTS, "already there")                 \
    X(ERR_DENIED, "not allowed")                   \
    X(ERR_CONFLICT, "changed by somebody else")    \
    X(ERR_UNKNOWN, "may or may not have happened") \
    X(ERR_UNAVAILABLE, "not available now")        \
    X(ERR_NEWER, "written by a newer version")     \
    X(ERR_CLOSED, "closed")                        \
    X(ERR_TIMEOUT, "took too long")                \
    X(ERR_IO, "input or output failed")

#define MUST_USE __attribute__((warn_unused_result))

/* clang takes the attribute on the type, so that every function answering an enum err must be
 * heard; gcc knows it on functions only. */
#ifdef __clang__
#    define ERR_MUST_USE MUST_USE
#else
#    define ERR_MUST_USE
#endif

#define ERR_ENUM(name, text) name,

enum ERR_MUST_USE err { ERR_TABLE(ERR_ENUM) ERR_COUNT };

#undef ERR_ENUM

const char *err_text(enum err error); /* static text, never NULL */
const char *err_name(enum err error); /* "ERR_FULL"; static, never NULL */

#endif
