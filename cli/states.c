/* SPDX-License-Identifier: Apache-2.0 */
#include "states.h"

#include "cli.h"
#include "jobs.h"

#include <dray/text.h>

#include <stdio.h>
#include <string.h>

/* A state that there is, or the nearest one proposed. */
static int check_state(const struct cli *cli, const char *word)
{
    size_t n = 0;
    for (; job_states[n]; n++) {
        if (strcmp(job_states[n], word) == 0)
            return EXIT_DONE;
    }
    const char *near = dray_nearest(word, job_states, n);
    if (near)
        return misuse(cli, "--state: not '%.32s'; did you mean %s?", word, near);
    return misuse(cli, "--state: not '%.32s' but ready, delayed, active, dead or done", word);
}

int join_states(const struct cli *cli, const struct option_list *states, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < states->n; i++) {
        const char *at = states->at[i];
        do {
            size_t len = strcspn(at, ",");
            char word[33];
            snprintf(word, sizeof(word), "%.*s", (int)(len < 32 ? len : 32), at);
            int status = check_state(cli, word);
            if (status != EXIT_DONE)
                return status;
            /* Naming a state twice is no harm; five names and their commas fit. */
            if (!strstr(out, word))
                used +=
                    (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? "," : "", word);
            at += len;
        } while (*at++ == ',');
    }
    return EXIT_DONE;
}
