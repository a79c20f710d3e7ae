/* SPDX-License-Identifier: Apache-2.0 */
#include "journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static struct journal own;
static struct journal *shared = &own;
static int echoed;

struct journal *journal_open(void)
{
    void *memory = mmap(
        NULL, sizeof(struct journal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    shared = memory;
    return shared;
}

void journal_begin(int echo)
{
    memset(shared, 0, sizeof(*shared));
    echoed = echo;
}

void journal_leave(void)
{
    memset(&own, 0, sizeof(own));
    shared = &own;
    echoed = 0;
}

struct journal *journal_now(void)
{
    return shared;
}

void journal_where(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(shared->where, sizeof(shared->where), fmt, args);
    va_end(args);
}

void journal_doing(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(shared->doing, sizeof(shared->doing), fmt, args);
    va_end(args);
    atomic_fetch_add(&shared->moves, 1);
}

void journal_add(const char *fmt, ...)
{
    char *line = shared->lines[shared->nlines++ % JOURNAL_LINES];
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof(shared->lines[0]), fmt, args);
    va_end(args);
    shared->doing[0] = 0;
    if (echoed)
        printf("    %s%s%s\n", shared->where, shared->where[0] ? ": " : "", line);
}

const char *journal_line(const struct journal *journal, uint64_t index)
{
    uint64_t first = journal->nlines > JOURNAL_LINES ? journal->nlines - JOURNAL_LINES : 0;

    return first + index < journal->nlines ? journal->lines[(first + index) % JOURNAL_LINES] : NULL;
}
