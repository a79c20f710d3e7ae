/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a benchmark and reads its JSON: it must end well, and every run of every side must have
 * handled just the jobs that it was given. Speeds are not judged: machines differ.
 *
 *     bench_smoke DRAY-BENCH [ARGUMENT ...]
 */
#include <errno.h>
#include <jansson.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int failures;

static void expect(int holds, const char *where, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", where, what);
    failures++;
}

/* Starts the program with its standard output in a pipe. The end to read from, or NULL. */
static FILE *start(char **argv, pid_t *child)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe(ends) != 0 || posix_spawn_file_actions_init(&actions) != 0)
        return NULL;
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    int error = posix_spawn(child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
        fprintf(stderr, "%s: cannot start: error %d\n", argv[0], error);
        close(ends[0]);
        return NULL;
    }
    return fdopen(ends[0], "r");
}

static void check_measures(const char *name, json_t *measures, size_t rounds)
{
    const char *key;
    json_t *measure;
    expect(json_object_size(measures) > 0, name, "nothing was measured");
    json_object_foreach(measures, key, measure)
    {
        expect(json_string_length(json_object_get(measure, "unit")) > 0, name, "no unit");
        expect(json_is_real(json_object_get(measure, "median")), name, "no median");
        size_t runs = json_array_size(json_object_get(measure, "runs"));
        expect(runs >= 1 && runs <= rounds, name, "the runs are not as many as the rounds");
    }
}

static void check_contest(json_t *contest, size_t rounds)
{
    const char *name = json_string_value(json_object_get(contest, "name"));
    json_t *sides = json_object_get(contest, "sides");
    json_t *side;
    size_t i;
    expect(name && *name, "a contest", "has no name");
    name = name ? name : "a contest";
    expect(json_array_size(sides) > 0, name, "has no sides");
    json_array_foreach(sides, i, side)
    {
        json_int_t dispatched = json_integer_value(json_object_get(side, "dispatched"));
        expect(dispatched > 0, name, "a side was given no job");
        expect(dispatched == json_integer_value(json_object_get(side, "handled")), name,
            "jobs were lost or made up");
        check_measures(name, json_object_get(side, "measures"), rounds);
    }
}

static void check_report(json_t *report)
{
    json_t *contests = json_object_get(report, "contests");
    json_int_t rounds = json_integer_value(json_object_get(report, "rounds"));
    json_t *contest;
    size_t i;
    expect(json_string_length(json_object_get(report, "driver")) > 0, "report", "names no driver");
    expect(rounds > 0, "report", "has no rounds");
    expect(json_array_size(contests) > 0, "report", "has no contests");
    json_array_foreach(contests, i, contest)
    {
        check_contest(contest, (size_t)rounds);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_smoke DRAY-BENCH [ARGUMENT ...]\n");
        return 2;
    }
    pid_t child;
    FILE *output = start(argv + 1, &child);
    if (!output)
        return 1;
    json_error_t error;
    json_t *report = json_loadf(output, 0, &error);
    expect(report != NULL, "standard output is not one JSON value", error.text);
    fclose(output);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, argv[1], "did not end well");
    if (report)
        check_report(report);
    json_decref(report);
    return failures == 0 ? 0 : 1;
}
