/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at jobs and mending them: list, get, stats, health, changes, the default instance. */
#include "scratch.h"
#include "worker/attempt.h"
#include "worker/rig.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_memory(void **state)
{
    (void)state;
    rig_open("memory", 1, "queue.keep.done", "1h", NULL);
    return 0;
}

static int open_slow(void **state)
{
    (void)state;
    rig_open("slow", 1, NULL);
    return 0;
}

static int open_bare(void **state)
{
    (void)state;
    rig_open("bare", 1, NULL);
    return 0;
}

/* ---- listing ---- */

struct listing {
    char ids[1000];
    unsigned n;
    unsigned stop_at;
};

static int note_id(const struct dray_job_info *job, void *user)
{
    struct listing *l = user;
    size_t used = strlen(l->ids);
    snprintf(l->ids + used, sizeof(l->ids) - used, "%s ", job->id);
    return ++l->n == l->stop_at ? 77 : 0;
}

static const char *list(const struct dray_list_options *options)
{
    static struct listing l;
    l = (struct listing){.n = 0};
    assert_ok(dray_list(rig, options, note_id, &l, &rig_error));
    return l.ids;
}

static void work_all(void)
{
    struct dray_work_report report;
    struct dray_worker_options options = {.callbacks = rig_callbacks()};
    while (dray_work_one(rig, &options, &report, NULL) == DRAY_OK)
        continue;
}

static void make_some_jobs(void)
{
    struct dray_handler_options once = {.max_attempts = 1};
    assert_ok(dray_on(rig, "ok", rig_succeed, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "bad", rig_fail, NULL, &once, &rig_error));
    rig_push("ok", "done-1");
    rig_push("bad", "dead-1");
    rig_push("bad", "dead-2");
    work_all();
    rig_advance(1000);
    rig_push("ok", "ready-1");
    rig_push_as("ok", NULL, &(struct dray_new_job){.id = "later-1", .delay_ms = 5000});
    rig_push_as("bad", NULL, &(struct dray_new_job){.id = "mail-1", .queue = "mail"});
}

static void test_a_listing_shows_what_was_asked(void **state)
{
    struct listing l = {.stop_at = 2};
    (void)state;
    make_some_jobs();
    int64_t now = dray_clock_wall_ms(rig_clock);
    assert_string_equal(list(&(struct dray_list_options){.state = "dead"}), "dead-1 dead-2 ");
    assert_string_equal(
        list(&(struct dray_list_options){.state = "ready,delayed", .queue = "default"}),
        "ready-1 later-1 ");
    assert_string_equal(list(&(struct dray_list_options){.queue = "mail"}), "mail-1 ");
    assert_string_equal(
        list(&(struct dray_list_options){.type = "ok", .state = "done"}), "done-1 ");
    assert_string_equal(list(&(struct dray_list_options){.id = "dead-2"}), "dead-2 ");
    assert_string_equal(
        list(&(struct dray_list_options){.since_ms = now, .queue = "default"}), "ready-1 later-1 ");
    assert_string_equal(list(&(struct dray_list_options){.state = "dead", .limit = 1}), "dead-1 ");
    assert_string_equal(list(&(struct dray_list_options){.queue = "none"}), "");
    assert_int_equal(dray_list(rig, NULL, note_id, &l, &rig_error), 77);
    assert_int_equal(l.n, 2);
    assert_int_equal(
        dray_list(rig, &(struct dray_list_options){.state = "deed"}, note_id, &l, &rig_error),
        DRAY_INVALID);
    assert_non_null(strstr(rig_error.text, "deed"));
    assert_int_equal(
        dray_list(rig, &(struct dray_list_options){.queue = "a b"}, note_id, &l, &rig_error),
        DRAY_NOTFOUND);
}

static int count_and_look(const struct dray_job_info *job, void *user)
{
    struct dray_job_info *again = NULL;
    if (dray_get(rig, job->queue, job->id, &again, NULL) == DRAY_OK)
        ++*(unsigned *)user;
    dray_job_info_free(again);
    return 0;
}

/* More than a page; the function may call back in. */
static void test_a_long_listing_shows_each_once(void **state)
{
    unsigned n = 0;
    (void)state;
    for (int i = 0; i < 700; i++)
        rig_push_as("t", NULL, NULL);
    assert_ok(dray_list(rig, NULL, count_and_look, &n, &rig_error));
    assert_int_equal(n, 700);
}

static void test_a_job_is_found_by_its_id(void **state)
{
    struct dray_job_info *job = NULL;
    (void)state;
    rig_push_as("t", "1", &(struct dray_new_job){.id = "a", .queue = "one"});
    rig_push_as("t", "2", &(struct dray_new_job){.id = "a", .queue = "two"});
    assert_int_equal(dray_get(rig, NULL, "a", &job, &rig_error), DRAY_CONFLICT);
    assert_ok(dray_get(rig, "two", "a", &job, &rig_error));
    assert_string_equal(job->payload, "2");
    dray_job_info_free(job);
    assert_int_equal(dray_get(rig, NULL, "b", &job, &rig_error), DRAY_NOTFOUND);
    assert_int_equal(dray_get(rig, NULL, "", &job, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_get(rig, NULL, NULL, &job, &rig_error), DRAY_INVALID);
}

/* ---- leases ---- */

static void run_one(void)
{
    struct dray_worker_options options = {.concurrency = 1, .callbacks = rig_callbacks()};
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    rig_push("t", "running");
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    WAIT_FOR(rig_inside() == 1);
}

static int64_t shown_lease_ms(void)
{
    struct dray_job_info *job = rig_get("running");
    assert_string_equal(job->state, "active");
    int64_t left_ms = job->lease_until_ms - dray_clock_wall_ms(rig_clock);
    dray_job_info_free(job);
    return left_ms;
}

/* Whatever a driver says: beyond ten years it is no time. */
static void test_the_end_of_a_lease_is_a_time(void **state)
{
    static const struct {
        uint64_t said;
        int64_t shown;
    } cases[] = {{1, 1}, {DELAY_MAX_MS - 1, DELAY_MAX_MS - 1}, {DELAY_MAX_MS + 1, DELAY_MAX_MS},
        {INT64_MAX, DELAY_MAX_MS}, {1ull << 63, DELAY_MAX_MS}, {UINT64_MAX, DELAY_MAX_MS}};
    (void)state;
    run_one();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        script_say_lease(cases[i].said);
        assert_int_equal(shown_lease_ms(), cases[i].shown);
    }
}

static int open_longest(void **state)
{
    (void)state;
    rig_open("memory", 1, "queue.memory.retry_after", "3653d", NULL);
    return 0;
}

/* Ten years are the longest that a configuration can ask for; renewed, it is as long again. */
static void test_the_longest_lease(void **state)
{
    const int64_t longest_ms = 3653ll * 24 * 3600 * 1000;
    (void)state;
    run_one();
    assert_int_equal(shown_lease_ms(), longest_ms);
    for (int i = 0; i < 2; i++) {
        rig_advance(longest_ms - 1);
        WAIT_FOR(shown_lease_ms() == longest_ms);
    }
    assert_int_equal(rig_inside(), 1); /* nobody has told it that its lease is over */
    assert_int_equal(rig_saw(SAW_TROUBLE), 0);
}

/* ---- changes ---- */

static void test_changes_by_id(void **state)
{
    (void)state;
    make_some_jobs();
    assert_ok(dray_kick(rig, NULL, "dead-1", &rig_error));
    assert_string_equal(rig_state("dead-1"), "ready");
    assert_int_equal(dray_kick(rig, NULL, "done-1", &rig_error), DRAY_CONFLICT);
    assert_int_equal(dray_kick(rig, NULL, "none", &rig_error), DRAY_NOTFOUND);
    assert_int_equal(dray_kick(rig, "mail", "dead-2", &rig_error), DRAY_NOTFOUND);
    assert_ok(dray_cancel(rig, NULL, "later-1", &rig_error));
    struct dray_job_info *job = rig_get("later-1");
    assert_string_equal(job->state, "dead");
    assert_string_equal(job->last_error, "cancelled");
    dray_job_info_free(job);
    assert_int_equal(dray_cancel(rig, NULL, "later-1", &rig_error), DRAY_CONFLICT);
    assert_ok(dray_remove(rig, NULL, "dead-2", 0, &rig_error));
    assert_string_equal(rig_state("dead-2"), "gone");
}

#define REMOVED 150

static void test_removing_by_ids(void **state)
{
    char names[REMOVED][8];
    const char *ids[REMOVED];
    int answers[REMOVED];
    (void)state;
    for (int i = 0; i < REMOVED; i++) {
        snprintf(names[i], sizeof(names[i]), "j%d", i);
        ids[i] = names[i];
        if (i != 70)
            rig_push_as("ok", NULL, &(struct dray_new_job){.queue = "mail", .id = ids[i]});
    }
    rig_push_as("ok", NULL, &(struct dray_new_job){.queue = "mail", .id = "other"});
    assert_ok(dray_remove_batch(rig, "mail", ids, REMOVED, answers, &rig_error));
    for (int i = 0; i < REMOVED; i++)
        assert_int_equal(answers[i], i == 70 ? DRAY_NOTFOUND : DRAY_OK);
    assert_string_equal(rig_state("j149"), "gone");
    assert_string_equal(rig_state("other"), "ready");
    ids[1] = "a b";
    assert_int_equal(dray_remove_batch(rig, "mail", ids, 2, answers, &rig_error), DRAY_INVALID);
    assert_int_equal(answers[0], DRAY_INVALID);
    assert_string_equal(rig_error.text, "id 1 of those to remove may only have letters, digits and "
                                        ". _ : -");
    assert_int_equal(dray_remove_batch(rig, NULL, ids, 1, answers, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_remove_batch(rig, "mail", NULL, 1, answers, &rig_error), DRAY_INVALID);
    assert_ok(dray_remove_batch(rig, "mail", NULL, 0, NULL, &rig_error));
}

static int refuse_to_be_removed(struct dray_attempt *attempt, void *user)
{
    const char *id = dray_attempt_id(attempt);
    int *answer = user;
    (void)dray_remove_batch(dray_attempt_dray(attempt), "default", &id, 1, answer, NULL);
    return DRAY_OK;
}

static void test_running_jobs_are_not_removed(void **state)
{
    int answer = DRAY_OK;
    (void)state;
    assert_ok(dray_on(rig, "clings", refuse_to_be_removed, &answer, NULL, &rig_error));
    rig_push("clings", NULL);
    assert_ok(dray_work_one(rig, NULL, NULL, &rig_error));
    assert_int_equal(answer, DRAY_CONFLICT);
}

static void test_changes_of_many(void **state)
{
    uint64_t n = 0;
    (void)state;
    make_some_jobs();
    for (int i = 0; i < 200; i++)
        rig_push_as("ok", NULL, &(struct dray_new_job){.queue = i % 2 ? "odd" : "even"});
    assert_int_equal(dray_list(rig, NULL, NULL, NULL, &rig_error), DRAY_INVALID);
    assert_ok(dray_kick_all(rig, NULL, &n, &rig_error)); /* the dead ones */
    assert_int_equal(n, 2);
    assert_string_equal(rig_state("later-1"), "delayed");
    assert_ok(dray_remove_all(rig, &(struct dray_list_options){.queue = "odd"}, &n, &rig_error));
    assert_int_equal(n, 100);
    assert_int_equal(dray_remove_all(rig, NULL, &n, &rig_error), DRAY_INVALID);
    assert_ok(dray_remove_all(rig, &(struct dray_list_options){0}, &n, &rig_error));
    assert_int_equal(n, 106);
    assert_int_equal(dray_pause(rig, "a b", &rig_error), DRAY_INVALID);
    assert_int_equal(dray_pause(rig, NULL, &rig_error), DRAY_INVALID);
}

/* T13: a running job only by force; its owner finds that out. */
static void test_a_running_job_is_removed_by_force(void **state)
{
    (void)state;
    assert_ok(dray_on(rig, "t", rig_wait, NULL, NULL, &rig_error));
    rig_push("t", "a");
    struct dray_worker_options options = {.callbacks = rig_callbacks()};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    WAIT_FOR(rig_inside() == 1);
    assert_int_equal(dray_remove(rig, NULL, "a", 0, &rig_error), DRAY_CONFLICT);
    assert_ok(dray_remove(rig, NULL, "a", 1, &rig_error));
    rig_release();
    WAIT_FOR(rig_saw(SAW_TROUBLE) == 1);
    assert_int_equal(rig_event(SAW_TROUBLE, 0).code, DRAY_STALE);
}

/* T11: leases of nobody are put back by a sweep. */
static void test_a_sweep_puts_expired_leases_back(void **state)
{
    uint64_t n = 99;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_deaf, NULL, NULL, &rig_error));
    rig_push("t", "a");
    struct dray_worker_options options = {.concurrency = 1, .shutdown_timeout_ms = 1};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    WAIT_FOR(rig_inside() == 1);
    dray_worker_request_stop(rig);
    rig_advance(2);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    assert_ok(dray_sweep(rig, NULL, &n, &rig_error));
    assert_int_equal(n, 0);
    rig_advance(90001);
    assert_ok(dray_sweep(rig, "default", &n, &rig_error));
    assert_int_equal(n, 1);
    struct dray_job_info *job = rig_get("a");
    assert_string_equal(job->state, "ready");
    assert_string_equal(job->last_error, "lease expired");
    assert_int_equal(job->attempts, 1);
    dray_job_info_free(job);
    assert_int_equal(dray_sweep(rig, "a b", &n, &rig_error), DRAY_NOTFOUND);
    rig_release();
    WAIT_FOR(rig_abandoned() == 0);
}

/* ---- stats ---- */

static void test_stats_count(void **state)
{
    struct dray_stats *stats = NULL;
    (void)state;
    make_some_jobs();
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    assert_int_equal(stats->nqueues, 2);
    assert_int_equal(stats->pushed, 6);
    assert_int_equal(stats->completed, 1);
    assert_int_equal(stats->failed, 2);
    assert_int_equal(stats->dead, 2);
    assert_int_equal(stats->processing, 0);
    assert_true(stats->success_rate > 0.333 && stats->success_rate < 0.334);
    assert_true(stats->failure_rate > 0.666 && stats->failure_rate < 0.667);
    assert_true(stats->average_processing_time_ms >= 0);
    assert_int_equal(stats->ntypes, 2);
    for (size_t i = 0; i < stats->nqueues; i++) {
        const struct dray_queue_stats *q = &stats->queues[i];
        int mail = strcmp(q->name, "mail") == 0;
        assert_int_equal(q->ready, 1);
        assert_int_equal(q->delayed, mail ? 0 : 1);
        assert_int_equal(q->dead, mail ? 0 : 2);
        assert_int_equal(q->done, mail ? 0 : 1);
        assert_int_equal(q->consumed, mail ? 0 : 1);
    }
    dray_stats_free(stats);
    assert_ok(dray_reset_totals(rig, NULL, &rig_error));
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    assert_int_equal(stats->pushed + stats->completed + stats->failed + stats->dead, 0);
    assert_true(stats->success_rate < 0 && stats->average_processing_time_ms < 0);
    dray_stats_free(stats);
    assert_ok(dray_get_stats(rig, "never", &stats, &rig_error));
    assert_int_equal(stats->nqueues, 1);
    assert_int_equal(stats->queues[0].ready, 0);
    assert_int_equal(stats->queues[0].consumed, 0);
    dray_stats_free(stats);
}

/* A type that several queues have is one row, in the order of names; there may be many. */
static void test_stats_of_many_types(void **state)
{
    enum { TYPES = 2000 };
    static const char *const queues[] = {"a", "b", "c"};
    struct dray_new_job jobs[TYPES] = {{0}};
    static char types[TYPES][8];
    struct dray_stats *stats = NULL;
    (void)state;
    for (int i = 0; i < TYPES; i++) {
        snprintf(types[i], sizeof(types[i]), "t%04d", i * 7 % TYPES);
        jobs[i].type = types[i];
    }
    for (size_t q = 0; q < 3; q++) {
        for (int i = 0; i < TYPES; i++)
            jobs[i].queue = queues[q];
        assert_ok(dray_dispatch_batch(rig, jobs, TYPES - q, NULL, &rig_error));
    }
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    assert_int_equal(stats->nqueues, 3);
    assert_int_equal(stats->pushed, 3 * TYPES - 3);
    assert_int_equal(stats->ntypes, TYPES);
    for (int i = 0; i < TYPES; i++) {
        char expected[8];
        snprintf(expected, sizeof(expected), "t%04d", i);
        assert_string_equal(stats->types[i].type, expected);
        int missed = (i == (TYPES - 1) * 7 % TYPES) * 2 + (i == (TYPES - 2) * 7 % TYPES);
        assert_int_equal(stats->types[i].queued, 3 - missed);
    }
    dray_stats_free(stats);
}

static int health(struct dray_health *out)
{
    assert_ok(dray_check_health(rig, out, &rig_error));
    return out->status;
}

/* J6: fine while somebody consumes; critical when nobody does, or the store is away. */
static void test_health_has_three_answers(void **state)
{
    struct dray_health h;
    (void)state;
    rig_push("t", "a");
    assert_int_equal(health(&h), DRAY_HEALTH_CRITICAL);
    assert_non_null(strstr(h.lines[0], "nobody consumes queue default"));
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    struct dray_worker_options options = {.callbacks = rig_callbacks()};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    assert_int_equal(health(&h), DRAY_HEALTH_OK);
    assert_int_equal(h.nlines, 0);
    assert_ok(dray_pause(rig, "default", &rig_error));
    assert_int_equal(health(&h), DRAY_HEALTH_WARNING);
    assert_non_null(strstr(h.lines[0], "paused"));
    assert_ok(dray_resume(rig, "default", &rig_error));
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    rig_advance(31000);
    assert_int_equal(health(&h), DRAY_HEALTH_CRITICAL);
    script_say(SCRIPT_STATS, DRAY_UNREACHABLE, 1, 0);
    assert_int_equal(health(&h), DRAY_HEALTH_CRITICAL);
    assert_non_null(strstr(h.lines[0], "the script says"));
}

static void test_thresholds_warn(void **state)
{
    struct dray_health h;
    struct dray_setting settings[] = {{"queue.health.backlog", "2"},
        {"queue.health.failure_rate", "0.5"}, {"queue.health.processing", "0"}};
    (void)state;
    assert_ok(dray_close(rig));
    assert_ok(dray_open(&rig,
        &(struct dray_options){.driver = "memory",
            .clock = rig_clock,
            .settings = settings,
            .nsettings = 3,
            .flags = DRAY_OPEN_NO_ENVIRONMENT},
        &rig_error));
    make_some_jobs();
    rig_push("ok", "one");
    rig_push("ok", "two");
    rig_push("ok", "three");
    assert_true(health(&h) >= DRAY_HEALTH_WARNING);
    int backlog = 0, rate = 0;
    for (size_t i = 0; i < h.nlines; i++) {
        backlog |= strstr(h.lines[i], "backlog") != NULL;
        rate |= strstr(h.lines[i], "failure_rate") != NULL;
    }
    assert_true(backlog && rate);
    /* Worst first, whichever queue it is of. */
    rig_push_as("ok", NULL, &(struct dray_new_job){.queue = "zzz"});
    assert_int_equal(health(&h), DRAY_HEALTH_CRITICAL);
    assert_non_null(strstr(h.lines[0], "nobody consumes"));
    assert_non_null(strstr(h.lines[1], "queue zzz, where 1 job is ready"));
}

static void test_a_missing_argument_is_refused(void **state)
{
    (void)state;
    rig_push("t", "a");
    assert_int_equal(dray_dispatch_batch(rig, NULL, 2, NULL, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_get_stats(rig, NULL, NULL, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_check_health(rig, NULL, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_get(rig, NULL, "a", NULL, &rig_error), DRAY_INVALID);
    assert_int_equal(dray_each_driver(NULL, NULL, NULL, &rig_error), DRAY_INVALID);
}

static void test_what_the_driver_lacks_is_refused(void **state)
{
    struct dray_stats *stats = NULL;
    struct dray_health h;
    struct listing l = {.n = 0};
    (void)state;
    assert_int_equal(dray_get_stats(rig, NULL, &stats, &rig_error), DRAY_UNSUPPORTED);
    assert_int_equal(dray_check_health(rig, &h, &rig_error), DRAY_UNSUPPORTED);
    assert_int_equal(dray_list(rig, NULL, note_id, &l, &rig_error), DRAY_UNSUPPORTED);
    assert_int_equal(dray_pause(rig, "q", &rig_error), DRAY_UNSUPPORTED);
    assert_int_equal(dray_kick(rig, "q", "a", &rig_error), DRAY_UNSUPPORTED);
    assert_non_null(strstr(rig_error.text, "bare"));
    assert_int_equal(dray_reset_totals(rig, "q", &rig_error), DRAY_UNSUPPORTED);
}

/* ---- the default instance ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static _Atomic int enough;

static void *ask_again(void *user)
{
    while (!atomic_load(&enough))
        (void)dray_default(NULL);
    return user;
}

/* Its parent's threads were just asking for the default instance: their lock is not the child's. */
static void the_default_instance_of_a_child(const struct dray *parents)
{
    pthread_t thread[2];
    int failed = 0;
    atomic_store(&enough, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, ask_again, NULL), 0);
    for (int i = 0; i < 40 && !failed; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(RIG_PATIENCE_MS / 1000);
            const struct dray *own = dray_default(NULL);
            _exit(!own || own == parents);
        }
        assert_int_equal(waitpid(child, &failed, 0), child);
    }
    atomic_store(&enough, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(failed, 0);
}

static void test_the_default_instance(void **state)
{
    char folder[SCRATCH_SIZE], path[SCRATCH_SIZE + 8], found[128];
    (void)state;
    scratch_make(folder);
    snprintf(path, sizeof(path), "%s/q.yaml", folder);
    setenv("DRAY_CONFIG", path, 1);
    assert_null(dray_default(&rig_error)); /* not there yet; the next call tries again */
    write_file(path, "queue: {driver: memory}\n");
    struct dray *one = dray_default(&rig_error);
    assert_non_null(one);
    assert_ptr_equal(dray_default(&rig_error), one);
    assert_ok(dray_find_config(found, sizeof(found), &rig_error));
    assert_string_equal(found, path);
    assert_int_equal(dray_find_config(found, 5, &rig_error), DRAY_LIMIT);
    assert_ok(dray_dispatch(one, "t", NULL, NULL, NULL, &rig_error));
    the_default_instance_of_a_child(one);
    dray_default_close();
    dray_default_close();
    assert_non_null(dray_default(&rig_error));
    dray_default_close();
    unsetenv("DRAY_CONFIG");
    unlink(path);
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(dray_find_config(found, sizeof(found), &rig_error), DRAY_NOTFOUND);
    write_file("queue.yaml", "queue: {driver: memory}\n");
    assert_ok(dray_find_config(found, sizeof(found), &rig_error));
    assert_string_equal(found, "./queue.yaml");
    unlink("queue.yaml");
    assert_int_equal(chdir("/"), 0);
    scratch_remove(folder);
}

#define WITH(open, test) cmocka_unit_test_setup_teardown(test, open, rig_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(open_memory, test_a_listing_shows_what_was_asked),
        WITH(open_memory, test_a_long_listing_shows_each_once),
        WITH(open_memory, test_a_job_is_found_by_its_id),
        WITH(open_memory, test_changes_by_id),
        WITH(open_memory, test_changes_of_many),
        WITH(open_memory, test_removing_by_ids),
        WITH(open_memory, test_running_jobs_are_not_removed),
        WITH(open_memory, test_a_running_job_is_removed_by_force),
        WITH(open_memory, test_a_sweep_puts_expired_leases_back),
        WITH(open_memory, test_stats_count),
        WITH(open_memory, test_stats_of_many_types),
        WITH(open_slow, test_the_end_of_a_lease_is_a_time),
        WITH(open_longest, test_the_longest_lease),
        WITH(open_slow, test_health_has_three_answers),
        WITH(open_slow, test_a_missing_argument_is_refused),
        WITH(open_memory, test_thresholds_warn),
        WITH(open_bare, test_what_the_driver_lacks_is_refused),
        WITH(open_memory, test_the_default_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
