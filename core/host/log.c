/* SPDX-License-Identifier: Apache-2.0 */
#include "host/log.h"

#include "dray/driver.h"

#include <stdio.h>

static const char *level_name(int level)
{
    return level >= DRAY_LOG_ERROR ? "error" : level >= DRAY_LOG_WARN ? "warning" : "info";
}

void log_linev(const struct log *log, int level, const char *fmt, va_list args)
{
    if (!log->fn && level < DRAY_LOG_WARN)
        return;
    char line[1024];
    vsnprintf(line, sizeof(line), fmt, args);
    for (char *p = line; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
    if (log->fn)
        log->fn(log->user, level, line);
    else
        fprintf(stderr, "dray: %s: %s\n", level_name(level), line);
}

void log_line(const struct log *log, int level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    log_linev(log, level, fmt, args);
    va_end(args);
}
