/* SPDX-License-Identifier: Apache-2.0 */
/* Where an instance's log lines go. */
#ifndef CORE_HOST_LOG_H
#define CORE_HOST_LOG_H

#include "dray/dray.h"

#include <stdarg.h>

/* Zeroed: warnings and errors to standard error. */
struct log {
    dray_log_fn fn;
    void *user;
};

/* One line; `level` as in driver.h (DRAY_LOG_...). Control bytes are escaped. Any thread. */
void log_line(const struct log *log, int level, const char *fmt, ...) DRAY_PRINTF(3, 4);
void log_linev(const struct log *log, int level, const char *fmt, va_list args) DRAY_PRINTF(3, 0);

#endif
