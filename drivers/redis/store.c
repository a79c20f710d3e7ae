/* SPDX-License-Identifier: Apache-2.0 */
#include "redis/store.h"

#include "redis/server.h"

#include <string.h>
#include <time.h>

int64_t store_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t store_now(const struct store *store)
{
    if (!store->host_clock)
        return 0;
    int64_t now = store->host->mono_ms(store->host) + store->ahead_ms;
    return now > 0 ? (uint64_t)now : 1;
}

int64_t store_schedule(const struct store *store, int64_t run_at_ms)
{
    if (!store->host_clock)
        return run_at_ms;
    return run_at_ms - store->host->wall_ms(store->host) + (int64_t)store_now(store);
}

/* The prefix is part of key names, between braces and before a colon. */
static int32_t check_prefix(struct store *store, struct dray_call *call)
{
    static const char fit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-";
    const char *prefix = store->prefix;
    if (prefix && prefix[0] && strlen(prefix) <= STORE_PREFIX_MAX &&
        prefix[strspn(prefix, fit)] == 0)
        return DRAY_OK;
    return store->host->fail(call, DRAY_CONFIG, 0,
        "prefix must be 1 to %u of letters, digits and . _ : / -", STORE_PREFIX_MAX);
}

/* Loopback by name or number. What looks like it and is not gives a warning too few. */
static int is_near(const struct place *place)
{
    return !place->port || strcmp(place->host, "localhost") == 0 ||
           strcmp(place->host, "::1") == 0 || strncmp(place->host, "127.", 4) == 0;
}

/* What works, and may not be what somebody wants. `wanted`: the durability asked for, or 0. */
static void warn(const struct store *store, uint32_t wanted)
{
    const struct dray_host *host = store->host;
    const char *password = host->text(host, "connection.password", 0);
    if (!is_near(&store->link.place) && !(password && password[0]))
        host->log(host, DRAY_LOG_WARN,
            "%s: reached over a network without a password: whoever reaches it can read, change "
            "and start jobs; give the server a user and this connection its password",
            store->link.where);
    if (store->durability == DRAY_DURABILITY_VOLATILE && wanted != DRAY_DURABILITY_VOLATILE)
        host->log(host, DRAY_LOG_WARN,
            "%s: keeps no append-only file, so durability is volatile: what waits is lost when the "
            "server stops; set appendonly yes, or ask for durability: volatile",
            store->link.where);
}

int32_t store_open(void *self, struct dray_call *call, const struct dray_host *host)
{
    struct store *store = self;
    store->host = host;
    store->plan.host = store->bulk.host = store->lens.host = host;
    store->keys.host = store->words.host = store->bell.channels.host = host;
    store->prefix = host->text(host, "prefix", 0);
    store->dedupe_ms = host->number(host, "dedupe_keep");
    store->host_clock = host->number(host, "clock") == 1;
    store->ahead_ms = host->wall_ms(host) - host->mono_ms(host);
    int32_t code = check_prefix(store, call);
    if (code == DRAY_OK)
        code = link_init(store, call);
    if (code != DRAY_OK)
        return code;
    uint32_t wanted = call->durability;
    link_begin(store, call);
    code = link_ready(store, call);
    if (code == DRAY_OK)
        code = server_durability(store, call);
    if (code == DRAY_OK)
        warn(store, wanted);
    return code;
}

void store_close(void *self)
{
    struct store *store = self;
    if (!store->host)
        return;
    bell_close(store);
    link_close(store);
    lookups_free(&store->lookups);
    listings_free(store);
    buffer_free(&store->plan);
    buffer_free(&store->bulk);
    buffer_free(&store->lens);
    buffer_free(&store->keys);
    buffer_free(&store->words);
}
