/* SPDX-License-Identifier: Apache-2.0 */
#include "fault/crew.h"

#include "fault/oracle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS 60000 /* for what should happen at once; generous, for slow machines */
#define JOBS_A_ROUND 60u
#define PARENTS 5u  /* of which one in so many pushes three more from its handler */
#define POISON 199u /* and one in so many kills its worker */

void crew_nap_ms(long ms)
{
    struct timespec ts = {ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&ts, NULL);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int crew_rounds(void)
{
    const char *wish = getenv("DRAY_LONG");
    return wish && *wish ? 400 : 12;
}

/* ---- the crew ---- */

void crew_gather(struct crew *crew, const char *driver, const char *store, const char *lease)
{
    memset(crew, 0, sizeof(*crew));
    crew->driver = driver;
    crew->lease = lease;
    scratch_make_in_memory(crew->folder); /* short leases, and whatever the disk has to do */
    if (store)
        snprintf(crew->store, sizeof(crew->store), "%s", store);
    else
        snprintf(crew->store, sizeof(crew->store), "%s/queue.db", crew->folder);
    snprintf(crew->oracle, sizeof(crew->oracle), "%s/oracle", crew->folder);
    crew_name_go(crew->go, sizeof(crew->go), crew->oracle);
    crew->dray = crew_open(driver, crew->store, lease);
    assert_non_null(crew->dray);
}

void crew_dismiss(struct crew *crew)
{
    assert_int_equal(dray_close(crew->dray), DRAY_OK);
    free(crew->ids);
    scratch_remove(crew->folder);
}

pid_t crew_start(struct crew *crew)
{
    char self[4096];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    assert_true(len > 0);
    self[len] = 0;
    char *argv[] = {self, (char *)(uintptr_t) "worker", (char *)(uintptr_t)crew->driver,
        crew->store, crew->oracle, (char *)(uintptr_t)crew->lease, NULL};
    pid_t pid;
    assert_int_equal(posix_spawn(&pid, self, NULL, NULL, argv, environ), 0);
    return pid;
}

void crew_kill(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static int is_open(const struct crew *crew, pid_t pid)
{
    struct oracle_line *lines;
    size_t n = oracle_read(crew->oracle, &lines);
    int open = 0;
    for (size_t i = 0; i < n && !open; i++)
        open = lines[i].pid == (long)pid;
    free(lines);
    return open;
}

void crew_wait_open(const struct crew *crew, pid_t pid)
{
    siginfo_t info = {0};
    int64_t end = now_ms() + PATIENCE_MS;
    while (!is_open(crew, pid) && now_ms() < end) {
        if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid)
            return;
        crew_nap_ms(5);
    }
}

void crew_kill_one(struct crew *crew, void *user)
{
    pid_t *victim = &crew->worker[random() % CREW_WORKERS];
    (void)user;
    crew_kill(*victim);
    *victim = crew_start(crew);
}

/* ---- pushing, and waiting for the end ---- */

/* Pushes while workers come and go. A push that is refused or unsure binds to nothing. */
static void push_some(struct crew *crew)
{
    for (unsigned i = 0; i < JOBS_A_ROUND; i++) {
        struct dray_dispatched out;
        const char *type = crew->nids % POISON == 7    ? "poison"
                           : crew->nids % PARENTS == 3 ? "parent"
                                                       : "work";
        if (dray_dispatch(crew->dray, type, "{}", NULL, &out, NULL) == DRAY_OK)
            memcpy(crew->ids[crew->nids++], out.id, sizeof(out.id));
    }
}

static uint64_t waiting(struct crew *crew)
{
    struct dray_stats *stats = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    int code = dray_get_stats(crew->dray, NULL, &stats, &error);
    if (code == DRAY_BUSY || code == DRAY_UNREACHABLE || code == DRAY_UNKNOWN)
        return 1; /* the store is at work, or not at work yet */
    if (code != DRAY_OK)
        fail_msg("%s", error.text);
    uint64_t n = 0;
    for (size_t i = 0; i < stats->nqueues; i++)
        n += stats->queues[i].ready + stats->queues[i].delayed + stats->queues[i].active;
    dray_stats_free(stats);
    return n;
}

/* Lets one worker after another finish the rest. A poisoned job takes its worker along, so it takes
   as many workers as it has attempts left. */
static int finish(struct crew *crew)
{
    int64_t end = now_ms() + PATIENCE_MS + crew_rounds() * 1000;
    while (now_ms() < end) {
        pid_t last = crew_start(crew);
        int gone = 0;
        while (!gone && waiting(crew) && now_ms() < end) {
            crew_nap_ms(20);
            gone = waitpid(last, NULL, WNOHANG) == last;
        }
        if (gone)
            continue;
        kill(last, SIGTERM); /* what it has told its callbacks is written before it ends */
        waitpid(last, NULL, 0);
        return waiting(crew) == 0;
    }
    return 0;
}

/* ---- judging ---- */

struct tally {
    unsigned starts, dones, acked, dead, stale, poison;
    unsigned acked_attempt, stale_attempt;
    unsigned after_end; /* starts after the store had acknowledged the end */
};

static void count(struct tally *t, const struct oracle_line *line)
{
    int starts = strcmp(line->word, "start") == 0, poison = strcmp(line->word, "poison") == 0;
    t->after_end += (t->acked || t->dead) && (starts || poison);
    t->starts += (unsigned)starts;
    t->poison += (unsigned)poison;
    t->dones += strcmp(line->word, "done") == 0;
    t->dead += strcmp(line->word, "dead") == 0;
    if (strcmp(line->word, "acked") == 0) {
        t->acked++;
        t->acked_attempt = line->number;
    }
    if (strcmp(line->word, "stale") == 0) {
        t->stale++;
        t->stale_attempt = line->number;
    }
}

/* By id, and the lines of one id as they happened. */
static int compare_lines(const void *a, const void *b)
{
    const struct oracle_line *left = *(const struct oracle_line *const *)a;
    const struct oracle_line *right = *(const struct oracle_line *const *)b;
    int order = strcmp(left->id, right->id);
    return order ? order : (left > right) - (left < right);
}

/* Pointers to all lines, so ordered; for free(). A long campaign has too many to go through all of
   them for each job. */
static const struct oracle_line **order_lines(const struct oracle_line *lines, size_t n)
{
    const struct oracle_line **order = calloc(n ? n : 1, sizeof(const struct oracle_line *));
    assert_non_null(order);
    for (size_t i = 0; i < n; i++)
        order[i] = &lines[i];
    qsort(order, n, sizeof(const struct oracle_line *), compare_lines);
    return order;
}

static struct tally tally_of(const struct oracle_line *const *order, size_t n, const char *id)
{
    struct tally t = {0};
    size_t first = 0, end = n;
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (strcmp(order[middle]->id, id) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    for (size_t i = first; i < n && strcmp(order[i]->id, id) == 0; i++)
        count(&t, order[i]);
    return t;
}

/* Each attempt counts, also one whose worker died of another job before the handler began, or
   before it had buried the job. */
static int died_of_poison(struct crew *crew, const char *id)
{
    struct dray_job_info *job = NULL;
    if (dray_get(crew->dray, NULL, id, &job, NULL) != DRAY_OK)
        return 0;
    int died = strcmp(job->type, "poison") == 0 && strcmp(job->state, "dead") == 0 &&
               job->attempts >= CREW_POISON_ATTEMPTS;
    dray_job_info_free(job);
    return died;
}

/* What the handlers and the store have to say of one job, for whoever must find out why. */
static void tell(struct crew *crew, const char *id)
{
    struct oracle_line *lines;
    size_t n = oracle_read(crew->oracle, &lines);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(lines[i].id, id) == 0)
            print_error("  line %zu of %zu: %s, attempt %u, process %ld\n", i + 1, n, lines[i].word,
                lines[i].number, lines[i].pid);
    }
    free(lines);
    struct dray_job_info *job = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    if (dray_get(crew->dray, NULL, id, &job, &error) == DRAY_OK)
        print_error("  in the store: %s, type %s, %u attempts, %s\n", job->state, job->type,
            job->attempts, job->last_error ? job->last_error : "no error");
    else
        print_error("  in the store: %s\n", error.text);
    dray_job_info_free(job);
}

static void judge_one(struct crew *crew, const struct tally *t, const char *id)
{
    const char *wrong = NULL;
    if (t->after_end)
        wrong = "started again after its end was acknowledged";
    else if (t->poison > CREW_POISON_ATTEMPTS)
        wrong = "was started more often than it may be";
    else if (!t->dones && !died_of_poison(crew, id))
        wrong = "was lost";
    if (!wrong)
        return;
    tell(crew, id);
    fail_msg("job %s %s", id, wrong);
}

static void judge(struct crew *crew)
{
    struct oracle_line *lines;
    size_t n = oracle_read(crew->oracle, &lines);
    const struct oracle_line **order = order_lines(lines, n);
    unsigned again = 0, poisoned = 0, more = 0;
    for (size_t i = 0; i < crew->nids; i++) {
        struct tally t = tally_of(order, n, crew->ids[i]);
        judge_one(crew, &t, crew->ids[i]);
        poisoned += t.poison > 0;
        again += t.starts > 1;
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(lines[i].word, "pushed") != 0)
            continue;
        struct tally t = tally_of(order, n, lines[i].id);
        judge_one(crew, &t, lines[i].id);
        more++;
    }
    free(order);
    free(lines);
    printf("%zu jobs and %u from handlers, %u ran more than once, %u killed their workers\n",
        crew->nids, more, again, poisoned);
    assert_true(poisoned > 0 && more > 0);
}

void crew_campaign(struct crew *crew, void (*harm)(struct crew *crew, void *user), void *user)
{
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srandom(seed);
    crew->ids = calloc((size_t)crew_rounds() * JOBS_A_ROUND, sizeof(*crew->ids));
    assert_non_null(crew->ids);
    for (int i = 0; i < CREW_WORKERS; i++)
        crew->worker[i] = crew_start(crew);
    for (int round = 0; round < crew_rounds(); round++) {
        push_some(crew);
        crew_nap_ms(random() % 120);
        harm(crew, user);
    }
    for (int i = 0; i < CREW_WORKERS; i++)
        crew_kill(crew->worker[i]);
    assert_true(finish(crew));
    judge(crew);
}

/* ---- a worker that is stopped ---- */

static int wait_for_lines(const struct crew *crew, const char *word, const char *id, int wanted)
{
    int64_t end = now_ms() + PATIENCE_MS;
    while (now_ms() < end) {
        struct oracle_line *lines;
        size_t n = oracle_read(crew->oracle, &lines);
        int found = 0;
        for (size_t i = 0; i < n; i++)
            found += strcmp(lines[i].word, word) == 0 && strcmp(lines[i].id, id) == 0;
        free(lines);
        if (found >= wanted)
            return 1;
        crew_nap_ms(10);
    }
    return 0;
}

/* Stops a worker, but not with the store's lock in its hands: that would stop everybody else too.
 */
static void stop_at_work(struct crew *crew, pid_t pid)
{
    int64_t end = now_ms() + PATIENCE_MS;
    for (;;) {
        kill(pid, SIGSTOP);
        assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
        int code = dray_pause(crew->dray, "aside", NULL);
        if (code == DRAY_OK)
            return;
        assert_int_equal(code, DRAY_BUSY);
        assert_true(now_ms() < end);
        kill(pid, SIGCONT);
        crew_nap_ms(1);
    }
}

void crew_stop_and_go_on(struct crew *crew, const char *second_runs_ms, const char *then, int times)
{
    struct dray_dispatched job;
    assert_int_equal(
        dray_dispatch(crew->dray, "sleepy", second_runs_ms, NULL, &job, NULL), DRAY_OK);
    pid_t first = crew_start(crew);
    assert_true(wait_for_lines(crew, "start", job.id, 1));
    stop_at_work(crew, first);
    pid_t second = crew_start(crew);
    assert_true(wait_for_lines(crew, then, job.id, times));
    FILE *go = fopen(crew->go, "we");
    assert_non_null(go);
    fclose(go);
    kill(first, SIGCONT);
    assert_true(wait_for_lines(crew, "stale", job.id, 1));
    assert_true(wait_for_lines(crew, "acked", job.id, 1));
    crew_kill(first);
    crew_kill(second);
    struct oracle_line *lines;
    size_t n = oracle_read(crew->oracle, &lines);
    const struct oracle_line **order = order_lines(lines, n);
    struct tally t = tally_of(order, n, job.id);
    free(order);
    free(lines);
    assert_int_equal(t.starts, 2);
    assert_int_equal(t.acked, 1);
    assert_int_equal(t.stale, 1);
    assert_int_equal(t.stale_attempt, 1);
    assert_int_equal(t.acked_attempt, 2);
    assert_int_equal(t.after_end, 0);
    assert_int_equal(waiting(crew), 0);
}
