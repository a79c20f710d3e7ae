/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include "host/error.h"
#include "store/host.h"
#include "store/registry.h"

#include <stdlib.h>
#include <string.h>

/* Real time that a driver may spend on opening: connecting, recovering, rebuilding. */
#define OPEN_BUDGET_MS 30000u

/* What is behind a store: one block, so that one free gives all of it back. */
struct opened {
    struct store store;
    struct store_host host;
    struct found_driver found;
    struct option_values *values;
    char name[33];
};

void store_call_init(struct dray_call *call, struct dray_error *error, uint32_t budget_ms)
{
    *call = (struct dray_call){
        .size = sizeof(*call),
        .budget_ms = budget_ms,
        .error = error,
        .next_ms = DRAY_NEXT_UNKNOWN,
    };
}

static const char *durability_name(uint32_t level)
{
    static const char *const names[] = {"none", "volatile", "process", "host", "replicated"};
    return level < sizeof(names) / sizeof(names[0]) ? names[level] : "unheard-of";
}

/* Finds the driver and reads its options. The block is for release. */
static int prepare(struct opened **out, const struct config *config, struct dray_error *error)
{
    struct opened *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return error_set(error, DRAY_NOMEM, 0, "open: out of memory");
    int code = registry_find(config, &opened->found, error);
    if (code == DRAY_OK)
        code = option_values_read(&opened->values, config, &opened->found.driver, error);
    if (code != DRAY_OK) {
        free(opened);
        return code;
    }
    struct store *store = &opened->store;
    store->driver = opened->found.driver;
    memcpy(opened->name, store->driver.name, strlen(store->driver.name) + 1);
    store->name = opened->name;
    store->path = opened->found.path[0] ? opened->found.path : NULL;
    store->host = &opened->host;
    *out = opened;
    return DRAY_OK;
}

static void release(struct opened *opened)
{
    free(opened->store.self);
    option_values_free(opened->values);
    free(opened);
}

/* A driver that gives less than was asked for should have said so itself. */
static int check_durability(
    const struct store *store, uint32_t wish, uint32_t given, struct dray_error *error)
{
    if (given > DRAY_DURABILITY_REPLICATED)
        return error_set(error, DRAY_CONFIG, 0,
            "driver %s reports the durability %u, which does not exist", store->name, given);
    if (given < wish)
        return error_set(error, DRAY_UNSUPPORTED, 0,
            "driver %s gives durability %s, %s is asked for; lower queue.%s.durability or use "
            "another driver",
            store->name, durability_name(given), durability_name(wish), store->name);
    return DRAY_OK;
}

static int call_open(struct store *store, uint32_t wish, struct dray_error *error)
{
    struct dray_error reason = DRAY_ERROR_INIT;
    struct dray_call call;
    store_call_init(&call, &reason, OPEN_BUDGET_MS);
    call.durability = wish;
    int code = store->driver.open(store->self, &call, &store->host->table);
    if (code != DRAY_OK) {
        if (code < DRAY_BUSY || strcmp(dray_code_name(code), dray_code_name(-1)) == 0)
            return error_set(error, DRAY_UNKNOWN, 0,
                "driver %s: open answered %d, which is no error code", store->name, code);
        if (!reason.text[0])
            return error_set(error, code, 0, "driver %s: open failed (%s) without a reason",
                store->name, dray_code_name(code));
        reason.code = code;
        return error_copy(error, &reason);
    }
    /* A driver that says nothing has promised nothing. */
    store->durability = call.durability ? call.durability : DRAY_DURABILITY_VOLATILE;
    return check_durability(store, wish, store->durability, error);
}

int store_open(struct store **out, const struct config *config, struct dray_clock *clock,
    const struct log *log, struct dray_error *error)
{
    struct opened *opened = NULL;
    int code = prepare(&opened, config, error);
    if (code != DRAY_OK)
        return code;
    struct store *store = &opened->store;
    store_host_init(&opened->host, store->name, clock, log, opened->values);
    /* calloc aligns for any type. */
    store->self = calloc(1, store->driver.instance_size ? store->driver.instance_size : 1);
    if (!store->self) {
        release(opened);
        return error_set(error, DRAY_NOMEM, 0, "open: out of memory");
    }
    code = call_open(store, config->durability, error);
    if (code != DRAY_OK) {
        store_close(store);
        /* What else a driver refuses as unsupported is no matter of one line. */
        int theirs = code == DRAY_UNSUPPORTED && config->durability;
        return theirs ? config_place(config, config->durability_line, code, error) : code;
    }
    *out = store;
    return DRAY_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store->driver.close(store->self);
    release((struct opened *)(void *)store);
}

int store_check(
    const struct config *config, dray_config_fn each, void *user, struct dray_error *error)
{
    struct opened *opened = NULL;
    int code = prepare(&opened, config, error);
    if (code != DRAY_OK)
        return code;
    if (each)
        code = config_each(config, opened->values, &opened->store.driver, each, user);
    release(opened);
    return code;
}
