/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and what they came to, a line each and a line for each of their first items, into the
   journal: to see how a driver came to differ. */
#ifndef CONFORMANCE_TRACE_H
#define CONFORMANCE_TRACE_H

#include "subject.h"

void trace_group(const struct dray_push *group, int32_t code);

/* `what` NULL: the verdict of each. */
void trace_leases(
    const char *what, const struct dray_lease *const *leases, const int32_t *answers, uint32_t n);

void trace_reserve(const struct dray_reserve *want, int32_t code, const struct shown_list *handed);

void trace_turn(const struct dray_turn *turn, const struct shown_list *handed);

void trace_change(const struct dray_change *change, int32_t code);

#endif
