/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes and several instances on one database: nothing handed out twice, nothing lost,
   nobody locked out, and the bell heard. */
#include "scratch.h"
#include "sqlite/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PRODUCERS 2
#define CONSUMERS 3
#define JOBS_EACH 200
#define ALL_JOBS (PRODUCERS * JOBS_EACH)

static char folder[SCRATCH_SIZE];
static char path[SCRATCH_SIZE + 32];
static struct rig rig;

static int set_up(void **state)
{
    (void)state;
    scratch_make(folder);
    snprintf(path, sizeof(path), "%s/queue.db", folder);
    rig_init(&rig, path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_close(&rig);
    scratch_remove(folder);
    return 0;
}

static int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void produce(int number)
{
    char id[32];
    if (rig_open(&rig) != DRAY_OK)
        _exit(2);
    for (int i = 0; i < JOBS_EACH; i++) {
        snprintf(id, sizeof(id), "job-%d", number * JOBS_EACH + i);
        if (rig_push(&rig, "q", id, "{}") != DRAY_OK)
            _exit(3);
    }
    rig_close(&rig);
    _exit(0);
}

/* Writes the number of each job that it had into the pipe; ends when all are gone. */
static void consume(int number, int out)
{
    int32_t answer;
    if (rig_open(&rig) != DRAY_OK)
        _exit(2);
    rig.nonce = (uint64_t)number << 32;
    for (;;) {
        if (rig_reserve(&rig, "q", 7, 3600000) != DRAY_OK)
            _exit(3);
        uint32_t n = rig.njobs;
        for (uint32_t i = 0; i < n; i++) {
            struct rig_job job = rig.jobs[i];
            int32_t had = (int32_t)strtol(job.id + 4, NULL, 10);
            if (write(out, &had, sizeof(had)) != (ssize_t)sizeof(had))
                _exit(4);
            uint32_t others = rig.njobs;
            if (rig_settle(&rig, "q", &job, DRAY_VERDICT_DONE, 0, &answer) != DRAY_OK || answer)
                _exit(5);
            rig.njobs = others;
        }
        if (n == 0 && access("stop", F_OK) == 0)
            break;
    }
    rig_close(&rig);
    _exit(0);
}

static void test_processes_share(void **state)
{
    static unsigned char times[ALL_JOBS];
    pid_t producers[PRODUCERS], consumers[CONSUMERS];
    int pipes[2];
    (void)state;
    memset(times, 0, sizeof(times));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < CONSUMERS; i++)
        if ((consumers[i] = fork()) == 0)
            consume(i + 1, pipes[1]);
    for (int i = 0; i < PRODUCERS; i++)
        if ((producers[i] = fork()) == 0)
            produce(i);
    close(pipes[1]);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(wait_for(producers[i]), 0);
    int fd = open("stop", O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    int32_t had;
    int total = 0;
    while (read(pipes[0], &had, sizeof(had)) == (ssize_t)sizeof(had)) {
        assert_in_range(had, 0, ALL_JOBS - 1);
        assert_int_equal(times[had]++, 0);
        total++;
    }
    close(pipes[0]);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(wait_for(consumers[i]), 0);
    assert_int_equal(total, ALL_JOBS);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    struct dray_tend tend;
    assert_int_equal(rig_tend(&rig, DRAY_TEND_CHECK, &tend), DRAY_OK);
    assert_int_equal(tend.damaged, 0);
    assert_int_equal(tend.records, 0);
    assert_int_equal(chdir("/"), 0);
}

static void *push_from_thread(void *arg)
{
    int number = *(int *)arg;
    struct rig *mine = malloc(sizeof(*mine));
    char id[32];
    intptr_t failed = !mine;
    if (!mine)
        return (void *)failed;
    rig_init(mine, path);
    failed = rig_open(mine) != DRAY_OK;
    for (int i = 0; i < 100 && !failed; i++) {
        snprintf(id, sizeof(id), "t%d-%d", number, i);
        failed = rig_push(mine, "q", id, "1") != DRAY_OK;
    }
    rig_close(mine);
    free(mine);
    return (void *)failed;
}

/* Instances of one process: POSIX locks do not part them, the gate does. */
static void test_instances_of_one_process(void **state)
{
    pthread_t threads[4];
    int numbers[4];
    (void)state;
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, push_from_thread, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig_stats(&rig, "q"), DRAY_OK);
    assert_int_equal(rig.row.ready, 400);
}

/* Whoever holds the lock and dies does not keep it. While he lives the others give up in time. */
static void test_lock_of_the_dead(void **state)
{
    char name[SCRATCH_SIZE + 64];
    int ready[2];
    char byte;
    (void)state;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(pipe(ready), 0);
    snprintf(name, sizeof(name), "%s-lock", path);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(name, O_RDWR);
        if (flock(fd, LOCK_EX) != 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    rig.budget_ms = 50;
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_BUSY);
    assert_non_null(strstr(rig.error.text, "50 ms"));
    rig.budget_ms = RIG_BUDGET_MS;
    assert_int_equal(rig_list(&rig, "q", 0), DRAY_OK); /* reading needs no lock */
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(wait_for(child), 128);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
    close(ready[0]);
    close(ready[1]);
}

/* A removed lock file must not part those who hold the old one from those who make a new one. */
static void test_removed_lock_file(void **state)
{
    char name[SCRATCH_SIZE + 64];
    struct rig *other = malloc(sizeof(*other));
    (void)state;
    assert_non_null(other);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    snprintf(name, sizeof(name), "%s-lock", path);
    assert_int_equal(unlink(name), 0);
    rig_init(other, path);
    assert_int_equal(rig_open(other), DRAY_OK);
    assert_int_equal(rig_push(&rig, "q", "a", "1"), DRAY_OK);
    int fd = open(name, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    rig.budget_ms = other->budget_ms = 20;
    assert_int_equal(rig_push(&rig, "q", "b", "1"), DRAY_BUSY);
    assert_int_equal(rig_push(other, "q", "b", "1"), DRAY_BUSY);
    close(fd);
    rig_close(other);
    free(other);
}

static int readable(int fd, int timeout_ms)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return poll(&look, 1, timeout_ms) == 1;
}

/* Forked before anything is open here: a connection must not cross a fork. */
static pid_t start_pusher(int go)
{
    pid_t child = fork();
    char byte;
    if (child != 0)
        return child;
    if (read(go, &byte, 1) != 1 || rig_open(&rig) != DRAY_OK)
        _exit(1);
    _exit(rig_push(&rig, "q", "a", "1") != DRAY_OK);
}

static void test_bell(void **state)
{
    int fd = -1, go[2];
    struct dray_str queue = rig_str("q");
    (void)state;
    assert_int_equal(pipe(go), 0);
    pid_t child = start_pusher(go[0]);
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(rig.driver->watch(rig.self, rig_call(&rig), &queue, 1, &fd), DRAY_OK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(rig_reserve(&rig, "q", 1, 1000), DRAY_OK);
    assert_int_equal(rig_reserve(&rig, "q", 1, 1000), DRAY_OK);
    assert_int_equal(rig.njobs, 0);
    assert_false(readable(fd, 0)); /* a look that found nothing rings for nobody */
    assert_int_equal(write(go[1], "", 1), 1);
    assert_true(readable(fd, 60000));
    assert_int_equal(wait_for(child), 0);
    assert_int_equal(rig_reserve(&rig, "q", 1, 1000), DRAY_OK);
    assert_int_equal(rig.njobs, 1);
    assert_false(readable(fd, 0));
    close(go[0]);
    close(go[1]);
}

static _Atomic int busy_ends;

static void *keep_busy(void *user)
{
    struct rig *own = user;
    char id[32];
    for (int i = 0; !atomic_load(&busy_ends); i++) {
        snprintf(id, sizeof(id), "busy-%d", i);
        if (rig_push(own, "q", id, "1") != DRAY_OK)
            return own;
    }
    return NULL;
}

/* What the parent's threads are about at the fork stays halfway there in the child, which opens the
   file for itself. */
static void test_a_child_of_a_busy_process(void **state)
{
    struct rig *child = calloc(1, sizeof(*child));
    pthread_t thread;
    void *failed = NULL;
    char id[32];
    (void)state;
    assert_non_null(child);
    rig_init(child, path);
    child->budget_ms = RIG_BUDGET_MS / 4;
    assert_int_equal(rig_open(&rig), DRAY_OK);
    assert_int_equal(pthread_create(&thread, NULL, keep_busy, &rig), 0);
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof(id), "child-%d", i);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(rig_open(child) != DRAY_OK || rig_push(child, "q", id, "1") != DRAY_OK);
        assert_int_equal(wait_for(pid), 0);
    }
    atomic_store(&busy_ends, 1);
    pthread_join(thread, &failed);
    assert_null(failed);
    free(child);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_processes_share),
        CASE(test_instances_of_one_process),
        CASE(test_lock_of_the_dead),
        CASE(test_removed_lock_file),
        CASE(test_bell),
        CASE(test_a_child_of_a_busy_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
