/* Base64 as RFC 4648 section 4 has it, with padding. Pure, any thread. */
#ifndef SEOM_OS_BASE64_H
#define SEOM_OS_BASE64_H

#include "base/bytes.h"
#include <stdbool.h>

#define BASE64_BYTES(bytes) (((bytes) + 2) / 3 * 4 + 1) /* text with the 0 */

/* out has BASE64_BYTES(bytes.bytes). */
void base64_write(struct slice bytes, char *out);
/* out has room for text.bytes / 4 * 3; *bytes of it are used. False: that is no base64. */
bool base64_read(struct slice text, uint8_t *out, size_t *bytes);

#endif
