/* What this binary is: constants of the build. Any thread. */
#ifndef SEOM_APP_VERSION_H
#define SEOM_APP_VERSION_H

const char *version_number(void);   /* "0.1.0" */
const char *version_revision(void); /* what git said when it was built, "unknown" outside a clone */

#endif
