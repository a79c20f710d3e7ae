/* SPDX-License-Identifier: Apache-2.0 */
#include "peers.h"

#include "stopwatch.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char peer_payload[PEER_PAYLOAD_LEN + 1] =
    "{\"to\":\"ada@example.org\",\"subject\":\"Your "
    "receipt\",\"template\":\"receipt-2\",\"order\":41972,"
    "\"locale\":\"en\"}";

void peer_idle_gap(void)
{
    struct timespec gap = {.tv_nsec = 500 * 1000};
    nanosleep(&gap, NULL);
}

void peer_latencies(struct sample *out, double *latencies, size_t n)
{
    out->values[0] = stopwatch_quantile(latencies, n, 0.50);
    out->values[1] = stopwatch_quantile(latencies, n, 0.99);
}

/* A peer that this build may lack: `peer` is NULL then. */
struct candidate {
    const char *name;
    const struct peer *peer;
};

#ifdef BENCH_GLIB
#define GLIB_PEER &peer_glib
#else
#define GLIB_PEER NULL
#endif
#ifdef BENCH_UV
#define UV_PEER &peer_uv
#else
#define UV_PEER NULL
#endif
#ifdef BENCH_SQLITE
#define SQLITE_100_PEER &peer_sqlite_100
#define SQLITE_1_PEER &peer_sqlite_1
#else
#define SQLITE_100_PEER NULL
#define SQLITE_1_PEER NULL
#endif

#ifdef BENCH_HIREDIS
#define REDIS_100_PEER &peer_redis_100
#define REDIS_VARIADIC_PEER &peer_redis_variadic
#define REDIS_TRIP_PEER &peer_redis_trip
#else
#define REDIS_100_PEER NULL
#define REDIS_VARIADIC_PEER NULL
#define REDIS_TRIP_PEER NULL
#endif

static const struct candidate in_memory[] = {
    {"GLib", GLIB_PEER},
    {"libuv", UV_PEER},
    {"bare queue", &peer_queue},
    {"bare condvar", &peer_handoff},
};
static const struct candidate in_sqlite[] = {
    {"bare SQLite, by 100", SQLITE_100_PEER},
    {"bare SQLite, by 1", SQLITE_1_PEER},
    {"bare condvar", &peer_handoff},
};
static const struct candidate in_log[] = {
    {"bare log file", &peer_append},
    {"beanstalkd", &peer_beanstalkd},
    {"bare condvar", &peer_handoff},
};
static const struct candidate in_redis[] = {
    {"bare redis, by 100", REDIS_100_PEER},
    {"bare redis, variadic", REDIS_VARIADIC_PEER},
    {"bare round trip", REDIS_TRIP_PEER},
    {"bare condvar", &peer_handoff},
};
static const struct candidate elsewhere[] = {
    {"bare condvar", &peer_handoff},
};

size_t peers_for(const char *driver, int quick, const struct peer *out[CONTEST_SIDES], char *absent,
    size_t absent_size)
{
    const struct candidate *candidates = elsewhere;
    size_t n = 1;
    if (quick) {
        candidates = in_memory;
        n = sizeof(in_memory) / sizeof(in_memory[0]);
    } else if (strcmp(driver, "sqlite") == 0) {
        candidates = in_sqlite;
        n = sizeof(in_sqlite) / sizeof(in_sqlite[0]);
    } else if (strcmp(driver, "redis") == 0) {
        candidates = in_redis;
        n = sizeof(in_redis) / sizeof(in_redis[0]);
    } else if (strcmp(driver, "file") == 0) {
        candidates = in_log;
        n = sizeof(in_log) / sizeof(in_log[0]);
    }
    size_t found = 0;
    absent[0] = 0;
    for (size_t i = 0; i < n; i++) {
        const struct peer *peer = candidates[i].peer;
        if (peer && (peer != &peer_beanstalkd || beanstalkd_is_there())) {
            out[found++] = peer;
            continue;
        }
        size_t len = strlen(absent);
        snprintf(absent + len, absent_size - len, "%s%s", len ? ", " : "", candidates[i].name);
    }
    return found;
}
