/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The redis driver's reading of what a server says: RESP by hiredis, answers of scripts, records of
 * jobs, totals, INFO. Whatever it is, a call ends with a definite answer or an error in one line,
 * and what is handed out keeps to the bounds of dray/driver.h.
 *
 * The first byte chooses the calls, the second how many bytes come at once (0: all); the rest is
 * what the server says, or two records. There is no socket: this file stands in for
 * drivers/redis/wait.c.
 */
#include "host_fail.h"
#include "redis/people.h"
#include "redis/record.h"
#include "redis/server.h"
#include "redis/store.h"
#include "redis/turn.h"
#include "redis/wait.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the server ---- */

static const uint8_t *left; /* of what it says */
static size_t nleft, at_once;

int wait_connected(redisContext *context, int news, int64_t deadline_ms)
{
    (void)news;
    (void)context;
    (void)deadline_ms;
    return 0;
}

int wait_is_dead(const redisContext *context)
{
    (void)context;
    return 0;
}

int wait_answer(redisContext *context, const char *data, size_t len, int news, int64_t deadline_ms,
    redisReply **reply)
{
    (void)news;
    (void)data;
    (void)len;
    (void)deadline_ms;
    *reply = NULL;
    for (;;) {
        void *got = NULL;
        if (redisGetReplyFromReader(context, &got) != REDIS_OK)
            return WAIT_STRANGE;
        if (got) {
            *reply = got;
            return WAIT_OK;
        }
        size_t n = at_once && at_once < nleft ? at_once : nleft;
        if (!n)
            return WAIT_LOST;
        if (redisReaderFeed(context->reader, (const char *)left, n) != REDIS_OK)
            return WAIT_STRANGE;
        left += n;
        nleft -= n;
    }
}

/* ---- the host ---- */

static struct dray_error error;
static uint64_t blocks; /* of memory that are out */

static void expect(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s; last error: %s\n", what, error.text);
    abort();
}

static int64_t host_ms(const struct dray_host *host)
{
    (void)host;
    return 1700000000000;
}

static void *host_resize(const struct dray_host *host, void *block, size_t size)
{
    (void)host;
    blocks += !block && size;
    blocks -= block && !size;
    if (size)
        return realloc(block, size);
    free(block);
    return NULL;
}

static int32_t host_random(const struct dray_host *host, void *out, size_t len)
{
    (void)host;
    memset(out, 7, len);
    return DRAY_OK;
}

DRAY_PRINTF(3, 4)
static void host_log(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    char line[1024];
    va_list args;
    (void)host;
    (void)level;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
}

static int64_t host_number(const struct dray_host *host, const char *option)
{
    (void)host;
    return strcmp(option, "dedupe_keep") == 0 ? 120000 : 0;
}

static const char *host_text(const struct dray_host *host, const char *option, uint32_t index)
{
    (void)host;
    if (index)
        return NULL;
    if (strcmp(option, "connection.path") == 0)
        return "/nonexistent/socket"; /* once the connection is lost, it stays so */
    return strcmp(option, "prefix") == 0 ? "dray" : NULL;
}

static const struct dray_host host = {.size = sizeof(host),
    .abi = DRAY_ABI,
    .boot_id = "boot",
    .wall_ms = host_ms,
    .mono_ms = host_ms,
    .resize = host_resize,
    .random = host_random,
    .log = host_log,
    .fail = host_fail,
    .number = host_number,
    .text = host_text};

/* ---- what is handed out ---- */

static uint32_t njobs;

static void read_text(struct dray_str text, uint64_t most, const char *what)
{
    uint64_t sum = 0;
    expect(text.len <= most, what);
    for (uint64_t i = 0; i < text.len; i++)
        sum += (unsigned char)text.data[i];
    expect(sum < UINT64_MAX, what); /* every byte can be read */
}

static void see_job(struct dray_call *call, const struct dray_job *job)
{
    (void)call;
    njobs++;
    expect(job->id.len > 0 && job->queue.len > 0, "a job without a name");
    read_text(job->id, DRAY_NAME_MAX, "an id is too long");
    read_text(job->queue, DRAY_NAME_MAX, "a queue is too long");
    read_text(job->type, DRAY_NAME_MAX, "a type is too long");
    read_text(job->group, DRAY_NAME_MAX, "a group is too long");
    read_text(job->name, 255, "a name is too long");
    read_text(job->unique, 255, "a unique key is too long");
    read_text(job->owner, 255, "an owner is too long");
    read_text(job->error, DRAY_NOTE_MAX, "an error is too long");
    read_text(job->progress, DRAY_NOTE_MAX, "a progress is too long");
    read_text(job->payload, SIZE_MAX, "a payload");
    read_text(job->result, SIZE_MAX, "a result");
    expect(job->priority <= DRAY_PRIORITY_LAST, "a priority is none");
    expect(job->state >= DRAY_STATE_READY && job->state <= DRAY_STATE_DONE, "a state is none");
}

static void see_stats(struct dray_call *call, const struct dray_stats_row *row)
{
    (void)call;
    read_text(row->queue, DRAY_NAME_MAX, "a queue is too long");
    read_text(row->type, SIZE_MAX, "a type");
    read_text(row->consumer, SIZE_MAX, "a consumer");
}

static void see_note(struct dray_call *call, const char *line)
{
    (void)call;
    expect(strlen(line) < 1024, "a note is too long");
}

/* ---- calls ---- */

static struct store store;

static struct dray_call *begin(void)
{
    static struct dray_call call;
    error = (struct dray_error)DRAY_ERROR_INIT;
    njobs = 0;
    call = (struct dray_call){.size = sizeof(call),
        .budget_ms = 1000,
        .error = &error,
        .job = see_job,
        .stats = see_stats,
        .note = see_note,
        .next_ms = DRAY_NEXT_UNKNOWN};
    return &call;
}

static void judge(int32_t code)
{
    if (code == DRAY_OK || (code > DRAY_OK && code < 32))
        return;
    expect(DRAY_IS_NOT_DONE(code) || code == DRAY_UNKNOWN, "a code that no server can cause");
    expect(error.code == code, "the error has another code");
    expect(error.text[0] && !strpbrk(error.text, "\r\n\033"), "an error without its line");
}

static void call_turn(void)
{
    static const struct dray_str queue = {"q", 1};
    char holders[2][DRAY_NAME_MAX + 1] = {"", ""};
    struct dray_job one = {.size = sizeof(one),
        .priority = 5,
        .id = {"a", 1},
        .queue = queue,
        .type = {"t", 1},
        .payload = {"1", 1}};
    struct dray_job two = one;
    two.id.data = "b";
    two.unique = (struct dray_str){"u", 1};
    const struct dray_job *jobs[] = {&one, &two};
    int32_t answers[2] = {0}, settled[1] = {0}, extended[1] = {0};
    struct dray_push group = {.size = sizeof(group),
        .queue = queue,
        .jobs = jobs,
        .answers = answers,
        .holders = holders,
        .njobs = 2};
    struct dray_push *groups[] = {&group};
    struct dray_lease lease = {
        .size = sizeof(lease), .verdict = DRAY_VERDICT_DONE, .queue = queue, .id = {"c", 1}};
    const struct dray_lease *leases[] = {&lease};
    struct dray_reserve want = {.size = sizeof(want),
        .max = 3,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = 1000,
        .nonce = 9};
    struct dray_turn turn = {.size = sizeof(turn),
        .nsettle = 1,
        .settle = leases,
        .settle_answers = settled,
        .npush = 1,
        .push = groups,
        .nextend = 1,
        .extend = leases,
        .extend_answers = extended,
        .reserve = &want};
    int32_t code = turn_turn(&store, begin(), &turn);
    judge(code);
    expect(njobs <= want.max, "more jobs than were asked for");
    for (int i = 0; i < 2; i++)
        expect(memchr(holders[i], 0, sizeof(holders[i])) != NULL, "a holder without an end");
}

static void call_reserve(void)
{
    static const struct dray_str queues[] = {{"q", 1}, {"r", 1}};
    struct dray_reserve want = {.size = sizeof(want),
        .max = 3,
        .queues = queues,
        .nqueues = 1 + (nleft & 1), /* of one: by the short script */
        .lease_ms = 1000,
        .nonce = 9};
    judge(turn_reserve(&store, begin(), &want));
    expect(njobs <= want.max, "more jobs than were asked for");
}

static void call_change(void)
{
    static const struct dray_str ids[] = {{"a", 1}, {"b", 1}};
    int32_t answers[2] = {0};
    struct dray_change change = {.size = sizeof(change),
        .what = DRAY_CHANGE_KICK,
        .nids = 2,
        .queue = {"q", 1},
        .ids = ids,
        .answers = answers};
    judge(people_change(&store, begin(), &change));
}

static void call_list(void)
{
    struct dray_filter filter = {.size = sizeof(filter), .max = 100};
    judge(people_list(&store, begin(), &filter));
}

static void call_stats(void)
{
    judge(people_stats(&store, begin(), NULL, 0));
}

static void call_check(void)
{
    struct dray_tend tend = {.size = sizeof(tend), .what = DRAY_TEND_CHECK};
    judge(people_tend(&store, begin(), &tend));
}

static void call_greet(void)
{
    struct dray_call *call = begin();
    link_begin(&store, call);
    if (store.link.context) /* as link_ready has it */
        judge(server_greet(&store, call));
}

/* The records alone: a byte says how long the content is, the state follows. */
static void call_record(void)
{
    size_t ncontent = nleft ? left[0] : 0;
    if (nleft < 1 + ncontent)
        return;
    /* In blocks of their own, so that a byte too far is seen. */
    size_t nstate = nleft - 1 - ncontent;
    char *content = malloc(ncontent + 1), *state = malloc(nstate + 1);
    struct dray_job job = {.size = sizeof(job), .id = {"a", 1}, .queue = {"q", 1}};
    expect(content && state, "no memory");
    const char *content_at = memcpy(content + 1, left + 1, ncontent);
    const char *state_at = memcpy(state + 1, left + 1 + ncontent, nstate);
    if (record_read(
            &job, (struct dray_str){content_at, ncontent}, (struct dray_str){state_at, nstate}, 0))
        see_job(NULL, &job);
    free(content);
    free(state);
}

static void (*const calls[])(void) = {call_turn, call_reserve, call_change, call_list, call_stats,
    call_check, call_greet, call_record};
#define NCALLS (sizeof(calls) / sizeof(calls[0]))

/* An open store with a connection that never was. */
static void open_store(void)
{
    static int nowhere = -1;
    memset(&store, 0, sizeof(store));
    if (nowhere < 0)
        nowhere = open("/dev/null", O_RDWR | O_CLOEXEC);
    judge(store_open(&store, begin(), &host));
    store.link.context = redisConnectFd(fcntl(nowhere, F_DUPFD_CLOEXEC, 0));
    expect(store.link.context && !store.link.context->err, "no connection");
    answer_bound(store.link.context, &store.link.bounds);
    for (size_t i = 0; i < LINK_SCRIPTS; i++)
        memset(store.link.scripts[i], (int)('1' + i), LINK_DIGEST);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    left = data + 2;
    nleft = size - 2;
    at_once = data[1];
    open_store();
    for (size_t first = data[0] % NCALLS, i = 0; i < 2; i++)
        calls[(first + i * (data[0] / NCALLS)) % NCALLS]();
    store_close(&store);
    expect(blocks == 0, "memory is lost");
    return 0;
}
