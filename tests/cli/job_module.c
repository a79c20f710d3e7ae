/* SPDX-License-Identifier: Apache-2.0 */
/* Handlers that the tests of modules have `dray work` run. */
#include <dray/module.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The options that the configuration gave, as the result. */
static int tell(struct dray_attempt *attempt, void *user)
{
    dray_attempt_result(attempt, user);
    return DRAY_OK;
}

static int fail_once(struct dray_attempt *attempt, void *user)
{
    (void)user;
    if (dray_attempt_number(attempt) == 1)
        return dray_attempt_fail(attempt, "no route to %s", dray_attempt_id(attempt));
    return DRAY_OK;
}

static int fail_always(struct dray_attempt *attempt, void *user)
{
    (void)user;
    return dray_attempt_fail(
        attempt, "attempt %u of %u", dray_attempt_number(attempt), dray_attempt_max(attempt));
}

static int give_up(struct dray_attempt *attempt, void *user)
{
    (void)user;
    return dray_attempt_give_up(attempt, "hopeless");
}

static int crash(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    (void)user;
    abort();
}

static const struct dray_module_handler handlers[] = {
    {.type = "tell", .fn = tell},
    {.type = "fail-once", .fn = fail_once, .options = {.backoff = {DRAY_BACKOFF_NONE, 0, 0, 0}}},
    {.type = "fail-always",
        .fn = fail_always,
        .options = {.max_attempts = 3, .backoff = {DRAY_BACKOFF_NONE, 0, 0, 0}}},
    {.type = "give-up", .fn = give_up},
    {.type = "crash", .fn = crash},
};

static int start(const char *options, void **state, struct dray_error *error)
{
    if (strstr(options, "broken")) {
        snprintf(error->text, sizeof(error->text), "it is broken");
        return DRAY_CONFIG;
    }
    *state = strdup(options);
    return *state ? DRAY_OK : DRAY_NOMEM;
}

/* A file says that the end was reached. */
static void end(void *state)
{
    FILE *file = fopen("ended", "a");
    if (file) {
        fprintf(file, "%s\n", (char *)state);
        fclose(file);
    }
    free(state);
}

DRAY_MODULE(handlers, start, end)
