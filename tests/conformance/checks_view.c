/* SPDX-License-Identifier: Apache-2.0 */
/* list, stats, J6, C2, T17: what people see. */
#include "check.h"

#include <stdio.h>
#include <string.h>

static void push_many(struct check *check, int from, int to)
{
    char id[16];

    for (int i = from; i < to; i++) {
        snprintf(id, sizeof(id), "j%d", i);
        struct dray_job job = job_of(id);
        job.type = str(i % 2 ? "odd" : "even");
        job.queue = str(i % 3 ? "q" : "other");
        EXPECT_CODE(check, subject_push_one(&check->subject, job), DRAY_OK);
    }
}

static void lists_each_once(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_filter filter = {0};
    unsigned char seen[50] = {0};

    push_many(check, 0, 50);
    EXPECT_CODE(check, subject_list(s, &filter, 7), DRAY_OK);
    EXPECT_NUMBER(check, s->shown.n, 50);
    for (size_t i = 0; i < s->shown.n; i++) {
        unsigned number = 99;
        char id[16];
        snprintf(
            id, sizeof(id), "%.*s", (int)s->shown.at[i].job.id.len, s->shown.at[i].job.id.data);
        EXPECT(check, sscanf(id, "j%u", &number) == 1 && number < 50);
        seen[number]++;
    }
    for (int i = 0; i < 50; i++)
        EXPECT_NUMBER(check, seen[i], 1);
}

static size_t count(struct subject *s, struct dray_filter filter)
{
    return subject_list(s, &filter, 4) == DRAY_OK ? s->shown.n : SIZE_MAX;
}

static void filters(struct check *check)
{
    struct subject *s = &check->subject;
    int64_t start = s->wall_ms;

    push_many(check, 0, 12);
    subject_advance(s, 1000);
    push_many(check, 12, 18);
    EXPECT_CODE(check, subject_reserve(s, 1, 1000), DRAY_OK);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.queue = str("q")}), 12);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.queue = str("none")}), 0);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.type = str("odd")}), 9);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.since_ms = start + 1}), 6);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.since_ms = start}), 18);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.states = 1u << DRAY_STATE_ACTIVE}), 1);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.states = 1u << DRAY_STATE_READY}), 17);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.id = str("j4")}), 1);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.id = str("j44")}), 0);
    struct dray_job job = job_of("j4");
    job.queue = str("third");
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.id = str("j4")}), 2);
    EXPECT_NUMBER(check, count(s, (struct dray_filter){.id = str("j4"), .queue = str("third")}), 1);
}

static void listing_while_moving(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_filter filter = {.size = sizeof(filter), .max = 5, .queue = str("q")};
    char seen[30] = {0}, id[16];

    for (int i = 0; i < 30; i++) {
        snprintf(id, sizeof(id), "j%d", i);
        EXPECT_CODE(check, subject_push_one(s, job_of(id)), DRAY_OK);
    }
    /* The first ten leave while the listing is on; the others match throughout. */
    int gone = 0;
    do {
        struct dray_filter page = filter;
        EXPECT_CODE(check, subject_list_page(s, &page), DRAY_OK);
        for (size_t i = 0; i < s->shown.n; i++) {
            snprintf(
                id, sizeof(id), "%.*s", (int)s->shown.at[i].job.id.len, s->shown.at[i].job.id.data);
            unsigned number = 99;
            EXPECT(check, sscanf(id, "j%u", &number) == 1 && number < 30);
            EXPECT(check, seen[number]++ == 0);
        }
        filter = page;
        for (int i = 0; i < 4 && gone < 10; i++, gone++) {
            struct dray_job job = subject_take(s, 60000);
            EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
        }
    } while (filter.cursor[0] || filter.cursor[1]);
    for (int i = 10; i < 30; i++)
        EXPECT_NUMBER(check, seen[i], 1);
}

static void shows_times(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("late"), got;

    job.delay_ms = 5000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job_of("now")), DRAY_OK);
    int64_t due = s->wall_ms + 5000;
    got = subject_take(s, 3000);
    EXPECT(check, str_is(got.id, "now"));
    subject_advance(s, 1000);
    got = subject_find(s, "late");
    EXPECT_NUMBER(check, got.state, DRAY_STATE_DELAYED);
    EXPECT_NUMBER(check, got.run_at_ms, due);
    got = subject_find(s, "now");
    EXPECT_NUMBER(check, got.state, DRAY_STATE_ACTIVE);
    EXPECT_NUMBER(check, got.lease_left_ms, 2000);
    EXPECT(check, str_is(got.owner, "host-a:41"));
}

static void list_changes_nothing(struct check *check)
{
    struct subject *s = &check->subject;

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    struct dray_job job = subject_take(s, 1000);
    subject_advance(s, 5000);
    EXPECT(check, subject_find(s, "a").id.len);
    EXPECT_CODE(check, subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)), DRAY_OK);
}

static void counts_states(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_str queues[] = {str("q"), str("nowhere")};
    struct dray_job job = job_of("late");
    int64_t created = s->wall_ms;

    job.delay_ms = 50000;
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    for (int i = 0; i < 4; i++) {
        static const char *const ids[] = {"a", "b", "c", "d"};
        EXPECT_CODE(check, subject_push_one(s, job_of(ids[i])), DRAY_OK);
    }
    struct dray_job again = subject_take(s, 60000), parked = subject_take(s, 60000);
    EXPECT(check, subject_take(s, 60000).id.len);
    struct dray_lease lease = lease_of(&again, DRAY_VERDICT_AGAIN);
    lease.delay_ms = 9000;
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    lease = lease_of(&parked, DRAY_VERDICT_RELEASE);
    lease.delay_ms = 9000;
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    subject_advance(s, 100);
    EXPECT_CODE(check, subject_stats(s, queues, 2), DRAY_OK);
    const struct dray_stats_row *row = subject_row(s, "q", "");
    EXPECT_NUMBER(check, row->ready, 1);
    EXPECT_NUMBER(check, row->delayed, 3);
    EXPECT_NUMBER(check, row->retrying, 1);
    EXPECT_NUMBER(check, row->parked, 1);
    EXPECT_NUMBER(check, row->active, 1);
    EXPECT(check, row->oldest_ready_ms == 0 || row->oldest_ready_ms == created);
    EXPECT_NUMBER(check, subject_row(s, "nowhere", "")->ready, 0);
    EXPECT_CODE(check, subject_stats(s, NULL, 0), DRAY_OK);
    EXPECT_NUMBER(check, subject_row(s, "q", "")->delayed, 3);
}

static void settle_one(
    struct check *check, uint32_t verdict, uint32_t flags, const char *type, uint64_t run_ms)
{
    struct subject *s = &check->subject;
    struct dray_job job = job_of("a");

    job.type = str(type);
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    job = subject_take(s, 1000);
    struct dray_lease lease = lease_of(&job, verdict);
    lease.flags = flags;
    lease.run_ms = run_ms;
    EXPECT_CODE(check, subject_settle(s, lease), DRAY_OK);
    if (verdict != DRAY_VERDICT_DONE)
        EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_REMOVE, "q", "a", 0), DRAY_OK);
}

static void expect_totals(struct check *check, const char *type, const uint64_t wanted[7])
{
    struct subject *s = &check->subject;
    struct dray_str queue = str("q");

    EXPECT_CODE(check, subject_stats(s, &queue, 1), DRAY_OK);
    const struct dray_stats_row *row = subject_row(s, "q", type);
    EXPECT_NUMBER(check, row->pushed, wanted[0]);
    EXPECT_NUMBER(check, row->completed, wanted[1]);
    EXPECT_NUMBER(check, row->failed, wanted[2]);
    EXPECT_NUMBER(check, row->retried, wanted[3]);
    EXPECT_NUMBER(check, row->died, wanted[4]);
    EXPECT_NUMBER(check, row->runs, wanted[5]);
    EXPECT_NUMBER(check, row->run_ms, wanted[6]);
}

static void totals(struct check *check)
{
    struct subject *s = &check->subject;

    settle_one(check, DRAY_VERDICT_DONE, 0, "done", 10);
    settle_one(check, DRAY_VERDICT_AGAIN, 0, "again", 20);
    settle_one(check, DRAY_VERDICT_RELEASE, 0, "release", 30);
    settle_one(check, DRAY_VERDICT_BURY, 0, "bury", 40);
    settle_one(check, DRAY_VERDICT_BURY, DRAY_LEASE_UNCHARGE, "uncharge", 50);
    settle_one(check, DRAY_VERDICT_REPEAT, 0, "repeat", 60);
    expect_totals(check, "done", (uint64_t[]){1, 1, 0, 0, 0, 1, 10});
    expect_totals(check, "again", (uint64_t[]){1, 0, 1, 1, 0, 1, 20});
    expect_totals(check, "release", (uint64_t[]){1, 0, 0, 0, 0, 0, 0});
    expect_totals(check, "bury", (uint64_t[]){1, 0, 1, 0, 1, 1, 40});
    expect_totals(check, "uncharge", (uint64_t[]){1, 0, 0, 0, 1, 0, 0});
    expect_totals(check, "repeat", (uint64_t[]){1, 1, 0, 0, 0, 1, 60});
    struct dray_job job = job_of("x");
    job.type = str("other");
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_OK);
    EXPECT_CODE(check, subject_push_one(s, job), DRAY_EXISTS);
    EXPECT(check, subject_take(s, 1000).id.len);
    subject_advance(s, 2000);
    EXPECT_CODE(check, subject_reserve(s, 0, 0), DRAY_OK);
    expect_totals(check, "other", (uint64_t[]){1, 0, 1, 0, 0, 0, 0});
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_CANCEL, "q", "x", 0), DRAY_OK);
    expect_totals(check, "other", (uint64_t[]){1, 0, 1, 0, 1, 0, 0});
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_RESET, "q", NULL, 0), DRAY_OK);
    expect_totals(check, "other", (uint64_t[]){0, 0, 0, 0, 0, 0, 0});
    job.id = str("y");
    EXPECT_CODE(check, subject_push(s, &job, 1, DRAY_PUSH_RESTORE, NULL, NULL), DRAY_OK);
    expect_totals(check, "other", (uint64_t[]){0, 0, 0, 0, 0, 0, 0});
}

static void remembers_consumer(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_str queue = str("q");

    EXPECT_CODE(check, subject_push_one(s, job_of("a")), DRAY_OK);
    EXPECT_CODE(check, subject_reserve(s, 0, 1000), DRAY_OK);
    EXPECT_CODE(check, subject_stats(s, &queue, 1), DRAY_OK);
    EXPECT_NUMBER(check, subject_row(s, "q", "")->consumer.len, 0);
    EXPECT_CODE(check, subject_reserve(s, 1, 1000), DRAY_OK);
    subject_advance(s, 4000);
    EXPECT_CODE(check, subject_stats(s, &queue, 1), DRAY_OK);
    EXPECT_NUMBER(check, subject_row(s, "q", "")->consumer.len, 9);
    EXPECT(check, subject_row(s, "q", "")->consumer_age_ms <= 4000);
    EXPECT(check, strcmp(s->rows.at[0].consumer, "host-a:41") == 0);
}

static void shows_pause(struct check *check)
{
    struct subject *s = &check->subject;
    struct dray_str queue = str("q");

    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_PAUSE, "q", NULL, 0), DRAY_OK);
    EXPECT_CODE(check, subject_stats(s, &queue, 1), DRAY_OK);
    EXPECT_NUMBER(check, subject_row(s, "q", "")->paused, 1);
    EXPECT_CODE(check, subject_change(s, DRAY_CHANGE_RESUME, "q", NULL, 0), DRAY_OK);
    EXPECT_CODE(check, subject_stats(s, &queue, 1), DRAY_OK);
    EXPECT_NUMBER(check, subject_row(s, "q", "")->paused, 0);
}

static void durability_is_told(struct check *check)
{
    EXPECT(check, check->subject.durability >= DRAY_DURABILITY_VOLATILE);
    EXPECT(check, check->subject.durability <= DRAY_DURABILITY_REPLICATED);
}

static void frees_everything(struct check *check)
{
    struct subject *s = &check->subject;

    push_many(check, 0, 40);
    EXPECT_CODE(check, subject_reserve(s, 1, 1000), DRAY_OK);
    subject_leave(s);
    EXPECT_NUMBER(check, s->blocks, 0);
}

const struct check_row checks_view[] = {
    {"D1", "open reports the durability in force", durability_is_told, 0},
    {"list", "a listing shows each job once", lists_each_once, NEED_LIST},
    {"list", "a listing shows what matches alone", filters, NEED_LIST},
    {"list", "a listing shows once what stays while others go", listing_while_moving, NEED_LIST},
    {"list", "a listing changes nothing", list_changes_nothing, NEED_LIST},
    {"C2", "times are shown in wall-clock time", shows_times, NEED_LIST | DRAY_CAN_PRIORITY},
    {"stats", "states are counted", counts_states, NEED_STATS | DRAY_CAN_PRIORITY},
    {"stats", "totals count what the header says", totals, NEED_STATS | NEED_CHANGE},
    {"J6", "the last consumer is remembered", remembers_consumer, NEED_STATS},
    {"T17", "a pause is shown", shows_pause, NEED_STATS | NEED_CHANGE},
    {"close", "close gives back all memory", frees_everything, 0},
    {0},
};
