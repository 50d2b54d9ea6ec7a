/* The audit as a part of other tools: a backup is audited before it is called one. */
#ifndef SEOM_APP_AUDIT_H
#define SEOM_APP_AUDIT_H

#include "app/tool.h"

/* Audits the store of tool->config, or, when path is not NULL, the copy that lies there; prints
 * findings and the result, whose last line is JSON. The exit code: 0 balanced. */
int audit_run(struct tool *tool, const char *path);

#endif
