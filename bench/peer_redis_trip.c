/* SPDX-License-Identifier: Apache-2.0 */
/* One command a call, and a blocking pop: what a trip to the server costs at all. */
#include "peers.h"
#include "redis_server.h"
#include "stopwatch.h"
#include "subject.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#define KEY "dray-bench-trip"
#define BATCH_MAX 1000u

static int trip_put(void *arg, unsigned n)
{
    redisContext *context = arg;
    const char *words[2 + BATCH_MAX] = {"RPUSH", KEY};
    size_t lens[2 + BATCH_MAX] = {5, strlen(KEY)};
    if (n > BATCH_MAX)
        return -1;
    for (unsigned i = 0; i < n; i++) {
        words[2 + i] = peer_payload;
        lens[2 + i] = PEER_PAYLOAD_LEN;
    }
    redisAppendCommandArgv(context, (int)n + 2, words, lens);
    return redis_server_skip(context, 1);
}

static int trip_dispatch(const struct load *load, struct sample *out)
{
    struct handed_in in = {.jobs = 0};
    struct load one = *load;
    one.dispatchers = 1; /* one connection */
    redisContext *context = redis_server_connect(load->subject->server);
    if (!context)
        return -1;
    int rc = crowd_dispatch(&one, trip_put, context, &in);
    stopwatch_rates(out->values, in.jobs, &in.spent);
    redisAppendCommand(context, "LLEN " KEY);
    redisReply *reply = redis_server_answer(context);
    out->dispatched = in.jobs;
    out->handled = reply ? (uint64_t)reply->integer : 0;
    if (reply)
        freeReplyObject(reply);
    redisAppendCommand(context, "DEL " KEY);
    rc |= redis_server_skip(context, 1);
    redisFree(context);
    return rc;
}

struct taker {
    redisContext *context;
    uint64_t picked_up_ns;
    int failed;
    sem_t taken;
};

/* Pops until an empty text comes. */
static void *taker_main(void *arg)
{
    struct taker *taker = arg;
    for (int more = 1; more;) {
        redisAppendCommand(taker->context, "BLPOP " KEY " 20");
        redisReply *reply = redis_server_answer(taker->context);
        taker->picked_up_ns = stopwatch_ns();
        taker->failed = !reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2;
        more = !taker->failed && reply->element[1]->len > 0;
        if (reply)
            freeReplyObject(reply);
        sem_post(&taker->taken);
    }
    return NULL;
}

static size_t hand_over(
    struct taker *taker, redisContext *context, const struct load *load, double *latencies)
{
    uint64_t begin = stopwatch_ns();
    size_t n = 0;
    while (n < load->jobs && stopwatch_ns() - begin < load->limit_ns && !taker->failed) {
        peer_idle_gap();
        uint64_t handed_in = stopwatch_ns();
        if (trip_put(context, 1) != 0)
            break;
        while (sem_wait(&taker->taken) != 0) {
        }
        latencies[n++] = (double)(taker->picked_up_ns - handed_in) / 1000;
    }
    return n;
}

static int trip_pickup(const struct load *load, struct sample *out)
{
    double *latencies = calloc(load->jobs, sizeof(*latencies));
    struct taker taker = {.context = redis_server_connect(load->subject->server)};
    redisContext *context = taker.context ? redis_server_connect(load->subject->server) : NULL;
    pthread_t thread;
    int rc = -1;
    sem_init(&taker.taken, 0, 0);
    if (latencies && context && pthread_create(&thread, NULL, taker_main, &taker) == 0) {
        size_t n = hand_over(&taker, context, load, latencies);
        redisAppendCommand(context, "RPUSH " KEY " %s", "");
        rc = redis_server_skip(context, 1);
        pthread_join(thread, NULL);
        rc |= taker.failed ? -1 : 0;
        peer_latencies(out, latencies, n);
        out->dispatched = n;
        out->handled = n;
    }
    sem_destroy(&taker.taken);
    if (context)
        redisFree(context);
    if (taker.context)
        redisFree(taker.context);
    free(latencies);
    return rc;
}

const struct peer peer_redis_trip = {
    .name = "bare round trip",
    .dispatch = trip_dispatch,
    .pickup = trip_pickup,
};
