/* SPDX-License-Identifier: Apache-2.0 */
#include "host/random.h"
#include "worker/attempt.h"

#define DEFAULT_BASE_MS 1000u
#define DEFAULT_CAP_MS (3600u * 1000u)
#define DEFAULT_JITTER 0.25

static uint64_t plain_ms(int strategy, uint64_t base, uint64_t cap, uint32_t attempt)
{
    uint64_t ms = base;
    if (attempt == 0)
        attempt = 1;
    switch (strategy) {
    case DRAY_BACKOFF_NONE:
        return 0;
    case DRAY_BACKOFF_FIXED:
        break;
    case DRAY_BACKOFF_LINEAR:
        if (__builtin_mul_overflow(base, (uint64_t)attempt, &ms))
            ms = cap;
        break;
    default:
        if (attempt > 63 || __builtin_mul_overflow(base, 1ull << (attempt - 1), &ms))
            ms = cap;
    }
    return ms < cap ? ms : cap;
}

/* Jitter spreads what failed together, so that it does not come back together: the wait is drawn
   evenly from the plain wait plus or minus its part. */
uint64_t backoff_ms(const struct dray_backoff *backoff, uint32_t attempt)
{
    uint64_t base = backoff->base_ms ? backoff->base_ms : DEFAULT_BASE_MS;
    uint64_t cap = backoff->cap_ms ? backoff->cap_ms : DEFAULT_CAP_MS;
    double jitter = backoff->jitter < 0   ? 0
                    : backoff->jitter > 0 ? backoff->jitter
                                          : DEFAULT_JITTER;
    if (jitter > 1)
        jitter = 1;
    if (cap > DELAY_MAX_MS)
        cap = DELAY_MAX_MS;
    uint64_t ms = plain_ms(backoff->strategy, base, cap, attempt);
    double drawn = (double)ms * (1 + jitter * (2 * random_unit() - 1));
    return (uint64_t)(drawn + 0.5);
}
