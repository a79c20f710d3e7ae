/* SPDX-License-Identifier: Apache-2.0 */
#include "store/host.h"

#include "host/error.h"
#include "host/random.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const struct store_host *of(const struct dray_host *table)
{
    return (const struct store_host *)(const void *)table;
}

static int64_t wall_ms(const struct dray_host *host)
{
    return clock_wall_ms(of(host)->clock);
}

static int64_t mono_ms(const struct dray_host *host)
{
    return clock_mono_ms(of(host)->clock);
}

static void *resize(const struct dray_host *host, void *block, size_t size)
{
    (void)host;
    if (size > 0)
        return realloc(block, size);
    free(block);
    return NULL;
}

static int32_t fill_random(const struct dray_host *host, void *out, size_t len)
{
    (void)host;
    return random_bytes(out, len);
}

static void write_log(const struct dray_host *host, uint32_t level, const char *fmt, ...)
    DRAY_PRINTF(3, 4);
static void write_log(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (level < DRAY_LOG_DEBUG || level > DRAY_LOG_ERROR)
        level = DRAY_LOG_WARN;
    log_line(&of(host)->log, (int)level, "%s: %s", of(host)->name, line);
}

static int32_t fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
    DRAY_PRINTF(4, 5);
static int32_t fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    error_setv(call->error, code, sys, fmt, args);
    va_end(args);
    return code;
}

static int64_t number(const struct dray_host *host, const char *option)
{
    return option_number(of(host)->values, option);
}

static const char *text(const struct dray_host *host, const char *option, uint32_t index)
{
    return option_text(of(host)->values, option, index);
}

void store_host_init(struct store_host *host, const char *name, struct dray_clock *clock,
    const struct log *log, struct option_values *values)
{
    *host = (struct store_host){
        .table =
            {
                .size = sizeof(struct dray_host),
                .abi = DRAY_ABI,
                .boot_id = clock_boot_id(),
                .wall_ms = wall_ms,
                .mono_ms = mono_ms,
                .resize = resize,
                .random = fill_random,
                .log = write_log,
                .fail = fail,
                .number = number,
                .text = text,
            },
        .name = name,
        .clock = clock,
        .values = values,
    };
    if (log)
        host->log = *log;
}
