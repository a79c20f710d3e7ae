/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations that are fine: values, defaults, variables, settings, paths, files. */
#include "config/config.h"
#include "config/tree.h"
#include "dray/driver.h"
#include "unit/config_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static struct config *read_with(const struct dray_options *options)
{
    struct config *config = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    int code = config_read(&config, options, &error);
    if (code != DRAY_OK) {
        print_error("%s\n", error.text);
        fail();
    }
    return config;
}

static struct config *read_yaml(const char *yaml)
{
    struct dray_options options = {.yaml = yaml};
    return read_with(&options);
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *config = read_yaml("queue: {driver: memory}");
    assert_null(config->path);
    assert_string_equal(config->driver, "memory");
    assert_string_equal(config->driver_origin, "yaml:1");
    assert_null(config->module);
    assert_string_equal(config->queue, "default");
    assert_int_equal(config->lease_ms, 90000);
    assert_int_equal(config->durability, 0);
    assert_int_equal(config->job.max_attempts, 4);
    assert_int_equal(config->job.max_payload, 1048576);
    assert_int_equal(config->job.backoff.strategy, DRAY_BACKOFF_EXPONENTIAL);
    assert_int_equal(config->job.backoff.base_ms, 1000);
    assert_int_equal(config->job.backoff.cap_ms, 3600000);
    assert_true(config->job.backoff.jitter == 0.25);
    assert_int_equal(config->worker.concurrency, 2);
    assert_int_equal(config->worker.max_jobs, 0);
    assert_int_equal(config->worker.timeout_ms, 0);
    assert_int_equal(config->worker.delay_ms, 0);
    assert_null(config->worker.queues);
    assert_int_equal(config->worker.nqueues, 0);
    assert_int_equal(config->worker.poll_interval_ms, 500);
    assert_int_equal(config->worker.prefetch, UINT32_MAX);
    assert_int_equal(config->worker.shutdown_timeout_ms, 30000);
    assert_int_equal(config->worker.grace_ms, 5000);
    assert_int_equal(config->worker.isolate, 0);
    assert_int_equal(config->keep.done_ms, 0);
    assert_int_equal(config->keep.dead_ms, UINT64_C(2592000000));
    assert_int_equal(config->keep.max, 100000);
    assert_int_equal(config->limits.capacity, 0);
    assert_true(config->health.failure_rate == 0.1);
    assert_int_equal(config->health.processing, 20);
    assert_int_equal(config->health.backlog, 1000);
    assert_null(config->handlers_from);
    assert_int_equal(config->nhandlers, 0);
    assert_null(config->section);
    assert_null(config->connections);
    config_free(config);
}

static void test_values(void **state)
{
    (void)state;
    struct config *config = read_yaml(
        "queue:\n"
        "  driver: file\n"
        "  file: {queue: mail, retry_after: 5m, durability: process, path: x}\n"
        "  redis: {anything: [goes, here]}\n"
        "  job: {max_attempts: 7, max_payload: 64KiB,\n"
        "        backoff: {strategy: linear, base: 2s, cap: 1m, jitter: 0}}\n"
        "  worker: {concurrency: 8, max_jobs: 100, timeout: 1h, delay: 250ms, queues: [a, b],\n"
        "           poll_interval: 1, prefetch: 0, shutdown_timeout: 1m, grace: 2s,\n"
        "           isolation: process}\n"
        "  keep: {done: 1h, dead: 7d, max: 10}\n"
        "  limits: {capacity: 500}\n"
        "  health: {failure_rate: off, processing: off, backlog: 5}\n"
        "schedules: {}\nhooks:\n");
    assert_string_equal(config->queue, "mail");
    assert_int_equal(config->lease_ms, 300000);
    assert_int_equal(config->durability, DRAY_DURABILITY_PROCESS);
    assert_int_equal(config->job.max_attempts, 7);
    assert_int_equal(config->job.max_payload, 65536);
    assert_int_equal(config->job.backoff.strategy, DRAY_BACKOFF_LINEAR);
    assert_int_equal(config->job.backoff.base_ms, 2000);
    assert_int_equal(config->job.backoff.cap_ms, 60000);
    assert_true(config->job.backoff.jitter < 0);
    assert_int_equal(config->worker.concurrency, 8);
    assert_int_equal(config->worker.max_jobs, 100);
    assert_int_equal(config->worker.timeout_ms, 3600000);
    assert_int_equal(config->worker.delay_ms, 250);
    assert_int_equal(config->worker.nqueues, 2);
    assert_string_equal(config->worker.queues[1], "b");
    assert_int_equal(config->worker.poll_interval_ms, 1000);
    assert_int_equal(config->worker.prefetch, 0);
    assert_int_equal(config->worker.shutdown_timeout_ms, 60000);
    assert_int_equal(config->worker.grace_ms, 2000);
    assert_int_equal(config->worker.isolate, 1);
    assert_int_equal(config->keep.done_ms, 3600000);
    assert_int_equal(config->keep.dead_ms, 604800000);
    assert_int_equal(config->keep.max, 10);
    assert_int_equal(config->limits.capacity, 500);
    assert_true(config->health.failure_rate < 0);
    assert_int_equal(config->health.processing, UINT64_MAX);
    assert_int_equal(config->health.backlog, 5);
    config_free(config);
}

static void test_null_means_default(void **state)
{
    (void)state;
    struct config *config =
        read_yaml("queue:\n  driver: memory\n  memory: ~\n  job:\n"
                  "  worker: {concurrency: null, delay: ~, queues: , prefetch: Null}\n"
                  "connections:\nhandlers: ~\nhandlers_from: null\nschedules: []\n");
    assert_int_equal(config->worker.concurrency, 2);
    assert_int_equal(config->worker.prefetch, UINT32_MAX);
    assert_null(config->worker.queues);
    assert_null(config->handlers_from);
    config_free(config);
}

static void test_handlers(void **state)
{
    (void)state;
    struct dray_options options = {.folder = "/",
        .yaml = "queue: {driver: memory, worker: {grace: 9s}}\n"
                "handlers_from: jobs\n"
                "handlers:\n"
                "  send.mail: {module: ./mail.so}\n"
                "  resize:\n"
                "    command: [python3, resize.py, 5, 'a b']\n"
                "    timeout: 30s\n"
                "    grace: 1s\n"
                "    max_attempts: 2\n"
                "    backoff: {base: 3s}\n"
                "    isolation: process\n"
                "    max_memory: 1GiB\n"
                "    options: {a: 1, b: [true, no, ~, '7', -1.5], c: {d: \"\\u00e9\"}}\n"};
    struct config *config = read_with(&options);
    assert_string_equal(config->handlers_from, "/jobs");
    assert_int_equal(config->nhandlers, 2);
    const struct config_handler *mail = &config->handlers[0];
    assert_string_equal(mail->type, "send.mail");
    assert_string_equal(mail->module, "/mail.so");
    assert_null(mail->command);
    assert_int_equal(mail->timeout_ms, 0);
    assert_int_equal(mail->grace_ms, 9000);
    assert_int_equal(mail->max_attempts, 0);
    assert_int_equal(mail->backoff.strategy, 0);
    assert_int_equal(mail->isolate, -1);
    assert_int_equal(mail->max_memory, 0);
    assert_string_equal(mail->options, "{}");
    assert_int_equal(mail->line, 4);
    const struct config_handler *resize = &config->handlers[1];
    assert_null(resize->module);
    static const char *const argv[] = {"python3", "resize.py", "5", "a b"};
    for (size_t i = 0; i < COUNT(argv); i++)
        assert_string_equal(resize->command[i], argv[i]);
    assert_null(resize->command[4]);
    assert_int_equal(resize->timeout_ms, 30000);
    assert_int_equal(resize->grace_ms, 1000);
    assert_int_equal(resize->max_attempts, 2);
    assert_int_equal(resize->backoff.strategy, DRAY_BACKOFF_EXPONENTIAL);
    assert_int_equal(resize->backoff.base_ms, 3000);
    assert_int_equal(resize->isolate, 1);
    assert_int_equal(resize->max_memory, UINT64_C(1) << 30);
    assert_string_equal(resize->options,
        "{\"a\":1,\"b\":[true,\"no\",null,\"7\",-1.5],\"c\":{\"d\":\"\xc3\xa9\"}}");
    config_free(config);
}

static void test_variables(void **state)
{
    (void)state;
    setenv("DRAY_TEST_NAME", "mail", 1);
    setenv("DRAY_TEST_EMPTY", "", 1);
    unsetenv("DRAY_TEST_UNSET");
    static const char *const pairs[][2] = {
        {"${DRAY_TEST_NAME}", "mail"},
        {"a-${DRAY_TEST_NAME}-${DRAY_TEST_NAME}.z", "a-mail-mail.z"},
        {"${DRAY_TEST_UNSET:-spare}", "spare"},
        {"${DRAY_TEST_EMPTY:-spare}", "spare"},
        {"x${DRAY_TEST_EMPTY}", "x"},
        {"x${DRAY_TEST_UNSET:-}", "x"},
    };
    char yaml[256];
    for (size_t i = 0; i < COUNT(pairs); i++) {
        snprintf(yaml, sizeof(yaml), "queue: {driver: memory, memory: {queue: '%s'}}", pairs[i][0]);
        struct config *config = read_yaml(yaml);
        assert_string_equal(config->queue, pairs[i][1]);
        config_free(config);
    }
    /* A password that happens to be called null is one. */
    struct dray_options null_word = {.yaml = "queue: {driver: memory}\n"
                                             "handlers_from: ${DRAY_TEST_NULL}\n",
        .folder = "/"};
    setenv("DRAY_TEST_NULL", "null", 1);
    struct config *named = read_with(&null_word);
    assert_string_equal(named->handlers_from, "/null");
    config_free(named);

    /* A literal, and numbers by way of a variable. */
    setenv("DRAY_TEST_NUMBER", "7", 1);
    struct config *config =
        read_yaml("queue:\n  driver: memory\n  worker:\n    concurrency: ${DRAY_TEST_NUMBER}\n"
                  "handlers: {a: {command: ['$${HOME} $5 $']}}");
    assert_int_equal(config->worker.concurrency, 7);
    assert_string_equal(config->handlers[0].command[0], "${HOME} $5 $");
    config_free(config);
}

static void test_queue_driver(void **state)
{
    (void)state;
    setenv("QUEUE_DRIVER", "redis", 1);
    struct config *config = read_yaml("queue: {driver: memory}");
    assert_string_equal(config->driver, "redis");
    assert_string_equal(config->driver_origin, "QUEUE_DRIVER");
    config_free(config);

    config = read_yaml("");
    assert_string_equal(config->driver, "redis");
    config_free(config);

    struct dray_options options = {
        .yaml = "queue: {driver: memory}", .flags = DRAY_OPEN_NO_ENVIRONMENT};
    config = read_with(&options);
    assert_string_equal(config->driver, "memory");
    config_free(config);

    options.flags = 0;
    options.driver = "file";
    config = read_with(&options);
    assert_string_equal(config->driver, "file");
    assert_string_equal(config->driver_origin, "setting");
    config_free(config);

    struct dray_setting setting = {"queue.driver", "sync"};
    options.settings = &setting;
    options.nsettings = 1;
    config = read_with(&options);
    assert_string_equal(config->driver, "sync");
    config_free(config);

    setenv("QUEUE_DRIVER", "", 1);
    config = read_yaml("queue: {driver: memory}");
    assert_string_equal(config->driver, "memory");
    config_free(config);

    setenv("QUEUE_DRIVER", "Not A Name", 1);
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_options plain = {.yaml = "queue: {driver: memory}"};
    assert_int_equal(config_read(&config, &plain, &error), DRAY_CONFIG);
    assert_non_null(strstr(error.text, "QUEUE_DRIVER: "));
    unsetenv("QUEUE_DRIVER");
}

static void test_settings(void **state)
{
    (void)state;
    static const struct dray_setting settings[] = {
        {"queue.driver", "memory"},
        {"queue.worker.concurrency", "4"},
        {"queue.worker.queues", "[a, b]"},
        {"queue.job.backoff", "{strategy: none}"},
        {"queue.keep.max", NULL},
        {"handlers.send.mail.timeout", "3s"},
        {"handlers.new.command", "[true]"},
        {"queue.memory.queue", "x"},
    };
    struct dray_options options = {.settings = settings,
        .nsettings = COUNT(settings),
        .yaml = "queue: {keep: {max: 5}}\nhandlers: {send.mail: {command: [x]}}\n"};
    struct config *config = read_with(&options);
    assert_int_equal(config->worker.concurrency, 4);
    assert_int_equal(config->worker.nqueues, 2);
    assert_int_equal(config->job.backoff.strategy, DRAY_BACKOFF_NONE);
    assert_int_equal(config->keep.max, 100000);
    assert_int_equal(config->nhandlers, 2);
    assert_int_equal(config->handlers[0].timeout_ms, 3000);
    assert_string_equal(config->handlers[1].type, "new");
    assert_string_equal(config->queue, "x");
    config_free(config);
}

static void test_bad_settings(void **state)
{
    (void)state;
    static const struct {
        struct dray_setting setting;
        int code;
        const char *piece;
    } rows[] = {
        {{"queue.worker.concurrency", "many"}, DRAY_CONFIG,
            "setting queue.worker.concurrency: queue.worker.concurrency must be"},
        {{"queue.worker.concurency", "1"}, DRAY_CONFIG, "did you mean \"concurrency\"?"},
        {{"queue.driver.x", "1"}, DRAY_CONFIG, "it has no keys"},
        {{"queue..x", "1"}, DRAY_CONFIG, "an empty part"},
        {{"queue.", "1"}, DRAY_CONFIG, "an empty part"},
        {{"", "1"}, DRAY_INVALID, "setting 1 has no key"},
        {{NULL, "1"}, DRAY_INVALID, "setting 1 has no key"},
        {{"queue.keep", "{done: *a}"}, DRAY_CONFIG, "setting queue.keep: aliases"},
        {{"queue.keep", "{done: "}, DRAY_CONFIG, "setting queue.keep: "},
        {{"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q", "1"}, DRAY_CONFIG, "more than 16 parts"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config *config = NULL;
        struct dray_error error = DRAY_ERROR_INIT;
        struct dray_options options = {
            .yaml = "queue: {driver: memory}", .settings = &rows[i].setting, .nsettings = 1};
        assert_int_equal(config_read(&config, &options, &error), rows[i].code);
        assert_non_null(strstr(error.text, rows[i].piece));
    }
}

/* ------------------------------------------------------------------------------------------- */

static struct config *read_file(const char *folder, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    struct dray_options options = {.config = path};
    return read_with(&options);
}

static void test_folders(void **state)
{
    (void)state;
    static const char yaml[] = "queue: {driver: ./lib/x.so, x: {module: m.so, queue: q}}\n"
                               "handlers_from: /abs/jobs\n";
    char folder[256];
    char expected[512];
    folder_make(folder);
    folder_write(folder, "queue.yaml", yaml);
    folder_write(folder, "config/queue.yaml", yaml);
    struct config *config = read_file(folder, "queue.yaml");
    assert_string_equal(config->folder, folder);
    snprintf(expected, sizeof(expected), "%s/lib/x.so", folder);
    assert_string_equal(config->driver, expected);
    snprintf(expected, sizeof(expected), "%s/m.so", folder);
    assert_string_equal(config->module, expected);
    assert_string_equal(config->queue, "q");
    assert_string_equal(config->handlers_from, "/abs/jobs");
    config_free(config);

    config = read_file(folder, "config/queue.yaml");
    assert_string_equal(config->folder, folder);
    config_free(config);

    char path[512];
    snprintf(path, sizeof(path), "%s/config/queue.yaml", folder);
    struct dray_options options = {.config = path, .folder = "/usr"};
    config = read_with(&options);
    assert_string_equal(config->folder, "/usr");
    assert_string_equal(config->module, "/usr/m.so");
    config_free(config);

    /* By a bare name, from inside. */
    char before[512];
    assert_non_null(getcwd(before, sizeof(before)));
    snprintf(path, sizeof(path), "%s/config", folder);
    assert_int_equal(chdir(path), 0);
    options = (struct dray_options){.config = "queue.yaml"};
    config = read_with(&options);
    assert_string_equal(config->folder, folder);
    assert_string_equal(config->driver_origin, "queue.yaml:1");
    config_free(config);
    assert_int_equal(chdir(before), 0);
    folder_remove(folder);
}

static void test_dotenv(void **state)
{
    (void)state;
    char folder[256];
    folder_make(folder);
    setenv("DRAY_TEST_NAME", "from-environment", 1);
    folder_write(folder, ".env",
        "# a comment\n"
        "\n"
        "DRAY_TEST_NAME=from-file\n"
        "export DRAY_TEST_A=bare value # and a comment\n"
        "  DRAY_TEST_B='single $x \\n'  \n"
        "DRAY_TEST_C=\"a\\tb\\\"c\\\\\\$\" # more\r\n"
        "DRAY_TEST_D=\n"
        "DRAY_TEST_E=a#b");
    folder_write(folder, "q.yaml",
        "queue: {driver: memory}\n"
        "handlers:\n"
        "  a: {command: ['${DRAY_TEST_NAME}', '${DRAY_TEST_A}', '${DRAY_TEST_B}',"
        " '${DRAY_TEST_C}', 'x${DRAY_TEST_D}', '${DRAY_TEST_E}']}\n");
    struct config *config = read_file(folder, "q.yaml");
    static const char *const expected[] = {
        "from-environment", "bare value", "single $x \\n", "a\tb\"c\\$", "x", "a#b"};
    for (size_t i = 0; i < COUNT(expected); i++)
        assert_string_equal(config->handlers[0].command[i], expected[i]);
    config_free(config);

    folder_write(folder, ".env", "QUEUE_DRIVER=sync\n");
    folder_write(folder, "q.yaml", "queue: {driver: memory}\n");
    config = read_file(folder, "q.yaml");
    assert_string_equal(config->driver, "sync");
    config_free(config);
    folder_remove(folder);
}

static void test_bad_dotenv(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned line;
        const char *piece;
    } rows[] = {
        {"A=1\nB\n", 2, "expected NAME=value"},
        {"A =1\n", 1, "expected NAME=value"},
        {"1A=1\n", 1, "expected NAME=value"},
        {"=1\n", 1, "expected NAME=value"},
        {"\n\nA='x\n", 3, "not closed"},
        {"A=\"x\\", 1, "not closed"},
        {"A=\"\\x\"\n", 1, "are known"},
        {"A='x' y\n", 1, "behind the closing quote"},
        {"A=1\nA=2\n", 2, "twice, first on line 1"},
        {"A=\xff\n", 0, "not UTF-8"},
    };
    char folder[256];
    char path[512];
    folder_make(folder);
    folder_write(folder, "q.yaml", "queue: {driver: memory}\n");
    snprintf(path, sizeof(path), "%s/q.yaml", folder);
    for (size_t i = 0; i < COUNT(rows); i++) {
        folder_write(folder, ".env", rows[i].text);
        struct config *config = NULL;
        struct dray_error error = DRAY_ERROR_INIT;
        struct dray_options options = {.config = path};
        assert_int_equal(config_read(&config, &options, &error), DRAY_CONFIG);
        assert_non_null(strstr(error.file, "/.env"));
        assert_int_equal(error.line, rows[i].line);
        assert_non_null(strstr(error.text, rows[i].piece));
        options.flags = DRAY_OPEN_NO_ENVIRONMENT;
        config_free(read_with(&options));
    }
    folder_remove(folder);
}

static void refused_file(const char *path, int code, const char *piece)
{
    struct config *config = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_options options = {.config = path};
    assert_int_equal(config_read(&config, &options, &error), code);
    assert_int_equal(strncmp(error.text, path, strlen(path)), 0);
    if (!strstr(error.text, piece)) {
        print_error("%s\n", error.text);
        fail();
    }
}

static void test_bad_files(void **state)
{
    (void)state;
    char folder[256];
    char path[512];
    folder_make(folder);
    refused_file("/nonexistent/queue.yaml", DRAY_NOTFOUND, "no such file");
    refused_file(folder, DRAY_CONFIG, "is a folder");
    refused_file("/dev/null", DRAY_CONFIG, "not a regular file");
    snprintf(path, sizeof(path), "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    refused_file(path, DRAY_CONFIG, "not a regular file");

    snprintf(path, sizeof(path), "%s/q.yaml", folder);
    char *large = malloc(65538);
    memset(large, '#', 65537);
    large[65537] = 0;
    folder_write(folder, "q.yaml", large);
    refused_file(path, DRAY_CONFIG, "larger than 64 KiB");
    large[65536] = 0;
    memcpy(large, "queue: {driver: memory} ", 24);
    folder_write(folder, "q.yaml", large);
    config_free(read_file(folder, "q.yaml"));
    free(large);

    folder_write(folder, "q.yaml",
        "\x7f"
        "ELF\x02\x01\xff\xfe");
    refused_file(path, DRAY_CONFIG, "not UTF-8 text");
    if (geteuid() != 0) {
        assert_int_equal(chmod(path, 0), 0);
        refused_file(path, DRAY_DENIED, "may not read it");
    }
    folder_remove(folder);
}

static void test_both_sources(void **state)
{
    (void)state;
    struct config *config = NULL;
    struct dray_options options = {.config = "a", .yaml = "b"};
    assert_int_equal(config_read(&config, &options, NULL), DRAY_INVALID);
    config_free(NULL);
}

/* What this project ships loads as it is. */
static void test_shipped_files(void **state)
{
    (void)state;
    static const char *const names[] = {
        "sync", "isolate", "memory", "file", "sqlite", "redis", "custom", "queue"};
    const char *source = getenv("DRAY_SOURCE");
    assert_non_null(source);
    char *root = realpath(source, NULL);
    for (size_t i = 0; i < COUNT(names); i++) {
        char path[1024];
        snprintf(path, sizeof(path), "%s/config/%s.yaml", source, names[i]);
        struct dray_options options = {.config = path, .flags = DRAY_OPEN_NO_ENVIRONMENT};
        struct config *config = read_with(&options);
        assert_string_equal(config->driver, i == 7 ? "sqlite" : names[i]);
        assert_string_equal(config->folder, root);
        assert_int_equal(config->nhandlers, 1);
        config_free(config);
    }
    free(root);
}

struct rows {
    char text[8192];
    size_t len;
};

/* Keys and values under `queue`, the driver aside. */
static int collect(const struct dray_config_row *row, void *user)
{
    struct rows *rows = user;
    if (strncmp(row->key, "queue.", 6) != 0 || strcmp(row->key, "queue.driver") == 0)
        return 0;
    int n = snprintf(
        rows->text + rows->len, sizeof(rows->text) - rows->len, "%s: %s\n", row->key, row->value);
    rows->len += (size_t)n;
    return rows->len < sizeof(rows->text) ? 0 : -1;
}

/* The annotated file promises to show the defaults. */
static void test_annotated_file(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof(path), "%s/config/queue.yaml", getenv("DRAY_SOURCE"));
    struct dray_options options = {.config = path, .flags = DRAY_OPEN_NO_ENVIRONMENT};
    struct config *shown = read_with(&options);
    struct config *plain = read_yaml("queue: {driver: sqlite}");
    static struct rows expected;
    static struct rows actual;
    assert_int_equal(config_each(plain, NULL, NULL, collect, &expected), 0);
    assert_int_equal(config_each(shown, NULL, NULL, collect, &actual), 0);
    assert_true(expected.len > 500);
    assert_string_equal(actual.text, expected.text);
    config_free(plain);
    config_free(shown);
}

/* Each option of each driver that was built is in the annotated file, with its default. */
static int check_driver(const struct dray_found_driver *found, void *user)
{
    const struct config *config = ((void **)user)[0];
    const struct node *section = node_get(node_get(config->root, "queue"), found->name);
    if (!section)
        return 0; /* not one of ours */
    assert_non_null(found->driver);
    for (uint32_t i = 0; i < found->driver->noptions; i++) {
        const struct dray_option *option = &found->driver->options[i];
        const struct node *node = node_get(section, option->name);
        if (!node || (option->fallback && strcmp(node->text, option->fallback) != 0)) {
            print_error("config/queue.yaml: queue.%s.%s should be %s\n", found->name, option->name,
                option->fallback ? option->fallback : "there");
            fail();
        }
    }
    ++*(unsigned *)((void **)user)[1];
    return 0;
}

static void test_annotated_sections(void **state)
{
    (void)state;
    char path[1024];
    snprintf(path, sizeof(path), "%s/config/queue.yaml", getenv("DRAY_SOURCE"));
    struct dray_options options = {.config = path, .flags = DRAY_OPEN_NO_ENVIRONMENT};
    struct config *config = read_with(&options);
    unsigned seen = 0;
    void *user[] = {config, &seen};
    struct dray_error error = DRAY_ERROR_INIT;
    assert_int_equal(dray_each_driver(NULL, check_driver, user, &error), DRAY_OK);
    assert_true(seen >= 3);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_null_means_default),
        cmocka_unit_test(test_handlers),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_queue_driver),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_dotenv),
        cmocka_unit_test(test_bad_dotenv),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_both_sources),
        cmocka_unit_test(test_shipped_files),
        cmocka_unit_test(test_annotated_file),
        cmocka_unit_test(test_annotated_sections),
    };
    unsetenv("QUEUE_DRIVER");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
