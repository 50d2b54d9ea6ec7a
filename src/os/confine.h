/* A process that every hostile byte meets gives up what it does not need: root, new privileges, and
 * all system calls but those of sockets, memory and time (libseccomp). A call that is not allowed
 * ends the process, which is then a bug of ours or somebody's foothold.
 *
 * Called once, when everything is open: afterwards no file can be opened and no program started.
 */
#ifndef SEOM_OS_CONFINE_H
#define SEOM_OS_CONFINE_H

#include "base/err.h"
#include <stddef.h>

/* As root: becomes `user` (and its group, and no others); else stays who it is. ERR_NOT_FOUND: no
 * such user. why gets a sentence. */
enum err confine_user(const char *user, char *why, size_t why_bytes) MUST_USE;
/* The filter of a gate. ERR_UNAVAILABLE: a kernel without seccomp filters. */
enum err confine_gate(char *why, size_t why_bytes) MUST_USE;

#endif
