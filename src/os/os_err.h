/* errno ends here: what the kernel said, as one of our own error values. */
#ifndef SEOM_OS_OS_ERR_H
#define SEOM_OS_OS_ERR_H

#include "base/err.h"

enum err os_err(int error_number); /* never OK */

#endif
