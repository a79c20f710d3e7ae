/* SPDX-License-Identifier: Apache-2.0 */
/* Checking, repairing and compacting the store. */
#include "host/error.h"
#include "queue/instance.h"

#include <string.h>

/* Reading and rewriting a large store takes its time. */
#define TEND_BUDGET_MS (10u * 60 * 1000)

struct tending {
    struct dray_call call; /* first: the sink gets back from it to here */
    dray_note_fn note;
    void *user;
};

static void pass_on(struct dray_call *call, const char *line)
{
    const struct tending *t = (const struct tending *)(const void *)call;
    if (t->note)
        t->note(line, t->user);
}

int dray_tend_store(struct dray *dray, uint32_t what, struct dray_tend_report *report,
    dray_note_fn note, void *user, struct dray_error *error)
{
    struct dray_error own = DRAY_ERROR_INIT;
    if (report)
        memset(report, 0, sizeof(*report));
    int code = instance_check(dray, error);
    if (code != DRAY_OK)
        return code;
    if (what < DRAY_TEND_CHECK || what > DRAY_TEND_COMPACT)
        return error_set(error, DRAY_INVALID, 0,
            "dray_tend_store knows no care number %u; say DRAY_TEND_CHECK, _REPAIR or _COMPACT",
            what);
    if (!store_has(&dray->store->driver, "tend"))
        return instance_lacks(dray, "check, repair or compact its store", error);
    struct tending tending = {.note = note, .user = user};
    struct dray_tend tend = {.size = (uint32_t)sizeof(tend), .what = what};
    store_call_init(&tending.call, error ? error : &own, TEND_BUDGET_MS);
    tending.call.note = pass_on;
    turn_begin_alone(dray);
    code = dray->store->driver.tend(dray->store->self, &tending.call, &tend);
    turn_end_alone(dray);
    if (report)
        *report = (struct dray_tend_report){
            .records = tend.records,
            .damaged = tend.damaged,
            .repaired = tend.repaired,
            .bytes_before = tend.bytes_before,
            .bytes_after = tend.bytes_after,
        };
    return code;
}
