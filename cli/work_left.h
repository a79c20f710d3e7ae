/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_WORK_LEFT_H
#define CLI_WORK_LEFT_H

#include "cli.h"

/* What a worker that ran until empty left behind, in words: "2 scheduled, 1 parked (resize), 1
   queue paused (mail)"; "" if nothing. `queues` are those of the command line. */
void work_left(const struct cli *cli, const struct dray_work_report *report,
    const struct option_list *queues, char *out, size_t size);

#endif
