/* SPDX-License-Identifier: Apache-2.0 */
/* The `dray` command: reads the words, runs the verb. */
#include "cli.h"

#include <dray/driver.h>

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct option global_options[] = {
    {.name = "config",
        .letter = 'c',
        .kind = OPTION_TEXT,
        .offset = offsetof(struct cli, config),
        .meta = "FILE",
        .help = "configuration (else DRAY_CONFIG, config/queue.yaml, queue.yaml)"},
    {.name = "driver",
        .kind = OPTION_TEXT,
        .offset = offsetof(struct cli, driver),
        .meta = "NAME",
        .help = "driver, over QUEUE_DRIVER and the configuration"},
    {.name = "json",
        .kind = OPTION_FLAG,
        .offset = offsetof(struct cli, json),
        .help = "print JSON: one object, or one a line for lists"},
    {.name = "quiet",
        .letter = 'q',
        .kind = OPTION_FLAG,
        .offset = offsetof(struct cli, quiet),
        .help = "errors only"},
    {.name = "verbose",
        .letter = 'v',
        .kind = OPTION_FLAG,
        .offset = offsetof(struct cli, verbose),
        .help = "what happens underneath, too"},
    {.name = "version",
        .kind = OPTION_FLAG,
        .offset = offsetof(struct cli, version),
        .help = "version of the library and of the driver interface"},
    {.name = "help",
        .letter = 'h',
        .kind = OPTION_FLAG,
        .offset = offsetof(struct cli, help),
        .help = "this; of a verb: dray VERB -h"},
    {.name = NULL},
};

static int print_version(const struct cli *cli)
{
    if (cli->json)
        printf("{\"version\": \"%s\", \"abi\": %u}\n", DRAY_VERSION, DRAY_ABI);
    else
        printf("dray %s (driver ABI %u)\n", DRAY_VERSION, DRAY_ABI);
    return EXIT_DONE;
}

/* Errors take the form that was asked for even if the asking stands behind the mistake. */
static int misread(struct cli *cli, char **args, size_t nargs, const struct option_error *error)
{
    for (size_t i = 0; i < nargs && strcmp(args[i], "--") != 0; i++)
        cli->json |= strcmp(args[i], "--json") == 0;
    return misuse(cli, "%s", error->text);
}

static int check_words(const struct cli *cli)
{
    const struct verb *verb = cli->verb;
    if (cli->nwords < verb->min_words)
        return misuse(cli, "something is missing: dray %s %s", verb->name, verb->words);
    if (cli->nwords > verb->max_words)
        return misuse(cli, "one word too many: '%.64s'", cli->words[verb->max_words]);
    return EXIT_DONE;
}

static int run_verb(struct cli *cli, char **args, size_t nargs)
{
    const struct verb *verb = cli->verb;
    cli->words = args;
    cli->nwords = nargs;
    if (verb->raw)
        return cli->help ? (help_verb(verb), EXIT_DONE) : verb->run(cli);

    cli->values = calloc(1, verb->values_size > 0 ? verb->values_size : 1);
    if (!cli->values)
        return fail(cli, EXIT_INTERNAL, DRAY_NOMEM, "out of memory");
    struct option_table tables[2] = {{verb->options, cli->values}, {global_options, cli}};
    struct option_error error;
    int status = EXIT_DONE;
    if (options_read(tables, 2, args, nargs, 0, &cli->nwords, NULL, &error))
        status = misread(cli, args, nargs, &error);
    else if (cli->help)
        help_verb(verb);
    else if (cli->version)
        status = print_version(cli);
    else
        status = check_words(cli);
    if (status == EXIT_DONE && !cli->help && !cli->version)
        status = verb->run(cli);
    options_free(&tables[0]);
    free(cli->values);
    return status;
}

static int run(struct cli *cli, char **args, size_t nargs)
{
    struct option_table table = {global_options, cli};
    struct option_error error;
    size_t nwords = 0;
    size_t nread = 0;
    if (options_read(&table, 1, args, nargs, 1, &nwords, &nread, &error))
        return misread(cli, args, nargs, &error);
    args += nread;
    nargs -= nread;
    if (cli->version)
        return print_version(cli);
    if (nargs > 0 && strcmp(args[0], "help") == 0) {
        cli->help = 1;
        args++;
        nargs--;
    }
    if (nargs == 0) {
        if (!cli->help)
            return misuse(cli, "what to do? A verb is missing");
        help_all(cli);
        return EXIT_DONE;
    }
    size_t used = 0;
    cli->verb = verb_find(args, nargs, &used, &error);
    if (!cli->verb)
        return misread(cli, args, nargs, &error);
    return run_verb(cli, args + used, nargs - used);
}

/* Whatever was printed must have arrived: a full disk is an error of the command. */
static int flush_output(const struct cli *cli, int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    int sys = errno;
    if (status != EXIT_DONE)
        return status;
    return fail(cli, EXIT_IO, DRAY_IO, "standard output: %s", strerror(sys));
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    cli.out_is_terminal = isatty(STDOUT_FILENO);
    cli.err_is_terminal = isatty(STDERR_FILENO);
    /* A line a write: those of several workers that share a log must not mix. */
    setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
    int status = run(&cli, argv + 1, argc > 0 ? (size_t)argc - 1 : 0);
    int closed = cli.dray ? dray_close(cli.dray) : DRAY_OK;
    status = flush_output(&cli, status);
    /* Handlers that would not end still use the library: leave without tearing it down. */
    if (closed == DRAY_BUSY)
        _exit(status);
    return status;
}
