/* Text that came from outside: UTF-8 as RFC 3629 has it (no overlong forms, no surrogates, nothing
 * above U+10FFFF). Pure.
 */
#ifndef SEOM_WIRE_TEXT_H
#define SEOM_WIRE_TEXT_H

#include "base/bytes.h"
#include <stdbool.h>

bool text_is_utf8(struct slice text); /* the empty text is */
/* UTF-8 without control characters (C0, DEL, C1, line and paragraph separators): fit to be shown on
 * one line. */
bool text_is_line(struct slice text);
/* Makes a line of what may be none, such as the end of a log or what was cut off at a limit: '?' in
 * place of every byte that is no UTF-8 or belongs to a control character. No longer than before. */
void text_make_line(char *text);

#endif
