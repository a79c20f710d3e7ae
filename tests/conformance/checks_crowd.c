/* SPDX-License-Identifier: Apache-2.0 */
/* Several processes on one store, left alone or killed in the middle of what they do. */
#include "check.h"
#include "crowd.h"
#include "journal.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 3u
#define PATIENCE_S 120
#define BUDGET_MS 200
#define SLACK_MS 1500 /* for one wait on a disk, and for a machine that is busy */
#define IDLE_MS 1000  /* so long without a call answered is not at work */

struct crowd {
    struct check *check;
    struct crowd_ledger *ledger;
    pid_t pids[WORKERS];
    uint32_t numbers[WORKERS]; /* of the worker in that place, for the ledger */
    uint32_t places, started;
    uint32_t doomed; /* still to be started */
    int fate;        /* of those */
    uint32_t deaths;
};

static int start_one(struct crowd *crowd, uint32_t place)
{
    uint32_t number = ++crowd->started;
    int doomed = crowd->doomed > 0;
    pid_t pid = fork();

    if (pid == 0) {
        journal_leave();
        crowd_work(
            crowd->ledger, &crowd->check->subject, number, doomed ? crowd->fate : CROWD_LIVES);
        _exit(0);
    }
    crowd->doomed -= (uint32_t)doomed;
    crowd->pids[place] = pid;
    crowd->numbers[place] = number;
    return pid > 0;
}

/* What a dead process held is held by nobody. */
static void bury(struct crowd *crowd, uint32_t place)
{
    for (uint32_t n = 0; n < crowd->ledger->njobs; n++) {
        if (crowd->ledger->jobs[n].holder == crowd->numbers[place])
            crowd->ledger->jobs[n].holder = 0;
    }
    crowd->pids[place] = 0;
}

static void reap(struct crowd *crowd)
{
    for (uint32_t i = 0; i < crowd->places; i++) {
        int status = 0;
        if (crowd->pids[i] <= 0 || waitpid(crowd->pids[i], &status, WNOHANG) != crowd->pids[i])
            continue;
        bury(crowd, i);
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
            crowd->deaths++;
            journal_add("process %u is killed", crowd->numbers[i]);
            start_one(crowd, i);
        } else if (WIFSIGNALED(status)) {
            crowd_fault(crowd->ledger, "a process among others crashes (SIG%s)",
                sigabbrev_np(WTERMSIG(status)));
        } else if (WEXITSTATUS(status)) {
            crowd_fault(
                crowd->ledger, "a process among others ends with status %d", WEXITSTATUS(status));
        }
    }
}

static int anybody(const struct crowd *crowd)
{
    int n = 0;

    for (uint32_t i = 0; i < crowd->places; i++)
        n += crowd->pids[i] > 0;
    return n;
}

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Until every process has ended; others take the places of those that were killed. */
static void watch(struct crowd *crowd)
{
    uint64_t told = 0;
    int64_t end = now_ms() + (int64_t)PATIENCE_S * 1000;

    while (anybody(crowd) && now_ms() < end) {
        uint64_t moves = crowd->ledger->moves;
        if (moves != told)
            journal_doing("the calls of %u processes", crowd->places);
        told = moves;
        poll(NULL, 0, 1);
        reap(crowd);
    }
    if (anybody(crowd))
        crowd_fault(crowd->ledger, "processes do not come to an end");
    for (uint32_t i = 0; i < crowd->places; i++) {
        if (crowd->pids[i] > 0) {
            kill(crowd->pids[i], SIGKILL);
            waitpid(crowd->pids[i], NULL, 0);
        }
    }
}

static void run(struct check *check, uint32_t places, uint32_t njobs, uint32_t doomed, int fate)
{
    struct subject *s = &check->subject;
    struct crowd crowd = {.check = check,
        .ledger = crowd_ledger(njobs),
        .places = places,
        .doomed = doomed,
        .fate = fate};

    EXPECT(check, crowd.ledger != NULL);
    /* What a driver keeps open does not survive a fork. */
    subject_leave(s);
    for (uint32_t i = 0; i < places; i++) {
        if (!start_one(&crowd, i))
            crowd_fault(crowd.ledger, "no process to be had");
    }
    watch(&crowd);
    if (subject_open_another(s) != DRAY_OK)
        crowd_fault(crowd.ledger, "the store cannot be opened afterwards: %s", s->error.text);
    else if (!crowd.ledger->at_fault)
        crowd_settle_up(crowd.ledger, s);
    if (crowd.ledger->at_fault)
        check_fail(check, "crowd", 0, "%s", crowd.ledger->fault);
    else if (crowd.deaths < doomed / 4)
        check_fail(check, "crowd", 0, "of %u processes only %u could be killed: nothing is proved",
            doomed, crowd.deaths);
    crowd_free(crowd.ledger);
}

static void left_alone(struct check *check)
{
    run(check, WORKERS, check->quick ? 120 : CROWD_JOBS, 0, CROWD_LIVES);
}

static void killed(struct check *check, int fate)
{
    if (check_durable(check))
        run(check, check->subject.driver->can & DRAY_IS_SHARED ? WORKERS : 1,
            check->quick ? 160 : CROWD_JOBS, check->quick ? 8 : 60, fate);
}

static void killed_working(struct check *check)
{
    killed(check, CROWD_DIES_WORKING);
}

static void killed_opening(struct check *check)
{
    killed(check, CROWD_DIES_OPENING);
}

/* Has the other process come further? One that still opens the store, or is done, stands in
   nobody's way. */
static int is_at_work(struct crowd_ledger *ledger, uint64_t *seen)
{
    int64_t end = now_ms() + IDLE_MS;

    while (atomic_load(&ledger->moves) == *seen && now_ms() < end)
        poll(NULL, 0, 1);
    uint64_t before = *seen;
    *seen = atomic_load(&ledger->moves);
    return *seen != before;
}

/* Each time another process is stopped somewhere in what it does: a call may wait for it as long as
   its budget says. */
static void try_beside(struct check *check, struct crowd_ledger *ledger, pid_t other)
{
    struct subject *s = &check->subject;
    uint64_t seen = 0;
    char id[16];
    struct dray_job job = job_of("ours");

    job.queue = str("other"); /* the crowd takes none but its own */
    s->budget_ms = BUDGET_MS;
    for (int i = 0; i < (check->quick ? 8 : 60) && !check->failure[0]; i++) {
        if (!is_at_work(ledger, &seen))
            return;
        snprintf(id, sizeof(id), "ours%d", i);
        job.id = str(id);
        poll(NULL, 0, i % 3);
        kill(other, SIGSTOP);
        int64_t start = now_ms();
        int32_t code = subject_push_one(s, job);
        int64_t took = now_ms() - start;
        kill(other, SIGCONT);
        if (took > BUDGET_MS + SLACK_MS)
            check_fail(check, "crowd", 0, "a push with a budget of %d ms takes %lld ms", BUDGET_MS,
                (long long)took);
        else if (code != DRAY_OK && code != DRAY_BUSY && code != DRAY_UNKNOWN)
            check_fail(check, "crowd", 0, "a push beside a stopped process answers %s: %s",
                code_name(code), s->error.text);
    }
}

static void gives_up(struct check *check)
{
    struct subject *s = &check->subject;
    struct crowd crowd = {.check = check, .ledger = crowd_ledger(CROWD_JOBS), .places = 1};

    EXPECT(check, crowd.ledger != NULL);
    subject_leave(s);
    if (!start_one(&crowd, 0))
        check_fail(check, "crowd", 0, "no process to be had");
    else if (subject_open_another(s) != DRAY_OK)
        check_fail(check, "open", 0, "%s", s->error.text);
    else
        try_beside(check, crowd.ledger, crowd.pids[0]);
    if (crowd.pids[0] > 0) {
        kill(crowd.pids[0], SIGKILL);
        waitpid(crowd.pids[0], NULL, 0);
    }
    crowd_free(crowd.ledger);
}

const struct check_row checks_crowd[] = {
    {"T5", "processes at once: none has another's job, and none is lost", left_alone,
        DRAY_IS_SHARED},
    {"D2", "processes killed at any moment: nothing is lost or comes back", killed_working, 0},
    {"X4", "processes killed while they open the store: nothing is lost", killed_opening, 0},
    {"R7", "a call beside a stopped process ends with its budget", gives_up, DRAY_IS_SHARED},
    {0},
};
