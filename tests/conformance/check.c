/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void check_fail(struct check *check, const char *file, int line, const char *fmt, ...)
{
    va_list args;
    const char *slash = strrchr(file, '/');
    int len =
        snprintf(check->failure, sizeof(check->failure), "%s:%d: ", slash ? slash + 1 : file, line);

    va_start(args, fmt);
    vsnprintf(check->failure + len, sizeof(check->failure) - (size_t)len, fmt, args);
    va_end(args);
}

int check_holds(struct check *check, int holds, const char *file, int line, const char *text)
{
    if (!holds)
        check_fail(check, file, line, "not so: %s", text);
    return holds;
}

int check_code(
    struct check *check, int32_t got, int32_t wanted, const char *file, int line, const char *text)
{
    if (got != wanted)
        check_fail(check, file, line, "%s answers %s, not %s%s%s", text, code_name(got),
            code_name(wanted), check->subject.error.text[0] ? ": " : "", check->subject.error.text);
    return got == wanted;
}

int check_number(struct check *check, long long got, long long wanted, const char *file, int line,
    const char *text)
{
    if (got != wanted)
        check_fail(check, file, line, "%s is %lld, not %lld", text, got, wanted);
    return got == wanted;
}

int check_durable(struct check *check)
{
    if (check->subject.durability >= DRAY_DURABILITY_PROCESS)
        return 1;
    snprintf(check->missing, sizeof(check->missing), "gone with the process");
    return 0;
}

uint64_t check_offers(const struct dray_driver *driver)
{
    uint64_t can = driver->can;

    can |= driver->extend ? NEED_EXTEND : 0;
    can |= driver->turn ? NEED_TURN : 0;
    can |= driver->change ? NEED_CHANGE : 0;
    can |= driver->list ? NEED_LIST : 0;
    can |= driver->stats ? NEED_STATS : 0;
    can |= driver->watch ? NEED_WATCH : 0;
    can |= driver->tend ? NEED_TEND : 0;
    can |= driver->max_push >= 8 ? NEED_GROUP : 0;
    can |= driver->max_batch >= 8 ? NEED_BATCH : 0;
    can |= driver->can & DRAY_IS_SHARED ? 0 : NEED_ALONE;
    return can;
}

const char *check_lack(uint64_t missing)
{
    static const struct {
        uint64_t bit;
        const char *words;
    } lacks[] = {{DRAY_CAN_PRIORITY, "no priorities"}, {DRAY_CAN_UNIQUE, "no unique keys"},
        {DRAY_CAN_KEEP, "keeps no ended jobs"}, {DRAY_CAN_REPLAY, "no replay"},
        {DRAY_IS_SHARED, "not shared"}, {DRAY_IS_INLINE, "not inline"}, {NEED_EXTEND, "no extend"},
        {NEED_TURN, "no turn"}, {NEED_CHANGE, "no change"}, {NEED_LIST, "no list"},
        {NEED_STATS, "no stats"}, {NEED_GROUP, "groups below 8"}, {NEED_BATCH, "batches below 8"},
        {NEED_ALONE, "shared"}, {NEED_WATCH, "no watch"}, {NEED_TEND, "no tend"},
        {NEED_CONNECTION, "no connection"}};

    for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
        if (missing & lacks[i].bit)
            return lacks[i].words;
    }
    return "";
}

const char *code_name(int32_t code)
{
    static const struct {
        int32_t code;
        const char *name;
    } names[] = {{DRAY_OK, "ok"}, {DRAY_EXISTS, "exists"}, {DRAY_DUPLICATE, "duplicate"},
        {DRAY_CONFLICT, "conflict"}, {DRAY_STALE, "stale"}, {DRAY_NOTFOUND, "not found"},
        {DRAY_CANCELLED, "cancelled"}, {DRAY_FAILED, "failed"}, {DRAY_EMPTY, "empty"},
        {DRAY_BUSY, "busy"}, {DRAY_FULL, "full"}, {DRAY_LIMIT, "limit"}, {DRAY_INVALID, "invalid"},
        {DRAY_UNSUPPORTED, "unsupported"}, {DRAY_CLOSED, "closed"}, {DRAY_FORKED, "forked"},
        {DRAY_NOMEM, "out of memory"}, {DRAY_UNREACHABLE, "unreachable"}, {DRAY_DENIED, "denied"},
        {DRAY_IO, "i/o error"}, {DRAY_CONFIG, "configuration"}, {DRAY_UNKNOWN, "unknown"},
        {DRAY_POISONED, "poisoned"}, {DRAY_CORRUPT, "corrupt"}};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].code == code)
            return names[i].name;
    }
    return "a code that does not exist";
}
