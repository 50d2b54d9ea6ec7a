/* The page as files in the binary, made by web/bundle.py, served by watch/http.h. Any thread. */
#ifndef SEOM_WEB_PAGE_H
#define SEOM_WEB_PAGE_H

#include "watch/http.h"
#include <stdint.h>

extern const struct http_file web_files[];
extern const uint32_t web_file_count;

#endif
