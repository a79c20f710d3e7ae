/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody would write on a bare Redis client, on the very server that Dray is measured on: a
 * hash of payloads, a list of ids, and a record of what is leased. One dispatcher and one worker,
 * a connection each, jobs pushed as they come and taken and acked by up to 100.
 *
 * "by 100" sends several commands a job, many jobs a round trip, as most queues do. "variadic"
 * names all jobs of a batch in one command each and writes one lease record a batch. "bare round
 * trip" only appends to a list, and its taker sleeps in a blocking pop.
 */
#include "peers.h"
#include "redis_server.h"
#include "stopwatch.h"
#include "subject.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_MAX 1000u
#define TAKE_MAX 100u
#define ID_LEN 36u /* as long as Dray's */
#define KEY "dray-bench-bare"

struct bare {
    redisContext *in, *out; /* of the dispatcher and of the worker */
    int variadic;
    uint64_t pushed;
    atomic_int closed;
    int failed;
    struct lap begun, spent; /* until the last ack */
    struct tally tally;
};

/* The words of a variadic command: name, key, then what is added. */
struct words {
    const char *text[2 + 2 * BATCH_MAX];
    size_t len[2 + 2 * BATCH_MAX];
    int n;
};

static void word(struct words *words, const char *text, size_t len)
{
    words->text[words->n] = text;
    words->len[words->n++] = len;
}

static void begin(struct words *words, const char *command, const char *key)
{
    words->n = 0;
    word(words, command, strlen(command));
    word(words, key, strlen(key));
}

static void append(redisContext *context, struct words *words)
{
    redisAppendCommandArgv(context, words->n, words->text, words->len);
}

/* ------------------------------------------------------------------------------------------- */
/* In                                                                                          */
/* ------------------------------------------------------------------------------------------- */

static int put_variadic(struct bare *bare, char (*ids)[ID_LEN + 1], unsigned n)
{
    struct words words;
    begin(&words, "HSET", KEY ":jobs");
    for (unsigned i = 0; i < n; i++) {
        word(&words, ids[i], ID_LEN);
        word(&words, peer_payload, PEER_PAYLOAD_LEN);
    }
    append(bare->in, &words);
    begin(&words, "RPUSH", KEY ":ready");
    for (unsigned i = 0; i < n; i++)
        word(&words, ids[i], ID_LEN);
    append(bare->in, &words);
    return redis_server_skip(bare->in, 2);
}

static int bare_put(void *arg, unsigned n)
{
    struct bare *bare = arg;
    char ids[BATCH_MAX][ID_LEN + 1];
    if (n > BATCH_MAX)
        return -1;
    for (unsigned i = 0; i < n; i++)
        snprintf(ids[i], sizeof(ids[i]), "%036" PRIu64, bare->pushed++);
    if (bare->variadic)
        return put_variadic(bare, ids, n);
    for (unsigned i = 0; i < n; i++) {
        redisAppendCommand(bare->in, "HSET " KEY ":jobs %s %s", ids[i], peer_payload);
        redisAppendCommand(bare->in, "RPUSH " KEY ":ready %s", ids[i]);
    }
    return redis_server_skip(bare->in, 2 * n);
}

/* ------------------------------------------------------------------------------------------- */
/* Out                                                                                         */
/* ------------------------------------------------------------------------------------------- */

struct taken {
    char ids[TAKE_MAX][ID_LEN + 1];
    unsigned n;
};

/* Adds the id of an answer, if it is one. */
static void note_id(struct taken *taken, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_STRING && reply->len == ID_LEN && taken->n < TAKE_MAX)
        snprintf(taken->ids[taken->n++], ID_LEN + 1, "%s", reply->str);
}

/* Sends the acks of what was run, and reads the next ids. */
static int ack_and_take(struct bare *bare, struct taken *taken)
{
    unsigned skip = taken->n ? 2 * taken->n : 0;
    if (bare->variadic && taken->n) {
        struct words words;
        begin(&words, "HDEL", KEY ":jobs");
        for (unsigned i = 0; i < taken->n; i++)
            word(&words, taken->ids[i], ID_LEN);
        append(bare->out, &words);
        redisAppendCommand(bare->out, "HDEL " KEY ":leases %s", taken->ids[0]);
        skip = 2;
    }
    for (unsigned i = 0; !bare->variadic && i < taken->n; i++) {
        redisAppendCommand(bare->out, "HDEL " KEY ":jobs %s", taken->ids[i]);
        redisAppendCommand(bare->out, "ZREM " KEY ":leases %s", taken->ids[i]);
    }
    unsigned answers = bare->variadic ? 1 : TAKE_MAX;
    for (unsigned i = 0; i < answers; i++)
        redisAppendCommand(
            bare->out, bare->variadic ? "LPOP " KEY ":ready 100" : "LPOP " KEY ":ready");
    if (redis_server_skip(bare->out, skip) != 0)
        return -1;
    taken->n = 0;
    for (unsigned i = 0; i < answers; i++) {
        redisReply *reply = redis_server_answer(bare->out);
        if (!reply)
            return -1;
        note_id(taken, reply);
        for (size_t j = 0; reply->type == REDIS_REPLY_ARRAY && j < reply->elements; j++)
            note_id(taken, reply->element[j]);
        freeReplyObject(reply);
    }
    return 0;
}

/* Records the leases and reads the payloads: a trip of its own, since it needs the ids. */
static int lease_and_read(struct bare *bare, const struct taken *taken)
{
    struct words words;
    if (!bare->variadic) {
        for (unsigned i = 0; i < taken->n; i++) {
            redisAppendCommand(bare->out, "ZADD " KEY ":leases 1800000000000 %s", taken->ids[i]);
            redisAppendCommand(bare->out, "HGET " KEY ":jobs %s", taken->ids[i]);
        }
        return redis_server_skip(bare->out, 2 * taken->n);
    }
    redisAppendCommand(bare->out, "HSET " KEY ":leases %s %b", taken->ids[0], taken->ids,
        (size_t)taken->n * (ID_LEN + 1));
    begin(&words, "HMGET", KEY ":jobs");
    for (unsigned i = 0; i < taken->n; i++)
        word(&words, taken->ids[i], ID_LEN);
    append(bare->out, &words);
    return redis_server_skip(bare->out, 2);
}

/* Sleeps until there is a job; it goes back to where it was. */
static int wait_for_job(struct bare *bare)
{
    redisAppendCommand(bare->out, "BLMOVE " KEY ":ready " KEY ":ready LEFT LEFT 0.05");
    return redis_server_skip(bare->out, 1);
}

static void *worker_main(void *arg)
{
    struct bare *bare = arg;
    struct taken taken = {.n = 0};
    int rc = 0;
    while (rc == 0) {
        unsigned acked = taken.n;
        rc = ack_and_take(bare, &taken);
        if (acked)
            bare->spent = stopwatch_since(&bare->begun);
        if (rc == 0 && taken.n == 0) {
            if (atomic_load(&bare->closed))
                return NULL;
            rc = wait_for_job(bare);
        } else if (rc == 0) {
            rc = lease_and_read(bare, &taken);
            for (unsigned i = 0; rc == 0 && i < taken.n; i++)
                tally_hit(&bare->tally);
        }
    }
    bare->failed = 1;
    return NULL;
}

/* ------------------------------------------------------------------------------------------- */
/* Sides                                                                                       */
/* ------------------------------------------------------------------------------------------- */

static int bare_open(struct bare *bare, const struct load *load, int variadic)
{
    memset(bare, 0, sizeof(*bare));
    bare->variadic = variadic;
    bare->in = redis_server_connect(load->subject->server);
    bare->out = bare->in ? redis_server_connect(load->subject->server) : NULL;
    if (!bare->out) {
        if (bare->in)
            redisFree(bare->in);
        return -1;
    }
    tally_init(&bare->tally);
    redisAppendCommand(bare->in, "DEL " KEY ":jobs " KEY ":ready " KEY ":leases");
    return redis_server_skip(bare->in, 1);
}

static int bare_close(struct bare *bare)
{
    redisAppendCommand(bare->in, "DEL " KEY ":jobs " KEY ":ready " KEY ":leases");
    int rc = redis_server_skip(bare->in, 1);
    redisFree(bare->in);
    redisFree(bare->out);
    tally_done(&bare->tally);
    return rc;
}

static uint64_t count_waiting(struct bare *bare)
{
    redisAppendCommand(bare->in, "LLEN " KEY ":ready");
    redisReply *reply = redis_server_answer(bare->in);
    uint64_t n = reply && reply->integer > 0 ? (uint64_t)reply->integer : 0;
    if (reply)
        freeReplyObject(reply);
    return n;
}

static int bare_dispatch(const struct load *load, struct sample *out, int variadic)
{
    struct bare bare;
    struct handed_in in = {.jobs = 0};
    if (bare_open(&bare, load, variadic) != 0)
        return -1;
    struct load one = *load;
    one.dispatchers = 1; /* one connection */
    int rc = crowd_dispatch(&one, bare_put, &bare, &in);
    stopwatch_rates(out->values, in.jobs, &in.spent);
    out->dispatched = in.jobs;
    out->handled = count_waiting(&bare);
    return bare_close(&bare) | rc;
}

/* `backlog`: hand everything in before the clock and the worker start. */
static int bare_work(const struct load *load, struct sample *out, int variadic, int backlog)
{
    struct bare bare;
    struct handed_in in = {.jobs = 0};
    pthread_t worker;
    struct load one = *load;
    one.dispatchers = 1; /* one connection */
    if (bare_open(&bare, load, variadic) != 0)
        return -1;
    int rc = backlog ? crowd_dispatch(&one, bare_put, &bare, &in) : 0;
    bare.begun = stopwatch_start();
    if (rc == 0)
        rc = pthread_create(&worker, NULL, worker_main, &bare) == 0 ? 0 : -1;
    if (rc == 0) {
        if (!backlog)
            rc = crowd_dispatch(&one, bare_put, &bare, &in);
        rc |= tally_wait(&bare.tally, in.jobs);
        atomic_store(&bare.closed, 1);
        pthread_join(worker, NULL);
        stopwatch_rates(out->values, in.jobs, &bare.spent);
        rc |= bare.failed ? -1 : 0;
    }
    out->dispatched = in.jobs;
    out->handled = atomic_load(&bare.tally.handled);
    return bare_close(&bare) | rc;
}

static int by_100_dispatch(const struct load *load, struct sample *out)
{
    return bare_dispatch(load, out, 0);
}

static int by_100_end_to_end(const struct load *load, struct sample *out)
{
    return bare_work(load, out, 0, 0);
}

static int by_100_drain(const struct load *load, struct sample *out)
{
    return bare_work(load, out, 0, 1);
}

static int variadic_dispatch(const struct load *load, struct sample *out)
{
    return bare_dispatch(load, out, 1);
}

static int variadic_end_to_end(const struct load *load, struct sample *out)
{
    return bare_work(load, out, 1, 0);
}

static int variadic_drain(const struct load *load, struct sample *out)
{
    return bare_work(load, out, 1, 1);
}

const struct peer peer_redis_100 = {
    .name = "bare redis, by 100",
    .dispatch = by_100_dispatch,
    .end_to_end = by_100_end_to_end,
    .drain = by_100_drain,
};

const struct peer peer_redis_variadic = {
    .name = "bare redis, variadic",
    .dispatch = variadic_dispatch,
    .end_to_end = variadic_end_to_end,
    .drain = variadic_drain,
};
