/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill -9 in the middle of turns. Rounds: children work on one database and note in a file of their
 * own what they were answered (the kernel keeps what was written, whoever dies); all are killed at
 * a random moment; then the store is opened and compared with the notes.
 *
 *     test_sqlite_crash [SEED]        DRAY_LONG=1: many more rounds
 */
#include "scratch.h"
#include "sqlite/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CHILDREN 3
#define IDS_EACH 4000 /* most jobs that a child pushes in a round */
#define IDS (CHILDREN * IDS_EACH)
#define BATCH 6
#define LEASE_MS 3600000

/* A line of a child's notes. */
enum { PUSHED = 1, HANDED = 2, ACKING = 3, ACKED = 4, RETRIED = 5 };
struct note {
    uint32_t what, id;
    uint64_t counter;
};

/* What the notes of a round say of one job. */
struct fate {
    int known, pushed, acking, present, handed_again;
    uint64_t acked; /* counter of the token, or 0 */
    uint64_t settled[256], handed[256];
    int nsettled, nhanded;
};

static char folder[SCRATCH_SIZE];
static char path[SCRATCH_SIZE + 32];
static struct rig rig;
static struct fate fates[IDS];
static uint32_t known[IDS]; /* the jobs of this round; all fates together are 50 MB */
static uint32_t nknown;
static uint64_t seed = 1;

/* xorshift64* (Vigna 2016, "An experimental exploration of Marsaglia's xorshift generators"). */
static uint64_t next_random(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * 2685821657736338717ull;
}

static void note(int out, uint32_t what, uint32_t id, uint64_t counter)
{
    struct note line = {what, id, counter};
    if (write(out, &line, sizeof(line)) != (ssize_t)sizeof(line))
        _exit(9);
}

static void give_up(int status)
{
    fprintf(stderr, "child: %s\n", rig.error.text);
    _exit(status);
}

static uint32_t number_of(const char *id)
{
    return (uint32_t)strtoul(id + 1, NULL, 10);
}

static struct fate *fate_of(uint32_t id)
{
    assert_true(id < IDS);
    if (!fates[id].known)
        known[nknown++] = id;
    fates[id].known = 1;
    return &fates[id];
}

static void forget_fates(void)
{
    for (uint32_t i = 0; i < nknown; i++)
        memset(&fates[known[i]], 0, sizeof(fates[0]));
    nknown = 0;
}

struct child {
    int number, out;
    uint32_t pushed;
    struct rig_job held[BATCH * 2];
    uint32_t nheld;
};

/* One turn with everything in it: half of what is held is acked, the rest retried; some pushed;
   some reserved. */
struct plan {
    struct dray_lease leases[BATCH * 2];
    const struct dray_lease *lease_list[BATCH * 2];
    int32_t settled[BATCH * 2];
    struct dray_job jobs[BATCH];
    const struct dray_job *job_list[BATCH];
    char ids[BATCH][16];
    int32_t answers[BATCH];
};

static void plan_outcomes(struct plan *plan, const struct child *child)
{
    for (uint32_t i = 0; i < child->nheld; i++) {
        const struct rig_job *job = &child->held[i];
        uint64_t draw = next_random() >> 33;
        plan->leases[i] = (struct dray_lease){
            .size = sizeof(struct dray_lease),
            .verdict = draw % 4 ? DRAY_VERDICT_DONE : DRAY_VERDICT_AGAIN,
            .queue = rig_str("q"),
            .id = rig_str(job->id),
            .type = rig_str("test"),
            .token = job->token,
            .ref = draw % 3 ? job->ref : 0,
        };
        plan->lease_list[i] = &plan->leases[i];
        if (plan->leases[i].verdict == DRAY_VERDICT_DONE)
            note(child->out, ACKING, number_of(job->id), job->token.counter);
    }
}

static void plan_pushes(struct plan *plan, const struct child *child)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        snprintf(plan->ids[i], sizeof(plan->ids[i]), "j%u",
            (unsigned)child->number * IDS_EACH + child->pushed + i);
        plan->jobs[i] = rig_job(plan->ids[i], "{\"some\":\"payload\"}");
        plan->job_list[i] = &plan->jobs[i];
    }
}

static void take_turn(struct child *child, struct plan *plan)
{
    struct dray_str queue = rig_str("q");
    struct dray_push push = {.size = sizeof(push),
        .queue = queue,
        .jobs = plan->job_list,
        .answers = plan->answers,
        .njobs = (uint32_t)(next_random() >> 33) % (BATCH + 1)};
    struct dray_push *const pushes[] = {&push};
    struct dray_reserve want = {.size = sizeof(want),
        .max = BATCH,
        .queues = &queue,
        .nqueues = 1,
        .lease_ms = LEASE_MS,
        .nonce = next_random() | 1,
        .owner = rig_str("child:1"),
        .keep_dead_ms = UINT64_MAX,
        .keep_max = UINT64_MAX};
    if (child->pushed + push.njobs > IDS_EACH)
        push.njobs = 0;
    struct dray_turn turn = {.size = sizeof(turn),
        .nsettle = child->nheld,
        .settle = plan->lease_list,
        .settle_answers = plan->settled,
        .npush = 1,
        .push = pushes,
        .reserve = &want};
    plan_outcomes(plan, child);
    plan_pushes(plan, child);
    if (rig.driver->turn(rig.self, rig_call(&rig), &turn) != DRAY_OK)
        give_up(3);
    for (uint32_t i = 0; i < push.njobs; i++)
        note(child->out, PUSHED, number_of(plan->ids[i]), 0);
    child->pushed += push.njobs;
    for (uint32_t i = 0; i < child->nheld; i++) {
        if (plan->settled[i] != DRAY_OK)
            give_up(4);
        note(child->out, plan->leases[i].verdict == DRAY_VERDICT_DONE ? ACKED : RETRIED,
            number_of(child->held[i].id), plan->leases[i].token.counter);
    }
    child->nheld = rig.njobs;
    for (uint32_t i = 0; i < rig.njobs; i++) {
        child->held[i] = rig.jobs[i];
        note(child->out, HANDED, number_of(rig.jobs[i].id), rig.jobs[i].token.counter);
    }
}

static void work(int number)
{
    static struct plan plan;
    struct child child = {.number = number};
    char name[SCRATCH_SIZE + 32];
    snprintf(name, sizeof(name), "%s/notes-%d", folder, number);
    child.out = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    if (child.out < 0 || rig_open(&rig) != DRAY_OK)
        give_up(2);
    seed += (uint64_t)number * 7919;
    for (;;) {
        memset(&plan, 0, sizeof(plan));
        take_turn(&child, &plan);
    }
}

/* Starts the children, lets them work for a random time, kills them. Nonzero if one ended by
   itself. */
static int run_and_kill(void)
{
    pid_t children[CHILDREN];
    int odd = 0;
    for (int i = 0; i < CHILDREN; i++)
        if ((children[i] = fork()) == 0)
            work(i);
    struct timespec pause = {0, (long)(2000000 + (next_random() >> 33) % 40000000)};
    nanosleep(&pause, NULL);
    for (int i = 0; i < CHILDREN; i++)
        kill(children[i], SIGKILL);
    for (int i = 0; i < CHILDREN; i++) {
        int status = 0;
        while (waitpid(children[i], &status, 0) < 0 && errno == EINTR) {
        }
        odd |= WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    }
    return odd;
}

static void read_note(const struct note *line)
{
    struct fate *fate = fate_of(line->id);
    switch (line->what) {
    case PUSHED:
        fate->pushed = 1;
        break;
    case ACKING:
        fate->acking = 1;
        break;
    case HANDED:
        for (int i = 0; i < fate->nhanded; i++)
            assert_true(fate->handed[i] != line->counter); /* F1: one token, one owner */
        assert_true(fate->nhanded < 256);
        fate->handed[fate->nhanded++] = line->counter;
        break;
    default:
        for (int i = 0; i < fate->nsettled; i++)
            assert_true(fate->settled[i] != line->counter); /* accepted once */
        assert_true(fate->nsettled < 256);
        fate->settled[fate->nsettled++] = line->counter;
        if (line->what == ACKED)
            fate->acked = line->counter;
        break;
    }
}

static size_t read_notes(void)
{
    char name[SCRATCH_SIZE + 32];
    struct note line;
    size_t n = 0;
    forget_fates();
    for (int i = 0; i < CHILDREN; i++) {
        snprintf(name, sizeof(name), "%s/notes-%d", folder, i);
        FILE *file = fopen(name, "r");
        if (!file)
            continue; /* killed before it began */
        for (; fread(&line, sizeof(line), 1, file) == 1; n++)
            read_note(&line);
        fclose(file);
        unlink(name); /* not to be taken for the next round's, if that child dies sooner */
    }
    return n;
}

/* Hands out all that is there, leases of the dead included, and clears it away. */
static void collect_jobs(void)
{
    int32_t answer;
    rig.mono_ms += LEASE_MS + 1;
    do {
        assert_int_equal(rig_reserve(&rig, "q", 200, LEASE_MS), DRAY_OK);
        uint32_t n = rig.njobs;
        for (uint32_t i = 0; i < n; i++) {
            struct fate *fate = fate_of(number_of(rig.jobs[i].id));
            assert_int_equal(fate->present++, 0);
            assert_int_equal(rig.jobs[i].payload_len, 18);
        }
        for (uint32_t i = 0; i < n; i++) {
            struct rig_job job = rig.jobs[i];
            assert_int_equal(rig_settle(&rig, "q", &job, DRAY_VERDICT_DONE, 0, &answer), DRAY_OK);
            assert_int_equal(answer, DRAY_OK);
        }
        rig.njobs = n;
    } while (rig.njobs > 0);
}

static void check_fates(void)
{
    for (uint32_t n = 0; n < nknown; n++) {
        uint32_t id = known[n];
        const struct fate *fate = &fates[id];
        if (fate->pushed && !fate->acking && !fate->present)
            fail_msg("job %u was pushed and is lost", id);
        if (fate->acked && fate->present)
            fail_msg("job %u was acked and is there again", id);
        for (int i = 0; fate->acked && i < fate->nhanded; i++)
            if (fate->handed[i] > fate->acked)
                fail_msg("job %u was handed out after its ack", id);
    }
}

static void test_kill(void **state)
{
    struct dray_tend tend;
    int rounds = getenv("DRAY_LONG") ? 5000 : 250;
    size_t notes = 0;
    (void)state;
    scratch_make(folder);
    snprintf(path, sizeof(path), "%s/queue.db", folder);
    rig_init(&rig, path);
    print_message("seed %llu, %d rounds\n", (unsigned long long)seed, rounds);
    for (int round = 0; round < rounds; round++) {
        rig.durability = round % 4 ? DRAY_DURABILITY_PROCESS : DRAY_DURABILITY_HOST;
        assert_int_equal(run_and_kill(), 0);
        notes += read_notes();
        assert_int_equal(rig_open(&rig), DRAY_OK);
        assert_int_equal(rig_tend(&rig, DRAY_TEND_CHECK, &tend), DRAY_OK);
        if (tend.damaged)
            fail_msg("%s", rig.note);
        collect_jobs();
        check_fates();
        rig_close(&rig);
    }
    print_message("%zu answers held\n", notes);
    assert_true(notes > (size_t)rounds); /* they did work */
    scratch_remove(folder);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL) * 2654435761u;
    seed = seed ? seed : 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
