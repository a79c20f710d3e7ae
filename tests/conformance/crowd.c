/* SPDX-License-Identifier: Apache-2.0 */
#include "crowd.h"

#include "check.h"
#include "journal.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#define LEASE_MS 600000u
#define EMPTY_LOOKS 20 /* in a row: nothing is left for this process */
#define TRIES 200      /* of a call that answers busy */
#define AT_ONCE 3u

struct crowd_ledger *crowd_ledger(uint32_t njobs)
{
    void *memory = mmap(NULL, sizeof(struct crowd_ledger), PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    struct crowd_ledger *ledger = memory;
    ledger->njobs = njobs < CROWD_JOBS ? njobs : CROWD_JOBS;
    return ledger;
}

void crowd_free(struct crowd_ledger *ledger)
{
    munmap(ledger, sizeof(*ledger));
}

void crowd_fault(struct crowd_ledger *ledger, const char *fmt, ...)
{
    va_list args;

    if (atomic_exchange(&ledger->at_fault, 1))
        return;
    va_start(args, fmt);
    vsnprintf(ledger->fault, sizeof(ledger->fault), fmt, args);
    va_end(args);
}

static uint32_t number_of(const struct crowd_ledger *ledger, const struct dray_job *job)
{
    char id[16];
    unsigned number = 0;

    snprintf(id, sizeof(id), "%.*s", (int)job->id.len, job->id.data);
    return sscanf(id, "c%u", &number) == 1 && number < ledger->njobs ? number : UINT32_MAX;
}

static void push_next(struct crowd_ledger *ledger, struct subject *s)
{
    char id[16];
    uint32_t n = atomic_fetch_add(&ledger->next_push, 1);
    int32_t code = DRAY_BUSY;

    if (n >= ledger->njobs)
        return;
    snprintf(id, sizeof(id), "c%u", n);
    for (int i = 0; code == DRAY_BUSY && i < TRIES; i++)
        code = subject_push_one(s, job_of(id));
    if (code == DRAY_OK)
        atomic_store(&ledger->jobs[n].pushed, 1);
    else
        crowd_fault(ledger, "a push of %s answers %s: %s", id, code_name(code), s->error.text);
}

/* Three of four are done; the others go back once. */
static uint32_t verdict_of(uint32_t n, const struct dray_job *job)
{
    return n % 4 == 0 && job->attempts == 1 ? DRAY_VERDICT_AGAIN : DRAY_VERDICT_DONE;
}

static void finish(struct crowd_ledger *ledger, struct subject *s, uint32_t n, struct dray_job job)
{
    struct crowd_job *entry = &ledger->jobs[n];
    uint32_t verdict = verdict_of(n, &job);
    int32_t code = DRAY_BUSY;

    if (verdict == DRAY_VERDICT_DONE)
        atomic_store(&entry->acking, 1);
    /* Before the call: once it is answered, another may have the job. */
    atomic_store(&entry->holder, 0);
    for (int i = 0; code == DRAY_BUSY && i < TRIES; i++)
        code = subject_settle(s, lease_of(&job, verdict));
    if (code != DRAY_OK)
        crowd_fault(ledger, "a lease on c%u that nobody else could end: its verdict answers %s: %s",
            n, code_name(code), s->error.text);
    else if (verdict == DRAY_VERDICT_DONE)
        atomic_store(&entry->acked, 1);
}

static void take_note(struct crowd_ledger *ledger, const struct dray_job *job, uint32_t worker)
{
    uint32_t n = number_of(ledger, job);

    if (n == UINT32_MAX) {
        crowd_fault(ledger, "a job is handed out that nobody pushed");
        return;
    }
    struct crowd_job *entry = &ledger->jobs[n];
    uint32_t other = atomic_exchange(&entry->holder, worker);
    if (other)
        crowd_fault(ledger, "c%u is handed out to two processes at once", n);
    if (atomic_load(&entry->acked))
        crowd_fault(ledger, "c%u is handed out after its ack answered OK", n);
    atomic_fetch_add(&entry->handed, 1);
}

/* How many were handed out. */
static size_t take_some(struct crowd_ledger *ledger, struct subject *s, uint32_t worker)
{
    struct dray_job jobs[AT_ONCE];
    uint32_t most = s->driver->max_batch < AT_ONCE ? s->driver->max_batch : AT_ONCE;
    int32_t code = subject_reserve(s, most, LEASE_MS);
    size_t n = s->shown.n < AT_ONCE ? s->shown.n : AT_ONCE;

    if (code == DRAY_BUSY)
        return 0;
    if (code != DRAY_OK)
        crowd_fault(ledger, "a reserve answers %s: %s", code_name(code), s->error.text);
    for (size_t i = 0; i < n; i++) {
        jobs[i] = s->shown.at[i].job;
        take_note(ledger, &jobs[i], worker);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t number = number_of(ledger, &jobs[i]);
        if (number != UINT32_MAX)
            finish(ledger, s, number, jobs[i]);
        atomic_fetch_add(&ledger->moves, 1);
    }
    return n;
}

static int64_t now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Dies within twice the time that something took, and so likely in the middle of it. */
static void set_fate(int64_t spent_us, uint32_t worker)
{
    uint64_t hash = worker * 0x9e3779b97f4a7c15u;
    int64_t us = 1 + (int64_t)((hash >> 33) % (uint64_t)(2 * spent_us + 1));
    struct itimerval timer = {.it_value = {us / 1000000, us % 1000000}};

    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &timer, NULL);
}

void crowd_work(
    struct crowd_ledger *ledger, const struct subject *subject, uint32_t worker, int fate)
{
    struct subject own = *subject;
    int empty = 0, round = 0;
    int64_t start = now_us();

    own.nonce = (uint64_t)worker << 32;
    if (fate == CROWD_DIES_OPENING)
        set_fate(atomic_load(&ledger->open_us) / 2, worker);
    if (subject_open_another(&own) != DRAY_OK)
        crowd_fault(ledger, "a process cannot open the store: %s", own.error.text);
    for (; empty < EMPTY_LOOKS && !atomic_load(&ledger->at_fault); round++) {
        if (round == 0) {
            atomic_store(&ledger->open_us, now_us() - start);
            start = now_us();
        }
        if (fate == CROWD_DIES_WORKING && round == 2)
            set_fate(now_us() - start, worker);
        push_next(ledger, &own);
        if (take_some(ledger, &own, worker)) {
            empty = 0;
        } else if (atomic_load(&ledger->next_push) >= ledger->njobs) {
            empty++;
            poll(NULL, 0, 1); /* leaves the store to the others */
        }
        atomic_fetch_add(&ledger->moves, 1);
    }
    subject_leave(&own);
}

static void drain(struct crowd_ledger *ledger, struct subject *s)
{
    for (uint32_t i = 0; i <= ledger->njobs && !atomic_load(&ledger->at_fault); i++) {
        struct dray_job job = subject_take(s, LEASE_MS);
        uint32_t n = job.id.len ? number_of(ledger, &job) : UINT32_MAX;
        if (!job.id.len)
            return;
        if (n == UINT32_MAX) {
            crowd_fault(ledger, "a job is handed out that nobody pushed");
            return;
        }
        struct crowd_job *entry = &ledger->jobs[n];
        if (entry->acked)
            crowd_fault(ledger, "c%u is handed out after its ack answered OK", n);
        if (entry->drained++)
            crowd_fault(ledger, "c%u is handed out twice at once", n);
        if (job.attempts <= entry->handed)
            crowd_fault(ledger, "c%u was handed out %u times before and counts %u attempts", n,
                entry->handed, job.attempts);
        if (subject_settle(s, lease_of(&job, DRAY_VERDICT_DONE)) != DRAY_OK)
            crowd_fault(ledger, "c%u cannot be acked: %s", n, s->error.text);
    }
}

void crowd_settle_up(struct crowd_ledger *ledger, struct subject *subject)
{
    subject_advance(subject, 2 * (int64_t)LEASE_MS);
    drain(ledger, subject);
    for (uint32_t n = 0; n < ledger->njobs && !ledger->at_fault; n++) {
        const struct crowd_job *entry = &ledger->jobs[n];
        if (entry->pushed && !entry->acking && !entry->drained)
            crowd_fault(ledger, "c%u is lost: its push answered OK, and it was never acked", n);
    }
}
