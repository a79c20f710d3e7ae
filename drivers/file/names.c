/* SPDX-License-Identifier: Apache-2.0 */
#include "file/names.h"

const char *const line_ops[TABLE_KINDS] = {
    [0] = "",
    [TABLE_PUSH] = "push",
    [TABLE_JOB] = "job",
    [TABLE_LEASE] = "lease",
    [TABLE_EXTEND] = "extend",
    [TABLE_DONE] = "done",
    [TABLE_AGAIN] = "again",
    [TABLE_RELEASE] = "release",
    [TABLE_REPEAT] = "repeat",
    [TABLE_BURY] = "bury",
    [TABLE_EXPIRE] = "expire",
    [TABLE_DUE] = "due",
    [TABLE_KICK] = "kick",
    [TABLE_CANCEL] = "cancel",
    [TABLE_MARK] = "mark",
    [TABLE_REMOVE] = "remove",
    [TABLE_QUEUE] = "queue",
    [TABLE_RESET] = "reset",
    [TABLE_TOTALS] = "totals",
    [TABLE_CONSUMER] = "consumer",
};

const char *const line_states[DRAY_STATE_DONE + 1] = {
    [0] = "",
    [DRAY_STATE_READY] = "ready",
    [DRAY_STATE_DELAYED] = "delayed",
    [DRAY_STATE_ACTIVE] = "active",
    [DRAY_STATE_DEAD] = "dead",
    [DRAY_STATE_DONE] = "done",
};
