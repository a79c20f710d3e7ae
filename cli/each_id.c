/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

int each_id(struct cli *cli, int (*act)(struct cli *cli, const char *id, struct dray_error *error),
    uint64_t *done)
{
    int status = EXIT_DONE;
    *done = 0;
    for (size_t i = 0; i < cli->nwords; i++) {
        struct dray_error error = DRAY_ERROR_INIT;
        if (act(cli, cli->words[i], &error) == DRAY_OK) {
            ++*done;
            continue;
        }
        int failed = report(cli, &error);
        if (status == EXIT_DONE)
            status = failed;
    }
    return status;
}
