/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver skeleton, as an application meets it: a job is stored, fails, is tried again after a
 * minute - on a clock that is moved by hand - and is done.
 */
#include <dray/clock.h>
#include <dray/dray.h>

#include <stdio.h>
#include <string.h>

static int failures;

static void expect(int holds, const char *what, const struct dray_error *error)
{
    if (holds)
        return;
    failures++;
    fprintf(stderr, "test_skeleton: %s: %s\n", what, error->text);
}

/* Fails at the first attempt. */
static int greet(struct dray_attempt *attempt, void *user)
{
    int *calls = user;
    ++*calls;
    if (dray_attempt_number(attempt) == 1)
        return dray_attempt_retry_in(attempt, 60000, "not now");
    return strcmp(dray_attempt_payload(attempt, NULL), "{\"to\":\"Ada\"}") == 0 ? DRAY_OK
                                                                                : DRAY_INVALID;
}

static void play(struct dray *dray, struct dray_clock *clock, struct dray_error *error)
{
    struct dray_new_job more = {.id = "one"};
    struct dray_job_info *job = NULL;
    int calls = 0;
    expect(dray_on(dray, "greet", greet, &calls, NULL, error) == DRAY_OK, "on", error);
    for (int i = 0; i < 2; i++) {
        int code = dray_dispatch(dray, "greet", "{\"to\":\"Ada\"}", &more, NULL, error);
        expect(code == (i ? DRAY_EXISTS : DRAY_OK), "dispatch, and again", error);
    }
    expect(dray_work_one(dray, NULL, NULL, error) == DRAY_OK, "the first attempt", error);
    expect(dray_get(dray, NULL, "one", &job, error) == DRAY_OK &&
               strcmp(job->state, "delayed") == 0 && strcmp(job->last_error, "not now") == 0,
        "it waits, with its error", error);
    dray_job_info_free(job);
    expect(dray_work_one(dray, NULL, NULL, error) == DRAY_EMPTY, "nothing before its time", error);
    dray_clock_advance(clock, 60000);
    expect(dray_work_one(dray, NULL, NULL, error) == DRAY_OK, "the second attempt", error);
    expect(dray_work_one(dray, NULL, NULL, error) == DRAY_EMPTY, "nothing is left", error);
    expect(calls == 2, "two attempts", error);
}

int main(void)
{
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_clock *clock = dray_clock_new(1700000000000);
    struct dray_options options = {
        .yaml = "queue: {driver: custom, custom: {module: ./skeleton.so}}", .clock = clock};
    struct dray *dray;
    if (!clock || dray_open(&dray, &options, &error) != DRAY_OK) {
        fprintf(stderr, "test_skeleton: %s\n", error.text);
        return 1;
    }
    play(dray, clock, &error);
    expect(dray_close(dray) == DRAY_OK, "close", &error);
    dray_clock_free(clock);
    if (!failures)
        puts("ok");
    return failures != 0;
}
