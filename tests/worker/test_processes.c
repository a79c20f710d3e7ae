/* SPDX-License-Identifier: Apache-2.0 */
/* After a fork, several instances on one store, and a driver that starts its own worker (W7, L2).
 */
#include "scratch.h"
#include "worker/rig.h"
#include "worker/watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static int open_memory(void **state)
{
    (void)state;
    rig_open("memory", 0, NULL);
    return 0;
}

static int open_isolate(void **state)
{
    (void)state;
    rig_open("isolate", 0, NULL);
    return 0;
}

static int open_sync(void **state)
{
    (void)state;
    rig_open("sync", 0, NULL);
    return 0;
}

static int ignore(const struct dray_job_info *job, void *user)
{
    (void)job;
    (void)user;
    return 0;
}

static int one(void *arg)
{
    (void)arg;
    return 1;
}

#define REFUSED(call) ((call) == DRAY_FORKED ? 0 : (fprintf(stderr, "%s\n", #call), 1))

/* Every function that takes an instance, in the child. Returns how many did not refuse. */
static int use_everything(void)
{
    struct dray_new_job job = {.type = "t"};
    struct dray_list_options all = {0};
    struct dray_job_info *info;
    struct dray_stats *stats;
    struct dray_health health;
    struct dray_worker_state glance;
    struct dray_error error = DRAY_ERROR_INIT;
    uint64_t n;
    int wrong = 0;
    wrong += REFUSED(dray_dispatch(rig, "t", NULL, NULL, NULL, &error));
    wrong += REFUSED(dray_dispatch_batch(rig, &job, 1, NULL, NULL));
    wrong += REFUSED(dray_on(rig, "t", rig_succeed, NULL, NULL, NULL));
    wrong += REFUSED(dray_load_handlers(rig, "/tmp", NULL));
    wrong += REFUSED(dray_work(rig, NULL, NULL, NULL));
    wrong += REFUSED(dray_worker_start(rig, NULL, NULL));
    wrong += REFUSED(dray_worker_stop(rig, NULL, NULL));
    wrong += REFUSED(dray_worker_wait(rig, NULL, NULL));
    wrong += REFUSED(dray_work_one(rig, NULL, NULL, NULL));
    wrong += REFUSED(dray_run_inline(rig, one, NULL, NULL, NULL));
    wrong += REFUSED(dray_list(rig, NULL, ignore, NULL, NULL));
    wrong += REFUSED(dray_get(rig, NULL, "a", &info, NULL));
    wrong += REFUSED(dray_get_stats(rig, NULL, &stats, NULL));
    wrong += REFUSED(dray_check_health(rig, &health, NULL));
    wrong += REFUSED(dray_kick(rig, NULL, "a", NULL));
    wrong += REFUSED(dray_cancel(rig, NULL, "a", NULL));
    wrong += REFUSED(dray_remove(rig, NULL, "a", 0, NULL));
    wrong += REFUSED(dray_kick_all(rig, &all, &n, NULL));
    wrong += REFUSED(dray_remove_all(rig, &all, &n, NULL));
    wrong += REFUSED(dray_pause(rig, "q", NULL));
    wrong += REFUSED(dray_resume(rig, "q", NULL));
    wrong += REFUSED(dray_sweep(rig, NULL, &n, NULL));
    wrong += REFUSED(dray_reset_totals(rig, NULL, NULL));
    wrong += REFUSED(dray_close(rig));
    dray_worker_request_stop(rig);
    dray_worker_hold(rig, 1);
    dray_worker_get_state(rig, &glance);
    wrong += glance.executors != 0;
    wrong += strstr(error.text, "fork") == NULL;
    return wrong;
}

/* W7 */
static void test_a_child_may_not_use_it(void **state)
{
    int status = 0;
    (void)state;
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    struct dray_worker_options options = {.concurrency = 2, .callbacks = rig_callbacks()};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(use_everything());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    rig_push("t", "a"); /* the parent is as it was */
    WAIT_FOR(rig_saw(SAW_COMPLETE) == 1);
    struct dray_worker_state glance;
    dray_worker_get_state(rig, &glance);
    assert_int_equal(glance.held, 0);
    assert_int_equal(glance.executors, 2);
}

static _Atomic int child_status; /* of the last that came home */

/* Forks and returns in the child, too. */
static void fork_and_return(void)
{
    int status = -1;
    fflush(NULL);
    pid_t child = fork();
    if (child <= 0)
        return;
    waitpid(child, &status, 0);
    atomic_store(&child_status, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static int fork_in_handler(struct dray_attempt *attempt, void *user)
{
    (void)user;
    fork_and_return();
    return dray_attempt_progress(attempt, "both of them");
}

static int fork_in_function(void *arg)
{
    (void)arg;
    fork_and_return();
    return 0;
}

static void fork_in_callback(const struct dray_event *event, void *user)
{
    (void)event;
    (void)user;
    fork_and_return();
}

static int take_child_status(void)
{
    return atomic_exchange(&child_status, -1);
}

/* W7: a child in which a handler, callback or function returns must not go on as a worker. */
static void test_a_child_is_no_second_worker(void **state)
{
    struct dray_worker_options options = {.concurrency = 1};
    struct dray_work_report report;
    (void)state;
    take_child_status();
    assert_ok(dray_on(rig, "t", fork_in_handler, NULL, NULL, &rig_error));
    rig_push("t", "a");
    assert_ok(dray_work_one(rig, &options, &report, &rig_error));
    assert_int_equal(report.succeeded, 1);
    assert_int_equal(take_child_status(), EX_SOFTWARE);
    assert_ok(dray_on(rig, "t", rig_succeed, NULL, NULL, &rig_error));
    options.callbacks.on_job_start = fork_in_callback;
    rig_push("t", "b");
    assert_ok(dray_work_one(rig, &options, &report, &rig_error));
    assert_int_equal(take_child_status(), EX_SOFTWARE);
    options.callbacks = (struct dray_callbacks){.on_stop = fork_in_callback};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    assert_ok(dray_run_inline(rig, fork_in_function, NULL, NULL, &rig_error));
    assert_int_equal(take_child_status(), EX_SOFTWARE);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    assert_int_equal(take_child_status(), EX_SOFTWARE);
}

/* The same on sync, where the dispatcher is told. */
static void test_a_child_of_a_handler_on_sync(void **state)
{
    (void)state;
    take_child_status();
    pid_t parent = getpid();
    assert_ok(dray_on(rig, "t", fork_in_handler, NULL, NULL, &rig_error));
    int code = dray_dispatch(rig, "t", NULL, NULL, NULL, &rig_error);
    if (getpid() != parent)
        _exit(code == DRAY_FORKED ? 0 : 1);
    assert_ok(code);
    assert_int_equal(take_child_status(), 0);
}

/* isolate: the first dispatch starts a worker with an executor a type. */
static void test_a_worker_starts_by_itself(void **state)
{
    struct dray_worker_state glance;
    (void)state;
    assert_ok(dray_on(rig, "a", rig_wait, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "b", rig_wait, NULL, NULL, &rig_error));
    assert_ok(dray_on(rig, "c", rig_wait, NULL, NULL, &rig_error));
    dray_worker_get_state(rig, &glance);
    assert_int_equal(glance.executors, 0);
    rig_push_as("a", NULL, NULL);
    rig_push_as("b", NULL, NULL);
    rig_push_as("c", NULL, NULL);
    WAIT_FOR(rig_inside() == 3);
    dray_worker_get_state(rig, &glance);
    assert_int_equal(glance.executors, 3);
    rig_release();
    WAIT_FOR(rig_inside() == 0);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    rig_push_as("a", NULL, NULL);
    WAIT_FOR(rig_runs() == 4);
}

static void *first_dispatch(void *arg)
{
    *(int *)arg = dray_dispatch(rig, "a", NULL, NULL, NULL, NULL);
    return NULL;
}

static void test_many_first_dispatches_start_one_worker(void **state)
{
    pthread_t thread[8];
    int code[8];
    (void)state;
    assert_ok(dray_on(rig, "a", rig_succeed, NULL, NULL, &rig_error));
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, first_dispatch, &code[i]), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(code[i], DRAY_OK);
    }
    WAIT_FOR(rig_runs() == 8);
}

/* ---- two instances on one file ---- */

static char folder[SCRATCH_SIZE];
static char store_path[SCRATCH_SIZE + 8];
static struct dray *other;

static struct dray *open_store(void)
{
    struct dray *dray = NULL;
    struct dray_setting settings[] = {
        {"queue.sqlite.path", store_path}, {"queue.sqlite.durability", "process"}};
    struct dray_options options = {.driver = "sqlite",
        .settings = settings,
        .nsettings = 2,
        .flags = DRAY_OPEN_NO_ENVIRONMENT};
    assert_ok(dray_open(&dray, &options, &rig_error));
    return dray;
}

static int open_two(void **state)
{
    rig_open("memory", 0, NULL);
    rig_close(state);
    scratch_make_in_memory(folder); /* bounds on time hold for no disk that others keep busy */
    snprintf(store_path, sizeof(store_path), "%s/q.db", folder);
    rig = open_store();
    other = open_store();
    return 0;
}

static int close_two(void **state)
{
    int code = dray_close(other);
    int wrong = rig_close(state) || code != DRAY_OK;
    scratch_remove(folder);
    return wrong ? -1 : 0;
}

static _Atomic unsigned ran[2];

static int count_run(struct dray_attempt *attempt, void *user)
{
    (void)attempt;
    atomic_fetch_add(&ran[*(int *)user], 1);
    return DRAY_OK;
}

static void *flood(void *arg)
{
    for (int i = 0; i < 100; i++)
        dray_dispatch(arg, "t", NULL, NULL, NULL, NULL);
    return NULL;
}

/* Each job is run once, by either. */
static void test_two_instances_share_a_file(void **state)
{
    static int names[2] = {0, 1};
    pthread_t thread[2];
    (void)state;
    atomic_store(&ran[0], 0);
    atomic_store(&ran[1], 0);
    assert_ok(dray_on(rig, "t", count_run, &names[0], NULL, &rig_error));
    assert_ok(dray_on(other, "t", count_run, &names[1], NULL, &rig_error));
    struct dray_worker_options options = {.concurrency = 2};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    assert_ok(dray_worker_start(other, &options, &rig_error));
    assert_int_equal(pthread_create(&thread[0], NULL, flood, rig), 0);
    assert_int_equal(pthread_create(&thread[1], NULL, flood, other), 0);
    pthread_join(thread[0], NULL);
    pthread_join(thread[1], NULL);
    WAIT_FOR(atomic_load(&ran[0]) + atomic_load(&ran[1]) == 200);
    assert_ok(dray_worker_stop(rig, NULL, &rig_error));
    assert_ok(dray_worker_stop(other, NULL, &rig_error));
    assert_int_equal(atomic_load(&ran[0]) + atomic_load(&ran[1]), 200);
    struct dray_stats *stats = NULL;
    assert_ok(dray_get_stats(rig, NULL, &stats, &rig_error));
    assert_int_equal(stats->completed, 200);
    assert_int_equal(stats->queues[0].ready + stats->queues[0].active, 0);
    dray_stats_free(stats);
}

static unsigned dispatched(const char *type, unsigned n)
{
    struct dray_new_job jobs[100];
    memset(jobs, 0, sizeof(jobs));
    for (unsigned i = 0; i < n; i++)
        jobs[i].type = i == 0 ? type : "t";
    assert_ok(dray_dispatch_batch(rig, jobs, n, NULL, &rig_error));
    return n;
}

/* Quick handlers make a worker reserve ahead; when one of them takes long after all, what waits
   behind it goes to whoever has time: the other instance, after it was given back. */
static void test_jobs_behind_a_slow_handler_go_elsewhere(void **state)
{
    static int names[2] = {0, 1};
    (void)state;
    atomic_store(&ran[0], 0);
    atomic_store(&ran[1], 0);
    rig_hold_back();
    assert_ok(dray_on(rig, "t", count_run, &names[0], NULL, &rig_error));
    assert_ok(dray_on(rig, "slow", rig_deaf, NULL, NULL, &rig_error));
    assert_ok(dray_on(other, "t", count_run, &names[1], NULL, &rig_error));
    struct dray_worker_options options = {.concurrency = 1};
    assert_ok(dray_worker_start(rig, &options, &rig_error));
    unsigned quick = dispatched("t", 100);
    WAIT_FOR(atomic_load(&ran[0]) == quick);
    quick += dispatched("slow", 30) - 1;
    WAIT_FOR(rig_inside() == 1);
    assert_ok(dray_worker_start(other, &options, &rig_error));
    WAIT_FOR(atomic_load(&ran[0]) + atomic_load(&ran[1]) == quick);
    assert_true(atomic_load(&ran[1]) > 0);
    assert_int_equal(rig_inside(), 1);
    rig_release();
    WAIT_FOR(rig_inside() == 0);
}

static void *push_twenty(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++)
        if (dray_dispatch(rig, "t", NULL, NULL, NULL, NULL) != DRAY_OK)
            return rig;
    return NULL;
}

/* Executors fall asleep while dispatchers of their own lead, some after the last look. */
static unsigned push_beside_the_executors(void)
{
    pthread_t thread;
    void *failed[2];
    assert_int_equal(pthread_create(&thread, NULL, push_twenty, NULL), 0);
    failed[0] = push_twenty(NULL);
    pthread_join(thread, &failed[1]);
    assert_true(!failed[0] && !failed[1]);
    return 40;
}

/* L2: what the other instance pushes is noticed; a start that is refused takes nobody's bell. */
static void test_the_bell_of_the_other_instance(void **state)
{
    static int name = 0;
    (void)state;
    atomic_store(&ran[0], 0);
    assert_ok(dray_on(rig, "t", count_run, &name, NULL, &rig_error));
    assert_ok(dray_worker_start(rig, NULL, &rig_error));
    assert_int_equal(dray_worker_start(rig, NULL, &rig_error), DRAY_CONFLICT);
    assert_int_equal(dray_work_one(rig, NULL, NULL, &rig_error), DRAY_CONFLICT);
    unsigned pushed = 0, late = 0;
    for (unsigned i = 1; i <= 20; i++) {
        pushed += push_beside_the_executors();
        WAIT_FOR(atomic_load(&ran[0]) == pushed);
        for (int nap = 0; nap < 20; nap++)
            rig_nap();
        struct watch start = watch_start();
        assert_ok(dray_dispatch(other, "t", NULL, NULL, NULL, &rig_error));
        pushed++;
        WAIT_FOR(atomic_load(&ran[0]) == pushed);
        late += watch_ms(&start) >= 250;
    }
    assert_in_range(late, 0, 1); /* by polling once a second nearly all are */
}

#define WITH(open, test) cmocka_unit_test_setup_teardown(test, open, rig_close)

static int has_sqlite(void)
{
    char path[4096];
    const char *where = getenv("DRAY_DRIVER_PATH");
    snprintf(path, sizeof(path), "%s/sqlite.so", where ? where : ".");
    return access(path, F_OK) == 0;
}

int main(void)
{
    const struct CMUnitTest alone[] = {
        WITH(open_memory, test_a_child_may_not_use_it),
        WITH(open_memory, test_a_child_is_no_second_worker),
        WITH(open_sync, test_a_child_of_a_handler_on_sync),
        WITH(open_isolate, test_a_worker_starts_by_itself),
        WITH(open_isolate, test_many_first_dispatches_start_one_worker),
    };
    const struct CMUnitTest shared[] = {
        cmocka_unit_test_setup_teardown(test_two_instances_share_a_file, open_two, close_two),
        cmocka_unit_test_setup_teardown(
            test_jobs_behind_a_slow_handler_go_elsewhere, open_two, close_two),
        cmocka_unit_test_setup_teardown(test_the_bell_of_the_other_instance, open_two, close_two),
    };
    int failed = cmocka_run_group_tests(alone, NULL, NULL);
    if (has_sqlite())
        failed += cmocka_run_group_tests(shared, NULL, NULL);
    else
        fprintf(stderr, "SKIPPED: the sqlite driver was not built\n");
    return failed;
}
