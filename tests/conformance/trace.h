/* SPDX-License-Identifier: Apache-2.0 */
/* What a history does, one line an item on standard output: to see how a driver came to differ. */
#ifndef CONFORMANCE_TRACE_H
#define CONFORMANCE_TRACE_H

#include "subject.h"

/* What a turn, or the single calls in its place, were asked and answered. */
void trace_turn(uint32_t step, const struct dray_turn *turn, const struct shown_list *handed);

/* Anything else. */
void trace_line(uint32_t step, const char *fmt, ...) DRAY_PRINTF(2, 3);

#endif
