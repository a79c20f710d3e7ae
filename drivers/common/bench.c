/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the job table costs by itself: nanoseconds a job for pushing, and for a turn that settles
 * the last batch and reserves the next, on top of a standing backlog; bytes a waiting job.
 *
 *     table_bench [BACKLOG [BATCH]]
 */
#include "common/volatile.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH_MAX 1024u
#define PAYLOAD 100u

struct bench {
    struct dray_call call;
    struct dray_error error;
    struct volatile_store store;
    uint32_t batch, held;
    uint64_t serial, nonce;
    struct dray_job jobs[BATCH_MAX];
    const struct dray_job *job_list[BATCH_MAX];
    struct dray_lease leases[BATCH_MAX];
    const struct dray_lease *lease_list[BATCH_MAX];
    char ids[BATCH_MAX][64];
    char leased_ids[BATCH_MAX][64];
    int32_t answers[BATCH_MAX];
};

static const struct dray_str queue = {"default", 7};
static const struct dray_str type = {"send-welcome", 12};
static char payload[PAYLOAD];

static int64_t wall_ms(const struct dray_host *host)
{
    struct timespec now;

    (void)host;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t mono_ms(const struct dray_host *host)
{
    struct timespec now;

    (void)host;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *resize(const struct dray_host *host, void *block, size_t size)
{
    (void)host;
    if (size)
        return realloc(block, size);
    free(block);
    return NULL;
}

static int32_t randomness(const struct dray_host *host, void *out, size_t len)
{
    (void)host;
    memset(out, 0x5a, len);
    return DRAY_OK;
}

DRAY_PRINTF(4, 5)
static int32_t fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
{
    va_list args;

    (void)call;
    (void)sys;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
    return code;
}

static int64_t number(const struct dray_host *host, const char *option)
{
    (void)host;
    (void)option;
    return 100000000;
}

static const struct dray_host host = {.size = sizeof(host),
    .abi = DRAY_ABI,
    .boot_id = "bench",
    .wall_ms = wall_ms,
    .mono_ms = mono_ms,
    .resize = resize,
    .random = randomness,
    .fail = fail,
    .number = number};

/* Of this process alone: what else the machine does is left out, but for its use of the caches. */
static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct bench *bench_of(struct dray_call *call)
{
    return (struct bench *)(void *)((char *)call - offsetof(struct bench, call));
}

/* As the core: keeps what settling needs. */
static void take(struct dray_call *call, const struct dray_job *job)
{
    struct bench *bench = bench_of(call);
    struct dray_lease *lease = &bench->leases[bench->held];

    memcpy(bench->leased_ids[bench->held], job->id.data, job->id.len);
    *lease = (struct dray_lease){.size = sizeof(*lease),
        .verdict = DRAY_VERDICT_DONE,
        .queue = queue,
        .id = {bench->leased_ids[bench->held], job->id.len},
        .type = type,
        .token = job->token,
        .ref = job->ref};
    bench->held++;
}

/* Ids as a UUIDv7 would have them: a rising head, a random tail. */
static void make_ids(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->batch; i++) {
        uint64_t mixed = ++bench->serial * 0x9e3779b97f4a7c15u;
        snprintf(bench->ids[i], sizeof(bench->ids[i]), "%08llx-0000-7000-%04llx-%012llx",
            (unsigned long long)(bench->serial >> 8), (unsigned long long)(mixed >> 48),
            (unsigned long long)(mixed & 0xffffffffffffu));
        bench->jobs[i] = (struct dray_job){.size = sizeof(struct dray_job),
            .priority = DRAY_PRIORITY_NORMAL,
            .id = {bench->ids[i], 36},
            .queue = queue,
            .type = type,
            .payload = {payload, PAYLOAD}};
        bench->job_list[i] = &bench->jobs[i];
        bench->lease_list[i] = &bench->leases[i];
        bench->answers[i] = DRAY_OK;
    }
}

static double push(struct bench *bench)
{
    struct dray_push group = {.size = sizeof(group),
        .queue = queue,
        .jobs = bench->job_list,
        .answers = bench->answers,
        .njobs = bench->batch};

    make_ids(bench);
    double start = seconds();
    if (volatile_push(&bench->store, &bench->call, &group) != DRAY_OK)
        exit(1);
    return seconds() - start;
}

static double turn(struct bench *bench)
{
    struct dray_reserve want = {.size = sizeof(want),
        .max = bench->batch,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = 90000,
        .nonce = ++bench->nonce,
        .owner = {"bench:1", 7},
        .keep_dead_ms = UINT64_MAX,
        .keep_max = UINT64_MAX};
    struct dray_turn work = {.size = sizeof(work),
        .nsettle = bench->held,
        .settle = bench->lease_list,
        .settle_answers = bench->answers,
        .reserve = &want};

    bench->held = 0;
    double start = seconds();
    volatile_turn(&bench->store, &bench->call, &work);
    return seconds() - start;
}

static void run(struct bench *bench, uint32_t backlog)
{
    uint32_t batches = backlog / bench->batch;
    double first = 0, steady_push = 0, steady_turn = 0, drain = 0;
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;

    for (uint32_t i = 0; i < batches; i++)
        first += push(bench);
    size_t bytes = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    for (uint32_t i = 0; i < batches; i++) {
        steady_push += push(bench);
        steady_turn += turn(bench);
    }
    for (uint32_t i = 0; i < batches; i++)
        drain += turn(bench);
    double jobs = (double)batches * bench->batch / 1e9;
    printf("backlog %9u  batch %4u  bytes/job %5.0f  ns/job: push %4.0f  at backlog: push %4.0f  "
           "settle+reserve %4.0f  drain %4.0f\n",
        backlog, bench->batch, (double)bytes / ((double)batches * bench->batch), first / jobs,
        steady_push / jobs, steady_turn / jobs, drain / jobs);
}

int main(int argc, char **argv)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    long backlog = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    long batch = argc > 2 ? strtol(argv[2], NULL, 10) : 100;

    if (!bench || batch < 1 || batch > BATCH_MAX || backlog < batch || backlog > 50000000) {
        fprintf(stderr, "usage: table_bench [BACKLOG [BATCH]] (batches of 1 to %u)\n", BATCH_MAX);
        free(bench);
        return 2;
    }
    bench->batch = (uint32_t)batch;
    bench->call =
        (struct dray_call){.size = sizeof(struct dray_call), .error = &bench->error, .job = take};
    memset(payload, 'x', sizeof(payload));
    volatile_open(&bench->store, &bench->call, &host, "memory");
    run(bench, (uint32_t)backlog);
    volatile_close(&bench->store);
    free(bench);
    return 0;
}
