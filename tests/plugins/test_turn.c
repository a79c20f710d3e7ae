/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a turn reaches a driver, in which slices, and what becomes of answers that a driver had
 * better not given. The driver writes down what it is asked and answers as the test says.
 */
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define MAX 16

/* What the driver did: "a2 r1 p3 e1 R5" for calls, "[s2 p3 e1 R5]" for a turn. */
static char trace[512];
static int32_t whole;    /* what each call returns */
static int32_t answer;   /* what is written for each lease or member, if not DRAY_OK */
static int32_t reserved; /* turn->reserve_code, if not DRAY_OK */
static int say_why;      /* as host->fail would */
static int slow_ms;

static void note(const char *text)
{
    size_t used = strlen(trace);
    snprintf(trace + used, sizeof(trace) - used, "%s", text);
}

static void note_call(const char *name, unsigned n)
{
    char text[32];
    snprintf(text, sizeof(text), "%s%u ", name, n);
    note(text);
}

static int32_t finish(struct dray_call *call, int32_t *answers, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(answers[i], DRAY_OK); /* preset */
        if (answer != DRAY_OK)
            answers[i] = answer;
    }
    if (say_why) {
        call->error->code = whole;
        snprintf(call->error->text, sizeof(call->error->text), "the disk is on fire");
    }
    if (slow_ms) {
        struct timespec pause = {0, slow_ms * 1000000L};
        nanosleep(&pause, NULL);
    }
    return whole;
}

static int32_t ack(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    (void)self;
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(leases[i]->verdict, DRAY_VERDICT_DONE);
    note_call("a", n);
    return finish(call, answers, n);
}

static int32_t retry(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    (void)self;
    for (uint32_t i = 0; i < n; i++)
        assert_int_not_equal(leases[i]->verdict, DRAY_VERDICT_DONE);
    note_call("r", n);
    return finish(call, answers, n);
}

static int32_t extend(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    (void)self;
    (void)leases;
    note_call("e", n);
    return finish(call, answers, n);
}

static int32_t push(void *self, struct dray_call *call, struct dray_push *group)
{
    (void)self;
    note_call("p", group->njobs);
    return finish(call, group->answers, group->njobs);
}

static int32_t reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    (void)self;
    note_call("R", want->max);
    return finish(call, NULL, 0);
}

static int32_t do_turn(void *self, struct dray_call *call, struct dray_turn *turn)
{
    (void)self;
    note("[");
    if (turn->nsettle > 0)
        note_call("s", turn->nsettle);
    for (uint32_t i = 0; i < turn->npush; i++) {
        note_call("p", turn->push[i]->njobs);
        finish(call, turn->push[i]->answers, turn->push[i]->njobs);
    }
    if (turn->nextend > 0)
        note_call("e", turn->nextend);
    if (turn->reserve)
        note_call("R", turn->reserve->max);
    note("]");
    turn->reserve_code = reserved;
    finish(call, turn->extend_answers, turn->nextend);
    return finish(call, turn->settle_answers, turn->nsettle);
}

/* One turn of everything: four verdicts, groups of 3, 1 and 2 jobs, two renewals, a reserve of 5.
 */
struct fixture {
    struct store store;
    struct dray_lease leases[6];
    const struct dray_lease *pointers[6];
    struct dray_push groups[3];
    struct dray_push *group_pointers[3];
    char holders[3][MAX][DRAY_NAME_MAX + 1];
    int32_t answers[5][MAX];
    struct dray_reserve want;
    struct dray_turn turn;
    struct dray_error error;
    struct dray_call call;
};

static void prepare(struct fixture *f, uint32_t max_batch, uint32_t max_push, int with_turn)
{
    trace[0] = 0;
    whole = answer = reserved = DRAY_OK;
    say_why = slow_ms = 0;
    memset(f, 0, sizeof(*f));
    memset(f->answers, 0x55, sizeof(f->answers));
    f->store.name = "fake";
    f->store.driver = (struct dray_driver){.name = "fake",
        .max_push = max_push,
        .max_batch = max_batch,
        .push = push,
        .reserve = reserve,
        .ack = ack,
        .retry = retry,
        .extend = extend,
        .turn = with_turn ? do_turn : NULL};
    static const uint32_t verdicts[] = {
        DRAY_VERDICT_DONE, DRAY_VERDICT_DONE, DRAY_VERDICT_AGAIN, DRAY_VERDICT_DONE, 0, 0};
    static const uint32_t sizes[] = {3, 1, 2};
    for (size_t i = 0; i < 6; i++) {
        f->leases[i].verdict = verdicts[i];
        f->pointers[i] = &f->leases[i];
    }
    for (size_t i = 0; i < 3; i++) {
        f->groups[i] = (struct dray_push){
            .njobs = sizes[i], .answers = f->answers[2 + i], .holders = f->holders[i], .code = 77};
        f->group_pointers[i] = &f->groups[i];
    }
    f->want = (struct dray_reserve){.size = sizeof(f->want), .max = 5};
    f->turn = (struct dray_turn){.size = sizeof(f->turn),
        .nsettle = 4,
        .npush = 3,
        .nextend = 2,
        .settle = f->pointers,
        .settle_answers = f->answers[0],
        .push = f->group_pointers,
        .extend = f->pointers + 4,
        .extend_answers = f->answers[1],
        .reserve = &f->want,
        .reserve_code = 77};
    f->error.size = sizeof(f->error);
    f->call = (struct dray_call){.size = sizeof(f->call), .budget_ms = 1000, .error = &f->error};
}

static void run(struct fixture *f)
{
    store_turn(&f->store, &f->call, &f->turn);
    assert_ptr_equal(f->call.error, &f->error);
    assert_int_equal(f->call.budget_ms, 1000);
}

static void assert_all(const struct fixture *f, int32_t code)
{
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(f->answers[0][i], code);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(f->answers[1][i], code);
    for (size_t g = 0; g < 3; g++) {
        assert_int_equal(f->groups[g].code, code);
        for (size_t i = 0; i < f->groups[g].njobs; i++)
            assert_int_equal(f->groups[g].answers[i], code);
    }
    assert_int_equal(f->turn.reserve_code, code);
}

static void test_one_turn(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f, 100, 100, 1);
    run(&f);
    assert_string_equal(trace, "[s4 p3 p1 p2 e2 R5 ]");
    assert_all(&f, DRAY_OK);
    assert_string_equal(f.error.text, "");
}

static void test_slices(void **state)
{
    (void)state;
    static const struct {
        uint32_t max_batch;
        const char *trace;
    } rows[] = {
        {17, "[s4 p3 p1 p2 e2 R5 ]"},
        {16, "[s4 p3 p1 p2 e2 R4 ]"},
        {12, "[s4 p3 p1 p2 e2 ][R5 ]"},
        {8, "[s4 p3 p1 ][p2 e2 R4 ]"},
        {4, "[s4 ][p3 p1 ][p2 e2 ][R4 ]"},
        {3, "[s3 ][s1 ][p3 ][p1 p2 ][e2 R1 ]"},
        {2, "[s2 ][s2 ][p3 ][p1 ][p2 ][e2 ][R2 ]"},
        {1, "[s1 ][s1 ][s1 ][s1 ][p3 ][p1 ][p2 ][e1 ][e1 ][R1 ]"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture f;
        prepare(&f, rows[i].max_batch, 100, 1);
        run(&f);
        assert_string_equal(trace, rows[i].trace);
        assert_all(&f, DRAY_OK);
    }
}

static void test_single_calls(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f, 100, 100, 0);
    run(&f);
    assert_string_equal(trace, "a2 r1 a1 p3 p1 p2 e2 R5 ");
    assert_all(&f, DRAY_OK);

    prepare(&f, 1, 100, 0);
    run(&f);
    assert_string_equal(trace, "a1 a1 r1 a1 p3 p1 p2 e1 e1 R1 ");
    assert_all(&f, DRAY_OK);

    prepare(&f, 100, 100, 0);
    f.store.driver.extend = NULL;
    f.turn.reserve = NULL;
    run(&f);
    assert_string_equal(trace, "a2 r1 a1 p3 p1 p2 ");
    assert_int_equal(f.answers[1][1], DRAY_UNSUPPORTED);
}

/* A wish without room is a sweep, and is never dropped. */
static void test_sweep(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f, 1, 1, 1);
    f.turn.npush = f.turn.nextend = 0;
    f.turn.nsettle = 1;
    f.want.max = 0;
    run(&f);
    assert_string_equal(trace, "[s1 R0 ]");
}

static void test_large_group(void **state)
{
    (void)state;
    for (int with_turn = 0; with_turn < 2; with_turn++) {
        struct fixture f;
        prepare(&f, 100, 2, with_turn);
        run(&f);
        assert_string_equal(trace, with_turn ? "[s4 ][p1 p2 e2 R5 ]" : "a2 r1 a1 p1 p2 e2 R5 ");
        assert_int_equal(f.groups[0].code, DRAY_LIMIT);
        assert_int_equal(f.groups[0].answers[2], DRAY_LIMIT);
        assert_int_equal(f.groups[2].code, DRAY_OK);
        assert_int_equal(f.error.code, DRAY_LIMIT);
        assert_non_null(strstr(f.error.text, "driver fake takes at most 2 jobs in one batch"));
    }
}

static void test_whole_failures(void **state)
{
    (void)state;
    for (int with_turn = 0; with_turn < 2; with_turn++) {
        struct fixture f;
        prepare(&f, 100, 100, with_turn);
        whole = DRAY_IO;
        say_why = 1;
        run(&f);
        assert_all(&f, DRAY_IO);
        assert_int_equal(f.error.code, DRAY_IO);
        assert_string_equal(f.error.text, "the disk is on fire");

        prepare(&f, 100, 100, with_turn);
        whole = DRAY_POISONED;
        run(&f);
        assert_all(&f, DRAY_POISONED);
        assert_non_null(strstr(f.error.text, "driver fake: "));
        assert_non_null(strstr(f.error.text, "(poisoned) without a reason"));
    }
}

static void test_garbage(void **state)
{
    (void)state;
    static const int32_t codes[] = {
        -1, INT32_MIN, INT32_MAX, 9, 31, 44, 63, 67, DRAY_EMPTY, DRAY_FAILED, DRAY_NOTFOUND};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        for (int with_turn = 0; with_turn < 2; with_turn++) {
            struct fixture f;
            prepare(&f, 100, 100, with_turn);
            whole = codes[i];
            run(&f);
            assert_all(&f, DRAY_UNKNOWN);
            assert_int_equal(f.error.code, DRAY_UNKNOWN);
            assert_non_null(strstr(f.error.text, "which is no answer to it"));

            prepare(&f, 100, 100, with_turn);
            answer = codes[i];
            reserved = codes[i];
            run(&f);
            if (!with_turn)
                f.turn.reserve_code = DRAY_UNKNOWN; /* a call of its own, and fine */
            assert_all(&f, DRAY_UNKNOWN);
        }
    }
}

static void test_definite_answers(void **state)
{
    (void)state;
    for (int with_turn = 0; with_turn < 2; with_turn++) {
        struct fixture f;
        prepare(&f, 100, 100, with_turn);
        answer = DRAY_STALE;
        run(&f);
        assert_int_equal(f.answers[0][3], DRAY_STALE);
        assert_int_equal(f.answers[1][0], DRAY_STALE);
        assert_int_equal(f.groups[0].code, DRAY_UNKNOWN); /* no answer to a push */

        prepare(&f, 100, 100, with_turn);
        answer = DRAY_EXISTS;
        memset(f.holders, 'x', sizeof(f.holders));
        run(&f);
        assert_int_equal(f.groups[0].code, DRAY_OK);
        assert_int_equal(f.answers[2][0], DRAY_EXISTS);
        assert_int_equal(f.answers[0][0], DRAY_UNKNOWN); /* no answer to an ack */
        assert_int_equal(f.holders[0][0][0], 0);
        assert_int_equal(f.holders[0][2][DRAY_NAME_MAX], 0);

        /* A refused member refuses the group, even if the driver says that all is well. */
        prepare(&f, 100, 100, with_turn);
        answer = DRAY_DUPLICATE;
        run(&f);
        assert_int_equal(f.groups[0].code, DRAY_DUPLICATE);
        assert_int_equal(f.answers[2][0], DRAY_DUPLICATE);

        /* One member that was not stored, in a group that was: nobody knows. */
        prepare(&f, 100, 100, with_turn);
        answer = DRAY_FULL;
        run(&f);
        assert_int_equal(f.groups[0].code, DRAY_UNKNOWN);
        assert_int_equal(f.answers[2][0], DRAY_UNKNOWN);
        assert_int_equal(f.answers[0][0], DRAY_FULL);
    }
    struct fixture f;
    prepare(&f, 100, 100, 0);
    whole = DRAY_CONFLICT; /* the group's code, and no word on its members */
    run(&f);
    assert_int_equal(f.groups[1].code, DRAY_CONFLICT);
    assert_int_equal(f.answers[3][0], DRAY_CONFLICT);
    assert_int_equal(f.answers[0][0], DRAY_UNKNOWN); /* no answer to an ack */
}

/* All calls of a turn share one budget; what there is no time for is certainly not done. */
static void test_budget(void **state)
{
    (void)state;
    struct fixture f;
    prepare(&f, 1, 100, 0);
    f.call.budget_ms = 20;
    slow_ms = 25;
    store_turn(&f.store, &f.call, &f.turn);
    assert_string_equal(trace, "a1 ");
    assert_int_equal(f.answers[0][0], DRAY_OK);
    assert_int_equal(f.answers[0][1], DRAY_BUSY);
    assert_int_equal(f.groups[2].code, DRAY_BUSY);
    assert_int_equal(f.turn.reserve_code, DRAY_BUSY);
    assert_non_null(strstr(f.error.text, "no time left for ack; it was not tried"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_turn),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_single_calls),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_large_group),
        cmocka_unit_test(test_whole_failures),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_definite_answers),
        cmocka_unit_test(test_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
