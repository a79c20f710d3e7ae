/* SPDX-License-Identifier: Apache-2.0 */
/* Dray's own sides: the public interface as an application uses it. */
#include "footprint.h"
#include "stopwatch.h"
#include "subject.h"

#include "dray/dray.h"

#include <stdio.h>
#include <stdlib.h>

static int dray_side_dispatch(const struct load *load, struct sample *out)
{
    struct subject *subject = load->subject;
    tally_reset(&subject->tally);
    struct handed_in in;
    if (crowd_dispatch(load, subject_put, subject, &in) != 0)
        return -1;
    stopwatch_rates(out->values, in.jobs, &in.spent);
    if (!subject->runs_inline && subject_drain(subject, in.jobs, 1, NULL) != 0)
        return -1;
    out->dispatched = in.jobs;
    out->handled = atomic_load(&subject->tally.handled);
    return 0;
}

static int dray_side_end_to_end(const struct load *load, struct sample *out)
{
    struct subject *subject = load->subject;
    tally_reset(&subject->tally);
    if (subject_start(subject, load->executors) != 0)
        return -1;
    struct handed_in in = {.jobs = 0};
    struct lap begin = stopwatch_start();
    int rc = crowd_dispatch(load, subject_put, subject, &in);
    if (rc == 0)
        rc = tally_wait(&subject->tally, in.jobs);
    struct lap spent = stopwatch_since(&begin);
    rc |= subject_stop(subject);
    stopwatch_rates(out->values, in.jobs, &spent);
    out->dispatched = in.jobs;
    out->handled = atomic_load(&subject->tally.handled);
    return rc;
}

static int dray_side_drain(const struct load *load, struct sample *out)
{
    struct subject *subject = load->subject;
    tally_reset(&subject->tally);
    struct handed_in in;
    if (crowd_dispatch(load, subject_put, subject, &in) != 0)
        return -1;
    struct lap spent;
    if (subject_drain(subject, in.jobs, load->executors, &spent) != 0)
        return -1;
    stopwatch_rates(out->values, in.jobs, &spent);
    out->dispatched = in.jobs;
    out->handled = atomic_load(&subject->tally.handled);
    return 0;
}

/* One stamped job into an idle worker. Below 0: it failed or never came. */
static double pick_up_one(struct subject *subject, struct dray *from)
{
    const struct dray_new_job more = {.queue = subject->queue};
    struct dray_error error = DRAY_ERROR_INIT;
    peer_idle_gap();
    tally_reset(&subject->tally);
    uint64_t handed_in = stopwatch_ns();
    int rc = dray_dispatch(from, SUBJECT_STAMP, peer_payload, &more, NULL, &error);
    if (rc != DRAY_OK) {
        fprintf(stderr, "dray-bench: dispatch: %s\n", error.text);
        return -1;
    }
    if (tally_wait(&subject->tally, 1) != 0)
        return -1;
    return (double)(atomic_load(&subject->stamp_ns) - handed_in) / 1000;
}

static int dray_side_pickup(const struct load *load, struct sample *out)
{
    struct subject *subject = load->subject;
    struct dray *from = load->from ? load->from->dray : subject->dray;
    double *latencies = calloc(load->jobs, sizeof(*latencies));
    if (!latencies || subject_start(subject, load->executors) != 0) {
        free(latencies);
        return -1;
    }
    uint64_t begin = stopwatch_ns();
    size_t n = 0;
    int rc = 0;
    while (rc == 0 && n < load->jobs && stopwatch_ns() - begin < load->limit_ns) {
        latencies[n] = pick_up_one(subject, from);
        rc = latencies[n++] < 0 ? -1 : 0;
    }
    rc |= subject_stop(subject);
    peer_latencies(out, latencies, n);
    out->dispatched = n;
    out->handled = n;
    free(latencies);
    return rc;
}

static int dray_side_space(const struct load *load, struct sample *out)
{
    struct subject *subject = load->subject;
    const char *store = subject->store[0] ? subject->store : NULL;
    tally_reset(&subject->tally);
    double served = subject_server_bytes(subject);
    struct footprint before = footprint_take(store);
    struct handed_in in;
    if (crowd_dispatch(load, subject_put, subject, &in) != 0)
        return -1;
    struct footprint after = footprint_take(store);
    footprint_sample(out, &before, &after, in.jobs);
    if (served >= 0 && in.jobs > 0)
        out->values[2] = (subject_server_bytes(subject) - served) / (double)in.jobs;
    if (subject_drain(subject, in.jobs, 1, NULL) != 0)
        return -1;
    out->dispatched = in.jobs;
    out->handled = atomic_load(&subject->tally.handled);
    return 0;
}

/* What a contest between backlogs runs: in and out on top of the jobs that already wait. */
int subject_pass(const struct load *load, struct sample *out)
{
    struct subject *subject = load->subject;
    tally_reset(&subject->tally);
    struct handed_in in;
    if (crowd_dispatch(load, subject_put, subject, &in) != 0)
        return -1;
    struct lap spent;
    if (subject_drain(subject, in.jobs, load->executors, &spent) != 0)
        return -1;
    double values[2] = {-1, -1};
    stopwatch_rates(values, in.jobs, &in.spent);
    out->values[0] = values[0];
    stopwatch_rates(values, in.jobs, &spent);
    out->values[1] = values[0];
    out->dispatched = in.jobs;
    out->handled = atomic_load(&subject->tally.handled);
    return 0;
}

const struct peer peer_dray = {
    .name = "dray",
    .dispatch = dray_side_dispatch,
    .end_to_end = dray_side_end_to_end,
    .drain = dray_side_drain,
    .pickup = dray_side_pickup,
    .space = dray_side_space,
};
