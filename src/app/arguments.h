/* Numbers that the command line of a tool says: one reading of them, and one sentence for what is
 * none. For use in parsers of argp, on the main thread. (What is configured has types of its own:
 * config.h.)
 */
#ifndef SEOM_APP_ARGUMENTS_H
#define SEOM_APP_ARGUMENTS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

/* A whole decimal number, digits and nothing else. false: it is none, or not from low to high. */
bool arguments_read(const char *text, uint32_t low, uint32_t high, uint32_t *out);
/* The same for numbers like 0.75 or 2e3. */
bool arguments_read_real(const char *text, double low, double high, double *out);

/* The argument of an option, which ends the command with its name when it is no such number. */
uint32_t arguments_number(const char *text, uint32_t low, uint32_t high, const char *option,
                          struct argp_state *state);
double arguments_real(const char *text, double low, double high, const char *option,
                      struct argp_state *state);

#endif
