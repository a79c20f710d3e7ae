/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the queue file costs by itself: opening one of many waiting jobs, beside `sha256sum` of the
 * same file; batches pushed, beside a bare program that appends the same bytes and syncs as often;
 * and the longest call while a file is written anew turn by turn, beside writing it anew at once.
 *
 *     file_bench FOLDER [JOBS [BATCH]]
 */
#include "dray/driver.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX 10000u
#define TAKEN 10u /* jobs of a reserve */

struct bench {
    struct dray_host host;
    struct dray_error error;
    void *self;
    char path[256];
    struct dray_job jobs[BATCH_MAX];
    const struct dray_job *list[BATCH_MAX];
    int32_t answers[BATCH_MAX];
    char ids[BATCH_MAX][40];
    uint64_t serial;
    int64_t max_file_size;
    struct dray_lease leases[TAKEN];
    const struct dray_lease *settled[TAKEN];
    char taken_ids[TAKEN][40];
    uint32_t ntaken;
};

static struct bench bench;

static int64_t clock_ms(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int64_t wall_ms(const struct dray_host *host)
{
    (void)host;
    return clock_ms(CLOCK_REALTIME);
}

static int64_t mono_ms(const struct dray_host *host)
{
    (void)host;
    return clock_ms(CLOCK_BOOTTIME);
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

static void say(const struct dray_host *host, uint32_t level, const char *fmt, ...)
    DRAY_PRINTF(3, 4);
static void say(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    (void)host;
    (void)level;
    (void)fmt;
}

static int32_t fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
    DRAY_PRINTF(4, 5);
static int32_t fail(struct dray_call *call, int32_t code, int32_t sys, const char *fmt, ...)
{
    va_list args;
    call->error->sys = sys;
    va_start(args, fmt);
    vsnprintf(call->error->text, sizeof(call->error->text), fmt, args);
    va_end(args);
    return code;
}

static int64_t number(const struct dray_host *host, const char *option)
{
    (void)host;
    return strcmp(option, "max_file_size") == 0 ? bench.max_file_size : 0;
}

static const char *text(const struct dray_host *host, const char *option, uint32_t index)
{
    (void)host;
    return strcmp(option, "path") == 0 && !index ? bench.path : NULL;
}

static void check(int32_t code)
{
    if (code == DRAY_OK)
        return;
    fprintf(stderr, "file_bench: code %d: %s\n", code, bench.error.text);
    exit(1);
}

static struct dray_call call_of(uint32_t durability)
{
    return (struct dray_call){.size = sizeof(struct dray_call),
        .budget_ms = 60000,
        .error = &bench.error,
        .durability = durability};
}

static double open_store(uint32_t durability)
{
    const struct dray_driver *driver = dray_driver_entry();
    struct dray_call call = call_of(durability);
    bench.self = calloc(1, driver->instance_size);
    if (!bench.self)
        exit(1);
    double begin = seconds();
    check(driver->open(bench.self, &call, &bench.host));
    return seconds() - begin;
}

static void close_store(void)
{
    dray_driver_entry()->close(bench.self);
    free(bench.self);
}

static void push(uint32_t n)
{
    static const char payload[] =
        "{\"to\":\"ada@example.org\",\"subject\":\"Welcome\",\"template\":"
        "\"welcome\",\"lang\":\"en\",\"n\":12345}";
    struct dray_call call = call_of(0);
    struct dray_push group = {.size = sizeof(group),
        .queue = {"default", 7},
        .jobs = bench.list,
        .answers = bench.answers,
        .njobs = n};
    for (uint32_t i = 0; i < n; i++) {
        int len = snprintf(bench.ids[i], sizeof(bench.ids[i]), "01a20138-5bbf-732c-97b1-%012llx",
            (unsigned long long)bench.serial++);
        bench.jobs[i] = (struct dray_job){.size = sizeof(struct dray_job),
            .priority = DRAY_PRIORITY_NORMAL,
            .id = {bench.ids[i], (uint64_t)len},
            .queue = group.queue,
            .type = {"send-welcome", 12},
            .payload = {payload, sizeof(payload) - 1}};
        bench.list[i] = &bench.jobs[i];
    }
    check(dray_driver_entry()->push(bench.self, &call, &group));
}

/* Opening a file of `jobs` waiting jobs, best of three. */
static void measure_open(uint32_t jobs)
{
    double best = 1e9;
    struct stat st = {0};
    open_store(DRAY_DURABILITY_PROCESS);
    for (uint32_t done = 0; done < jobs; done += BATCH_MAX)
        push(jobs - done < BATCH_MAX ? jobs - done : BATCH_MAX);
    close_store();
    for (int i = 0; i < 3; i++) {
        double took = open_store(DRAY_DURABILITY_PROCESS);
        best = took < best ? took : best;
        close_store();
    }
    if (stat(bench.path, &st) != 0)
        exit(1);
    printf("open %u jobs, %.1f MB: %.3f s; compare `time sha256sum %s`\n", jobs,
        (double)st.st_size / 1e6, best, bench.path);
}

/* The same bytes, the same number of syncs, by nobody's rules. */
static double append_bare(uint32_t turns, size_t bytes)
{
    char path[300];
    snprintf(path, sizeof(path), "%s.bare", bench.path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    char *block = malloc(bytes);
    if (fd < 0 || !block)
        exit(1);
    memset(block, 'x', bytes);
    double begin = seconds();
    for (uint32_t i = 0; i < turns; i++) {
        if (write(fd, block, bytes) != (ssize_t)bytes || fdatasync(fd) != 0)
            exit(1);
    }
    double took = seconds() - begin;
    free(block);
    close(fd);
    unlink(path);
    return took;
}

static void measure_batches(uint32_t batch)
{
    uint32_t turns = 200;
    struct stat before = {0}, after = {0};
    unlink(bench.path);
    open_store(DRAY_DURABILITY_HOST);
    if (stat(bench.path, &before) != 0)
        exit(1);
    double begin = seconds();
    for (uint32_t i = 0; i < turns; i++)
        push(batch);
    double took = seconds() - begin;
    if (stat(bench.path, &after) != 0)
        exit(1);
    close_store();
    double bare = append_bare(turns, (size_t)(after.st_size - before.st_size) / turns);
    printf("batches of %u: %.0f jobs/s, bare %.0f jobs/s, factor %.2f\n", batch,
        turns * (double)batch / took, turns * (double)batch / bare, took / bare);
}

static void take_job(struct dray_call *call, const struct dray_job *job)
{
    uint32_t i = bench.ntaken++;
    (void)call;
    memcpy(bench.taken_ids[i], job->id.data, (size_t)job->id.len);
    bench.leases[i] = (struct dray_lease){.size = sizeof(bench.leases[i]),
        .queue = {"default", 7},
        .id = {bench.taken_ids[i], job->id.len},
        .type = {"send-welcome", 12},
        .token = job->token,
        .ref = job->ref,
        .verdict = DRAY_VERDICT_RELEASE};
    bench.settled[i] = &bench.leases[i];
}

/* Some jobs are taken and given back: much is written, and as much lives as before. */
static void take_and_release(void)
{
    static uint64_t nonce;
    struct dray_str queue = {"default", 7};
    struct dray_reserve want = {.size = sizeof(want),
        .max = TAKEN,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = 60000,
        .nonce = ++nonce,
        .owner = {"bench:1", 7}};
    struct dray_call call = call_of(0);
    call.job = take_job;
    bench.ntaken = 0;
    check(dray_driver_entry()->reserve(bench.self, &call, &want));
    check(
        dray_driver_entry()->retry(bench.self, &call, bench.settled, bench.answers, bench.ntaken));
}

static off_t size_now(void)
{
    struct stat st = {0};
    if (stat(bench.path, &st) != 0)
        exit(1);
    return st.st_size;
}

static double compact_at_once(void)
{
    struct dray_call call = call_of(0);
    struct dray_tend tend = {.size = sizeof(tend), .what = DRAY_TEND_COMPACT};
    double begin = seconds();
    check(dray_driver_entry()->tend(bench.self, &call, &tend));
    return seconds() - begin;
}

/* The longest turn until the file has been written anew, on the file that measure_open has left.
   Appends are not synced, so that what is seen is what the copying adds. */
static void measure_pause(void)
{
    double longest = 0, all = 0;
    uint32_t turns = 0;
    bench.max_file_size = 5 << 20;
    open_store(DRAY_DURABILITY_PROCESS);
    off_t before, after = size_now();
    do {
        double begin = seconds();
        take_and_release();
        double took = seconds() - begin;
        longest = took > longest ? took : longest;
        all += took;
        turns++;
        before = after;
        after = size_now();
    } while (after >= before);
    double at_once = compact_at_once();
    printf("written anew, %.1f MB to %.1f MB: in %u turns of %.3f ms, the longest %.1f ms; at once "
           "%.1f ms, %.0f times that\n",
        (double)before / 1e6, (double)after / 1e6, turns, all / turns * 1e3, longest * 1e3,
        at_once * 1e3, at_once / longest);
    close_store();
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: file_bench FOLDER [JOBS [BATCH]]\n", stderr);
        return 2;
    }
    uint32_t jobs = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000;
    uint32_t batch = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 100;
    snprintf(bench.path, sizeof(bench.path), "%s/file_bench.jsonl", argv[1]);
    bench.host = (struct dray_host){.size = sizeof(bench.host),
        .abi = DRAY_ABI,
        .boot_id = "bench",
        .wall_ms = wall_ms,
        .mono_ms = mono_ms,
        .resize = resize,
        .random = randomness,
        .log = say,
        .fail = fail,
        .number = number,
        .text = text};
    bench.max_file_size = (int64_t)1 << 40;
    measure_batches(batch && batch <= BATCH_MAX ? batch : 100);
    measure_batches(1);
    unlink(bench.path);
    measure_open(jobs);
    measure_pause();
    return 0;
}
