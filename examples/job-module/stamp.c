/* SPDX-License-Identifier: CC0-1.0 */
/*
 * Shows: a handler module, a shared object that any worker loads by its path. What the handlers
 * share - here an open file - is made once by init from the configuration's `options` and put away
 * by fini; the handler gets it as `user`.
 */
#include <dray/module.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Makes the shared state. `options` is the map of the configuration as JSON. */
static int stamp_open(const char *options, void **state, struct dray_error *error)
{
    json_t *map = json_loads(options, 0, NULL);
    const char *path = json_string_value(json_object_get(map, "book"));
    FILE *book = path ? fopen(path, "ae") : NULL;
    if (!path)
        snprintf(error->text, sizeof(error->text), "options: book is missing: the file to write");
    else if (!book)
        snprintf(error->text, sizeof(error->text), "%s: %s", path, strerror(errno));
    json_decref(map);
    *state = book;
    return book ? DRAY_OK : DRAY_CONFIG;
}

static void stamp_close(void *state)
{
    if (state)
        fclose(state);
}

/* One attempt of a job. Several may run at once; stdio locks the file for each line. */
static int stamp(struct dray_attempt *attempt, void *user)
{
    FILE *book = user;
    const char *parcel = json_string_value(json_object_get(dray_attempt_json(attempt), "parcel"));
    if (!parcel)
        return dray_attempt_give_up(attempt, "the payload needs a parcel");
    if (fprintf(book, "%s %s\n", dray_attempt_id(attempt), parcel) < 0 || fflush(book) != 0)
        return dray_attempt_fail(attempt, "cannot write: %s", strerror(errno));
    return dray_attempt_result(attempt, "{\"stamped\":true}");
}

static const struct dray_module_handler handlers[] = {
    {.type = "stamp",
        .fn = stamp,
        .options = {.max_attempts = 3,
            .backoff = {.strategy = DRAY_BACKOFF_LINEAR, .base_ms = 1000}}},
};

DRAY_MODULE(handlers, stamp_open, stamp_close)
