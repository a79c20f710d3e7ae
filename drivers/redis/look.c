/* SPDX-License-Identifier: Apache-2.0 */
/* list, and the check that reads everything. */
#include "redis/answer.h"
#include "redis/cross.h"
#include "redis/people.h"
#include "redis/record.h"
#include "redis/script.h"
#include "redis/store.h"

#include <stdio.h>
#include <string.h>

#define PAGE 64u /* ids a script call, whatever they hold */

/* ------------------------------------------------------------------------------------------- */
/* The ids of a listing                                                                        */
/* ------------------------------------------------------------------------------------------- */

/* One part of a queue's ids. `cursor` is the server's, "0" when there are no more. */
static int32_t gather_part(struct store *store, struct dray_call *call, struct listing *listing,
    uint32_t name, char cursor[24])
{
    redisReply *reply = NULL;
    struct dray_str next, id;
    struct dray_str queue = {
        listing->text.data + name + 1, (unsigned char)listing->text.data[name]};

    script_begin(store);
    script_queue(store, queue);
    pack_array(&store->plan, 3);
    pack_number(&store->plan, store_now(store));
    pack_bytes(&store->plan, "ids", 3);
    pack_bytes(&store->plan, cursor, strlen(cursor));
    int32_t code = script_call(store, call, SCRIPT_PEOPLE, 1, 0, &reply);
    if (code != DRAY_OK)
        return code;
    const redisReply *ids = answer_array(reply, 2);
    if (!script_said(reply, "ids", 3) || !ids || !answer_str(reply, 1, &next) || next.len > 20) {
        freeReplyObject(reply);
        return answer_strange(store, call, 1);
    }
    snprintf(cursor, 24, "%.*s", (int)next.len, next.data);
    for (size_t i = 0; i < ids->elements; i++) {
        if (answer_str(ids, i, &id) && id.len <= DRAY_NAME_MAX)
            listing_add(listing, name, id);
    }
    freeReplyObject(reply);
    return DRAY_OK;
}

static int32_t gather_queue(
    struct store *store, struct dray_call *call, struct listing *listing, struct dray_str queue)
{
    uint64_t first = listing_count(listing);
    uint32_t name = listing_add_name(listing, queue);
    char cursor[24] = "0";
    int32_t code = DRAY_OK;
    do {
        if (listing->text.failed || listing->rows.failed)
            return store->host->fail(call, DRAY_NOMEM, 0, "no memory for a listing");
        if (store_clock_ms() >= store->link.deadline_ms)
            return store->host->fail(call, DRAY_BUSY, 0,
                "%s: too many jobs to list in this time; narrow it to a queue", store->link.where);
        code = gather_part(store, call, listing, name, cursor);
    } while (code == DRAY_OK && strcmp(cursor, "0") != 0);
    if (listing->text.failed || listing->rows.failed)
        return store->host->fail(call, DRAY_NOMEM, 0, "no memory for a listing");
    listing_sort(listing, first);
    return code;
}

/* The ids that the filter's queue, or all queues, hold now; or the one id that it names. */
static int32_t gather(struct store *store, struct dray_call *call, struct listing *listing,
    const struct dray_filter *filter)
{
    redisReply *names = NULL;
    if (filter->queue.len && !filter->id.len)
        return gather_queue(store, call, listing, filter->queue);
    int32_t code = filter->queue.len ? DRAY_OK : people_queues(store, call, &names);
    size_t n = names ? names->elements : filter->queue.len != 0;
    for (size_t i = 0; code == DRAY_OK && i < n; i++) {
        struct dray_str queue = filter->queue;
        if (names && (!answer_str(names, i, &queue) || queue.len > DRAY_NAME_MAX))
            continue;
        if (filter->id.len)
            listing_add(listing, listing_add_name(listing, queue), filter->id);
        else
            code = gather_queue(store, call, listing, queue);
    }
    if (names)
        freeReplyObject(names);
    if (code == DRAY_OK && (listing->text.failed || listing->rows.failed))
        code = store->host->fail(call, DRAY_NOMEM, 0, "no memory for a listing");
    return code;
}

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

int32_t people_list(void *self, struct dray_call *call, struct dray_filter *filter)
{
    struct store *store = self;
    int32_t code = DRAY_OK;
    uint64_t shown = 0;

    link_begin(store, call);
    struct listing *listing = listing_find(store, filter->cursor[0]);
    if (!listing && filter->cursor[0])
        return store->host->fail(
            call, DRAY_INVALID, 0, "this listing has given way to others; begin it again");
    if (!listing) {
        listing = listing_begin(store);
        code = gather(store, call, listing, filter);
    }
    uint64_t row = filter->cursor[1];
    while (code == DRAY_OK && row < listing_count(listing) && shown < filter->max) {
        uint64_t most = filter->max - shown;
        uint64_t to = page_end(listing, row, most < PAGE ? most : PAGE);
        redisReply *reply = NULL;
        code = ask_jobs(store, call, listing, filter, row, to, &reply);
        if (code == DRAY_OK && !read_jobs(store, reply, &shown, show, call))
            code = answer_strange(store, call, 1);
        if (reply)
            freeReplyObject(reply);
        row = to;
        if (store_clock_ms() >= store->link.deadline_ms - 100)
            break; /* what has been shown counts; the next call goes on */
    }
    filter->cursor[0] = code == DRAY_OK && row < listing_count(listing) ? listing->serial : 0;
    filter->cursor[1] = filter->cursor[0] ? row : 0;
    if (!filter->cursor[0])
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

/* Sets and lists against records, in all queues. */
static int32_t check_places(struct store *store, struct dray_call *call, struct dray_tend *tend)
{
    redisReply *names = NULL;
    int32_t code = people_queues(store, call, &names);
    for (size_t i = 0; code == DRAY_OK && i < names->elements; i++) {
        struct dray_str queue;
        if (answer_str(names, i, &queue) && queue.len > 0 && queue.len <= DRAY_NAME_MAX)
            code = cross_queue(store, call, tend, queue);
    }
    if (names)
        freeReplyObject(names);
    return code;
}

int32_t people_tend(void *self, struct dray_call *call, struct dray_tend *tend)
{
    struct store *store = self;
    struct dray_filter all = {.size = sizeof(all)};
    struct checking checking = {call, tend};
    uint64_t shown = 0;

    if (tend->what != DRAY_TEND_CHECK)
        return store->host->fail(call, DRAY_UNSUPPORTED, 0,
            "redis keeps and compacts its own files; only check makes sense here");
    link_begin(store, call);
    struct listing *listing = listing_begin(store);
    int32_t code = gather(store, call, listing, &all);
    for (uint64_t row = 0, to; code == DRAY_OK && row < listing_count(listing); row = to) {
        redisReply *reply = NULL;
        to = page_end(listing, row, PAGE);
        code = ask_jobs(store, call, listing, &all, row, to, &reply);
        if (code == DRAY_OK && !read_jobs(store, reply, &shown, check_job, &checking))
            code = answer_strange(store, call, 1);
        if (reply)
            freeReplyObject(reply);
    }
    listing_end(listing);
    return code == DRAY_OK ? check_places(store, call, tend) : code;
}
