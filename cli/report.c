/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"
#include "escape.h"
#include "json_out.h"

#include <dray/driver.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void print_json(const struct dray_error *error, const char *code)
{
    struct json_out out;
    json_start(&out, stderr);
    json_object(&out, NULL);
    json_object(&out, "error");
    json_text(&out, "code", code);
    json_text(&out, "message", error->text);
    json_text(&out, "file", error->file[0] ? error->file : NULL);
    if (error->line > 0)
        json_int(&out, "line", error->line);
    else
        json_null(&out, "line");
    json_end_object(&out);
    json_end_object(&out);
    json_finish(&out);
}

static void print(const struct cli *cli, const struct dray_error *error, const char *code)
{
    if (cli->json) {
        print_json(error, code);
        return;
    }
    /* What has a place in a file begins with it, as compilers do, so that editors can jump. */
    if (error->line == 0)
        fputs("dray: ", stderr);
    print_escaped(stderr, error->text, strlen(error->text));
    fputc('\n', stderr);
}

int report(const struct cli *cli, const struct dray_error *error)
{
    print(cli, error, dray_code_name(error->code));
    return exit_of(error->code);
}

int report_open(const struct cli *cli, const struct dray_error *error)
{
    print(cli, error, dray_code_name(error->code));
    return exit_of_open(error->code);
}

int fail(const struct cli *cli, int status, int code, const char *fmt, ...)
{
    struct dray_error error = DRAY_ERROR_INIT;
    va_list args;
    va_start(args, fmt);
    vsnprintf(error.text, sizeof(error.text), fmt, args);
    va_end(args);
    print(cli, &error, dray_code_name(code));
    return status;
}

int fail_at(const struct cli *cli, int status, int code, const char *file, unsigned line,
    const char *fmt, ...)
{
    struct dray_error error = DRAY_ERROR_INIT;
    char what[sizeof(error.text) / 2];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    snprintf(error.file, sizeof(error.file), "%s", file);
    error.line = line;
    if (line > 0)
        snprintf(error.text, sizeof(error.text), "%.200s:%u: %s", file, line, what);
    else
        snprintf(error.text, sizeof(error.text), "%.200s: %s", file, what);
    print(cli, &error, dray_code_name(code));
    return status;
}

int misuse(const struct cli *cli, const char *fmt, ...)
{
    struct dray_error error = DRAY_ERROR_INIT;
    const char *verb = cli->verb ? cli->verb->name : "";
    int used = snprintf(error.text, sizeof(error.text), "%s%s", verb, *verb ? ": " : "");
    va_list args;
    va_start(args, fmt);
    vsnprintf(error.text + used, sizeof(error.text) - (size_t)used, fmt, args);
    va_end(args);
    size_t len = strlen(error.text);
    snprintf(error.text + len, sizeof(error.text) - len, " (dray %s%s-h shows how)", verb,
        *verb ? " " : "");
    print(cli, &error, "usage");
    return cli->verb && cli->verb->usage_status ? cli->verb->usage_status : EXIT_USAGE;
}

void note(const struct cli *cli, const char *fmt, ...)
{
    if (cli->quiet)
        return;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fputs("dray: ", stderr);
    print_escaped(stderr, text, strlen(text));
    fputc('\n', stderr);
}

void log_to_stderr(void *user, int level, const char *line)
{
    static const char *const words[] = {"", "debug: ", "", "warning: ", "error: "};
    const struct cli *cli = user;
    int least = cli->verbose ? DRAY_LOG_DEBUG : cli->quiet ? DRAY_LOG_ERROR : DRAY_LOG_WARN;
    if (level < least || level > DRAY_LOG_ERROR)
        return;
    /* One call, so that lines of several threads do not mix. */
    fprintf(stderr, "%sdray: %s%s\n", cli->progress ? "\r\033[K" : "", words[level], line);
}

void report_count(const struct cli *cli, const char *key, uint64_t count)
{
    if (!cli->json) {
        note(cli, "%llu job%s %s", (unsigned long long)count, count == 1 ? "" : "s", key);
        return;
    }
    struct json_out out;
    json_start(&out, stdout);
    json_object(&out, NULL);
    json_uint(&out, key, count);
    json_end_object(&out);
    json_finish(&out);
}
