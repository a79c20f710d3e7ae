/* SPDX-License-Identifier: Apache-2.0 */
/* list, and the check that reads everything. */
#include "redis/answer.h"
#include "redis/cross.h"
#include "redis/gather.h"
#include "redis/people.h"
#include "redis/record.h"
#include "redis/script.h"
#include "redis/store.h"

#include <stdio.h>
#include <string.h>

#define PAGE 64u /* ids a script call, whatever they hold */

/* A call gathers ids no longer than this, and half its time at most, so that a worker of the same
   instance gets its turn in between. */
#define GATHER_MS 200

/* ------------------------------------------------------------------------------------------- */
/* Their jobs                                                                                  */
/* ------------------------------------------------------------------------------------------- */

static void pack_states(struct buffer *plan, uint32_t states)
{
    static const char letters[] = " rdaxo";
    char wanted[8];
    uint64_t n = 0;
    for (uint32_t state = DRAY_STATE_READY; state <= DRAY_STATE_DONE; state++) {
        if (states & 1u << state)
            wanted[n++] = letters[state];
    }
    pack_bytes(plan, wanted, n);
}

/* Asks for rows `from` to `to`, which are of one queue. */
static int32_t ask_jobs(struct store *store, struct dray_call *call, const struct listing *listing,
    const struct dray_filter *filter, uint64_t from, uint64_t to, redisReply **reply)
{
    struct buffer *plan = &store->plan;
    script_begin(store);
    script_queue(store, listing_queue(listing, from));
    pack_array(plan, 6);
    pack_number(plan, store_now(store));
    pack_bytes(plan, "jobs", 4);
    pack_states(plan, filter->states);
    pack_str(plan, filter->type);
    pack_number(plan, filter->since_ms > 0 ? (uint64_t)filter->since_ms : 0);
    pack_array(plan, (uint32_t)(to - from));
    for (uint64_t row = from; row < to; row++)
        pack_str(plan, listing_id(listing, row));
    return script_call(store, call, SCRIPT_PEOPLE, 1, 0, reply);
}

/* Hands the jobs of an answer to `each`; 0 if the answer is none. */
static int read_jobs(struct store *store, const redisReply *reply, uint64_t *shown,
    void (*each)(void *user, const struct dray_job *job), void *user)
{
    const redisReply *rows = answer_array(reply, 2);
    int64_t now;
    if (!script_said(reply, "jobs", 3) || !rows || rows->elements % 3 != 0 ||
        !answer_number(reply, 1, &now))
        return 0;
    for (size_t i = 0; i < rows->elements; i += 3) {
        struct dray_job job = {.size = sizeof(job), .queue = store->queues[0]};
        struct dray_str content, state;
        if (!answer_str(rows, i, &job.id) || !answer_str(rows, i + 1, &content) ||
            !answer_str(rows, i + 2, &state))
            return 0;
        if (!record_read(&job, content, state, now))
            job.state = 0;
        each(user, &job);
        ++*shown;
    }
    return 1;
}

static void show(void *user, const struct dray_job *job)
{
    struct dray_call *call = user;
    if (job->state)
        call->job(call, job);
}

/* The end of a page that begins at `from`: same queue, not too many. */
static uint64_t page_end(const struct listing *listing, uint64_t from, uint64_t most)
{
    struct dray_str queue = listing_queue(listing, from);
    uint64_t to = from, n = listing_count(listing);
    while (to < n && to - from < most && listing_queue(listing, to).data == queue.data)
        to++;
    return to;
}

/* Asks for jobs from row `*row` on, and shows as many as the filter lets. What has been shown
   counts: it ends before time is up. */
static int32_t show_jobs(struct store *store, struct dray_call *call, const struct listing *listing,
    const struct dray_filter *filter, uint64_t *row)
{
    int32_t code = DRAY_OK;
    uint64_t shown = 0;
    while (code == DRAY_OK && *row < listing_count(listing) && shown < filter->max) {
        uint64_t most = filter->max - shown;
        uint64_t to = page_end(listing, *row, most < PAGE ? most : PAGE);
        redisReply *reply = NULL;
        code = ask_jobs(store, call, listing, filter, *row, to, &reply);
        if (code == DRAY_OK && !read_jobs(store, reply, &shown, show, call))
            code = answer_strange(store, call, 1);
        if (reply)
            freeReplyObject(reply);
        *row = to;
        if (store_clock_ms() >= store->link.deadline_ms - 100)
            break;
    }
    return code;
}

/* Gathers for a part of the call's time. Is there time left for jobs? */
static int32_t gather_awhile(
    struct store *store, struct dray_call *call, struct listing *listing, int *time_left)
{
    int64_t now = store_clock_ms();
    int64_t half = (store->link.deadline_ms - now) / 2;
    int64_t until = now + (half < GATHER_MS ? half : GATHER_MS);
    int32_t code = gather_some(store, call, listing, until);
    *time_left = store_clock_ms() < until;
    return code;
}

int32_t people_list(void *self, struct dray_call *call, struct dray_filter *filter)
{
    struct store *store = self;
    int32_t code = DRAY_OK;
    uint64_t row = filter->cursor[1];
    int time_left = 1;

    link_begin(store, call);
    struct listing *listing = listing_find(store, filter->cursor[0]);
    if (!listing && filter->cursor[0])
        return store->host->fail(
            call, DRAY_INVALID, 0, "this listing has given way to others; begin it again");
    if (!listing) {
        listing = listing_begin(store);
        code = gather_begin(store, call, listing, filter);
    }
    if (code == DRAY_OK && !gather_is_over(listing))
        code = gather_awhile(store, call, listing, &time_left);
    if (code == DRAY_OK && time_left)
        code = show_jobs(store, call, listing, filter, &row);
    int more = code == DRAY_OK && (!gather_is_over(listing) || row < listing_count(listing));
    filter->cursor[0] = more ? listing->serial : 0;
    filter->cursor[1] = more ? row : 0;
    if (!more)
        listing_end(listing);
    return code;
}

/* ------------------------------------------------------------------------------------------- */
/* Check                                                                                       */
/* ------------------------------------------------------------------------------------------- */

struct checking {
    struct dray_call *call;
    struct dray_tend *tend;
};

static void check_job(void *user, const struct dray_job *job)
{
    struct checking *checking = user;
    char line[256];
    checking->tend->records++;
    if (job->state)
        return;
    checking->tend->damaged++;
    snprintf(line, sizeof(line), "queue %.*s, job %.*s: not a record of this layout; remove it",
        (int)job->queue.len, job->queue.data,
        (int)(job->id.len < DRAY_NAME_MAX ? job->id.len : DRAY_NAME_MAX), job->id.data);
    if (checking->call->note)
        checking->call->note(checking->call, line);
}

static int32_t too_much(struct store *store, struct dray_call *call)
{
    return store->host->fail(
        call, DRAY_BUSY, 0, "%s: too many jobs to check in this time", store->link.where);
}

/* Every record, whatever its place. */
static int32_t check_records(
    struct store *store, struct checking *checking, struct listing *listing, int64_t end_ms)
{
    static const struct dray_filter all = {.size = sizeof(all)};
    struct dray_call *call = checking->call;
    uint64_t shown = 0;
    int32_t code = gather_begin(store, call, listing, &all);
    while (code == DRAY_OK && !gather_is_over(listing))
        code = link_again(store, call, end_ms) ? gather_some(store, call, listing, 0)
                                               : too_much(store, call);
    for (uint64_t row = 0, to; code == DRAY_OK && row < listing_count(listing); row = to) {
        redisReply *reply = NULL;
        to = page_end(listing, row, PAGE);
        code = link_again(store, call, end_ms)
                   ? ask_jobs(store, call, listing, &all, row, to, &reply)
                   : too_much(store, call);
        if (code == DRAY_OK && !read_jobs(store, reply, &shown, check_job, checking))
            code = answer_strange(store, call, 1);
        if (reply)
            freeReplyObject(reply);
    }
    return code;
}

/* Sets and lists against records, in all queues. */
static int32_t check_places(
    struct store *store, struct dray_call *call, struct dray_tend *tend, int64_t end_ms)
{
    redisReply *names = NULL;
    int32_t code = link_again(store, call, end_ms) ? people_queues(store, call, &names)
                                                   : too_much(store, call);
    for (size_t i = 0; code == DRAY_OK && names && i < names->elements; i++) {
        struct dray_str queue;
        struct cross at = {.place = 1, .cursor = "0"};
        if (!answer_str(names, i, &queue) || !queue.len || queue.len > DRAY_NAME_MAX)
            continue;
        while (code == DRAY_OK && at.place)
            code = link_again(store, call, end_ms) ? cross_some(store, call, tend, queue, &at)
                                                   : too_much(store, call);
    }
    if (names)
        freeReplyObject(names);
    return code;
}

/* It has minutes; each of its questions has the time of a call. */
int32_t people_tend(void *self, struct dray_call *call, struct dray_tend *tend)
{
    struct store *store = self;
    struct checking checking = {call, tend};
    int64_t end_ms = store_clock_ms() + call->budget_ms;

    if (tend->what != DRAY_TEND_CHECK)
        return store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "redis keeps and compacts its own files; only check makes sense here");
    link_begin(store, call);
    struct listing *listing = listing_begin(store);
    int32_t code = check_records(store, &checking, listing, end_ms);
    listing_end(listing);
    return code == DRAY_OK ? check_places(store, call, tend, end_ms) : code;
}
