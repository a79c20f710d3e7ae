/* SPDX-License-Identifier: Apache-2.0 */
/* A handler module, compiled many times over like broken_driver.c. */
#include "dray/module.h"

#include <stdio.h>
#include <string.h>

static int greet(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    (void)user;
    return DRAY_OK;
}

/* The state counts what happens to it, so that a test can look. */
static int counts[2];

static int start(const char *options, void **state, struct dray_error *error)
{
#if defined(BREAK_INIT)
    (void)state;
    snprintf(error->text, sizeof(error->text), "no such colour in %s", options);
    return DRAY_CONFIG;
#else
    (void)error;
    counts[0]++;
    *state = strcmp(options, "{}") == 0 ? counts : NULL;
    return DRAY_OK;
#endif
}

static void end(void *state)
{
    (void)state;
    counts[1]++;
}

static const struct dray_module_handler handlers[] = {
#if defined(BREAK_TYPE)
    {.type = "not a type", .fn = greet},
#elif defined(BREAK_FUNCTION)
    {.type = "greet"},
#else
    {.type = "greet", .fn = greet, .options = {.max_attempts = 3}},
#endif
#if defined(BREAK_TWICE)
    {.type = "greet", .fn = greet},
#else
    {.type = "greet-again", .fn = greet},
#endif
};

#if defined(BREAK_MAGIC) || defined(BREAK_ABI) || defined(BREAK_SIZE) || defined(BREAK_EMPTY)
const struct dray_module *dray_module_entry(void)
{
    static const struct dray_module module = {
        .magic = DRAY_MODULE_MAGIC
#if defined(BREAK_MAGIC)
                 + 1
#endif
        ,
        .abi = DRAY_MODULE_ABI
#if defined(BREAK_ABI)
               + 1
#endif
        ,
        .size = sizeof(struct dray_module)
#if defined(BREAK_SIZE)
                - 16
#endif
        ,
        .handler_size = sizeof(struct dray_module_handler),
        .handlers = handlers,
#if !defined(BREAK_EMPTY)
        .nhandlers = 1,
#endif
        .init = start,
        .fini = end,
    };
    return &module;
}
#else
DRAY_MODULE(handlers, start, end)
#endif
