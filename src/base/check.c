#include "base/check.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* The one mutable global of this room: a CHECK can fail anywhere, so no owner could hand it down.
 * It is set once, before the first thread starts. */
static check_hook *installed_hook;

void
check_set_hook(check_hook *hook)
{
    installed_hook = hook;
}

void
check_failed(const char *file, int line, const char *function, const char *what)
{
    /* Taken off first: a CHECK that fails inside the hook must not call the hook again. */
    check_hook *hook = installed_hook;
    installed_hook = NULL;
    if (hook)
        hook(file, line, function, what);
    else
        fprintf(stderr, "%s:%d: %s: CHECK(%s) failed\n", file, line, function, what);
    abort();
}
