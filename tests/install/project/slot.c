/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that keeps one small job: as little as a driver can be, in the words that C and C++
 * share, so that both build it. The descriptor is written by position, which holds the order of its
 * members still.
 */
#include <dray/driver.h>

#include <string.h>

struct slot {
    const struct dray_host *host;
    struct dray_job job; /* its strings are in `text` */
    char text[4][256];
    int64_t until_ms; /* the end of the lease, or when it falls due */
    int full, leased;
};

static int32_t slot_open(void *self, struct dray_call *call, const struct dray_host *host)
{
    struct slot *slot = (struct slot *)self;
    slot->host = host;
    if (call->durability > DRAY_DURABILITY_VOLATILE)
        return host->fail(call, DRAY_UNSUPPORTED, 0, "the slot is in memory");
    call->durability = DRAY_DURABILITY_VOLATILE;
    return DRAY_OK;
}

static void slot_close(void *self)
{
    (void)self;
}

static int keep(char *place, struct dray_str *text)
{
    if (text->len >= 256)
        return 0;
    if (text->len)
        memcpy(place, text->data, (size_t)text->len);
    text->data = place;
    return 1;
}

static int32_t slot_push(void *self, struct dray_call *call, struct dray_push *group)
{
    struct slot *slot = (struct slot *)self;
    if (group->njobs != 1)
        return slot->host->fail(call, DRAY_LIMIT, 0, "one job at a time");
    if (slot->full)
        return slot->host->fail(call, DRAY_FULL, 0, "the slot is taken");
    slot->job = *group->jobs[0];
    if (!keep(slot->text[0], &slot->job.id) || !keep(slot->text[1], &slot->job.queue) ||
        !keep(slot->text[2], &slot->job.type) || !keep(slot->text[3], &slot->job.payload))
        return slot->host->fail(call, DRAY_LIMIT, 0, "the job is too large for the slot");
    slot->until_ms = slot->host->mono_ms(slot->host) + (int64_t)slot->job.delay_ms;
    slot->full = 1;
    return DRAY_OK;
}

static int32_t slot_reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    struct slot *slot = (struct slot *)self;
    int64_t now = slot->host->mono_ms(slot->host);
    if (slot->leased && slot->until_ms < now)
        slot->leased = 0;
    if (!slot->full || slot->leased || slot->until_ms > now || !want->max)
        return DRAY_OK;
    slot->leased = 1;
    slot->until_ms = now + (int64_t)want->lease_ms;
    slot->job.attempts++;
    slot->job.token.counter++;
    slot->job.token.nonce = want->nonce;
    slot->job.state = DRAY_STATE_ACTIVE;
    call->job(call, &slot->job);
    return DRAY_OK;
}

static int32_t slot_settle(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    struct slot *slot = (struct slot *)self;
    (void)call;
    for (uint32_t i = 0; i < n; i++) {
        if (!slot->leased || leases[i]->token.counter != slot->job.token.counter ||
            leases[i]->token.nonce != slot->job.token.nonce) {
            answers[i] = DRAY_STALE;
            continue;
        }
        slot->leased = 0;
        slot->full = leases[i]->verdict != DRAY_VERDICT_DONE;
        slot->until_ms = slot->host->mono_ms(slot->host) + (int64_t)leases[i]->delay_ms;
    }
    return DRAY_OK;
}

static int32_t slot_extend(void *self, struct dray_call *call,
    const struct dray_lease *const *leases, int32_t *answers, uint32_t n)
{
    (void)self;
    (void)call;
    (void)leases;
    (void)answers;
    (void)n;
    return DRAY_OK;
}

static const struct dray_driver slot_driver = {DRAY_MAGIC, DRAY_ABI,
    (uint32_t)sizeof(struct dray_driver), (uint32_t)sizeof(struct slot), "slot", "0.1.0",
    "keeps one job", DRAY_IS_QUICK, 1, 1, NULL, 0, (uint32_t)sizeof(struct dray_option), slot_open,
    slot_close, slot_push, slot_reserve, slot_settle, slot_settle, slot_extend, NULL, NULL, NULL,
    NULL, NULL, NULL};

const struct dray_driver *dray_driver_entry(void)
{
    return &slot_driver;
}
