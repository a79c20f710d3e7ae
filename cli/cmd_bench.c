/* SPDX-License-Identifier: Apache-2.0 */
/* Hands over to dray-bench, which lives beside the drivers. */
#include "cli.h"
#include "verbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What `dray` was told before the verb comes first; what follows the verb is handed on as it is. */
static char **arguments(struct cli *cli, char *program)
{
    char **args = calloc(cli->nwords + 7, sizeof(*args));
    if (!args)
        return NULL;
    static char config[] = "--config";
    static char driver[] = "--driver";
    static char json[] = "--json";
    size_t n = 0;
    args[n++] = program;
    if (cli->config_path[0]) {
        args[n++] = config;
        args[n++] = cli->config_path;
    }
    if (cli->driver) {
        args[n++] = driver;
        args[n] = strdup(cli->driver);
        if (!args[n++]) {
            free(args);
            return NULL;
        }
    }
    if (cli->json)
        args[n++] = json;
    for (size_t i = 0; i < cli->nwords; i++)
        args[n++] = cli->words[i];
    return args;
}

static int run(struct cli *cli)
{
    char program[PATH_MAX];
    int len = snprintf(program, sizeof(program), "%s/dray-bench", dray_folder());
    if (len < 0 || (size_t)len >= sizeof(program))
        return fail(cli, EXIT_INTERNAL, DRAY_LIMIT, "the path of dray-bench is too long");
    /* A configuration that is not there is dray-bench's to judge: it may be named later on. */
    if (!cli->config &&
        dray_find_config(cli->config_path, sizeof(cli->config_path), NULL) != DRAY_OK)
        cli->config_path[0] = 0;
    else if (cli->config)
        snprintf(cli->config_path, sizeof(cli->config_path), "%s", cli->config);
    char **args = arguments(cli, program);
    if (!args)
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    fflush(NULL);
    execv(program, args);
    int sys = errno;
    free(args);
    if (sys == ENOENT)
        return fail(cli, EXIT_FAILED, DRAY_NOTFOUND,
            "%s is not there: this installation came without the benchmark", program);
    return fail(cli, EXIT_FAILED, DRAY_IO, "%s: %s", program, strerror(sys));
}

const struct verb verb_bench = {
    .name = "bench",
    .summary = "throughput and latency of the configured driver",
    .words = "[ARGUMENT...]",
    .raw = 1,
    .notes = "Runs dray-bench, on a queue of its own that it removes. Arguments behind the verb "
             "are\ndray-bench's: dray bench -h lists them.",
    .examples = {"dray bench", "dray --driver memory bench", "dray -c config/redis.yaml bench"},
    .run = run,
};
