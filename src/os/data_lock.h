/* One process at a time per data directory: flock on <directory>/lock, in which stands the process
 * id of its owner. The kernel lets go of it when the process ends, however it ends.
 */
#ifndef SEOM_OS_DATA_LOCK_H
#define SEOM_OS_DATA_LOCK_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

/* Makes the directory when it is not there (mode 0700). ERR_DENIED: another process has it; why
 * names it. ERR_IO. */
enum err data_lock_take(const char *directory, int *lock_fd, char *why, size_t why_bytes);
void data_lock_release(int lock_fd);
/* Another one, of the directory itself and without a file: who works on what runs in it, from
 * outside. Ends with the process, too. ERR_EXISTS: somebody has it; ERR_NOT_FOUND, ERR_DENIED. */
enum err data_claim_take(const char *directory, int *claim_fd) MUST_USE;
void data_claim_release(int claim_fd);
/* Does this very process hold it? */
bool data_lock_is_ours(const char *directory);

#endif
