/* SPDX-License-Identifier: Apache-2.0 */
/* The words that stand in the file for kinds of events and for states. */
#ifndef FILE_NAMES_H
#define FILE_NAMES_H

#include "common/table_event.h"

/* [TABLE_KINDS] and [DRAY_STATE_DONE + 1]; [0] is unused. */
extern const char *const line_ops[TABLE_KINDS];
extern const char *const line_states[DRAY_STATE_DONE + 1];

#endif
