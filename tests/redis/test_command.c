/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `dray` command before a server that is none, or unfit: one line and status 69, 77 or 78; and
 * a worker, once it runs, that keeps trying whatever the server says. L3, U2.
 */
#include "redis/fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct fake fake;
static char config[128], output[128];

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A configuration whose connection is at `path`, with more of it in `rest`. */
static void configure(const char *path, const char *rest)
{
    FILE *file = fopen(config, "we");
    assert_non_null(file);
    fprintf(file,
        "queue: {driver: redis}\n"
        "connections: {default: {path: %s%s}}\n"
        "handlers: {t: {command: [\"true\"]}}\n",
        path, rest);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(config, 0600), 0);
}

static pid_t start(const char *verb, const char *first, const char *second)
{
    char program[256];
    const char *bin = getenv("DRAY_BIN");
    snprintf(program, sizeof(program), "%s/dray", bin ? bin : "bin");
    char *argv[] = {program, (char *)(uintptr_t) "-c", config, (char *)(uintptr_t)verb,
        (char *)(uintptr_t)first, (char *)(uintptr_t)second, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static int status_of(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What the command wrote to standard error. */
static const char *complaint(void)
{
    static char text[4096];
    FILE *file = fopen(output, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    return text;
}

static void expect(const char *verb, const char *first, int status, const char *part)
{
    int got = status_of(start(verb, first, NULL));
    const char *text = complaint();
    const char *end = strchr(text, '\n');
    if (got != status || !end || end[1] || !strstr(text, part))
        fail_msg("%s: status %d, not %d: \"%s\"", verb, got, status, text);
}

/* ---- one line and a status ---- */

static const struct {
    const char *word, *bytes, *part;
    int status;
} cases[] = {
    {NULL, "HTTP/1.1 400 Bad Request\r\n\r\n", "is it Redis", 69},
    {NULL, "-NOAUTH Authentication required.\r\n", "password", 77},
    {NULL, "-DENIED Redis is running in protected mode\r\n", "a user with a password", 77},
    {"INFO", "-NOPERM no permissions\r\n", "deployment.md", 77},
    {"INFO", "-LOADING Redis is loading\r\n", "wait", 69},
    {"INFO", "$5\r\nhello\r\n", "not Redis", 78},
    {"INFO", "$22\r\nredis_version:6.2.14\r\n\r\n", "too old", 78},
    {"GET", "$2\r\n27\r\n", "layout", 78},
    {"GET", "-WRONGTYPE Operation against a key\r\n", "another prefix", 78},
    {"AUTH", "-WRONGPASS invalid\r\n", "password", 77},
    {"SELECT", "-ERR DB index is out of range\r\n", "database", 78},
};

static void test_unfit(void **state)
{
    (void)state;
    configure(fake.path, ", password: x, database: 99");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake_set(&fake,
            &(struct fake_answer){
                .word = cases[i].word, .bytes = cases[i].bytes, .len = strlen(cases[i].bytes)});
        expect("push", "t", cases[i].status, cases[i].part);
        expect("status", NULL, cases[i].status, cases[i].part);
        expect("work", NULL, cases[i].status, cases[i].part);
    }
}

static void test_absent(void **state)
{
    (void)state;
    configure("/nonexistent/socket", "");
    expect("push", "t", 69, "cannot connect");
    expect("work", NULL, 69, "cannot connect");
    configure(fake.folder, ""); /* not a socket */
    expect("push", "t", 69, "cannot connect");
}

/* ---- a worker ---- */

/* The worker has asked, and asked again. */
static void wait_for_tries(const char *said, pid_t worker)
{
    int64_t end = now_ms() + 30000;
    struct timespec pause = {0, 10000000};
    while (fake_given(&fake) < 2) {
        if (now_ms() > end || waitpid(worker, NULL, WNOHANG) == worker)
            fail_msg("%s: asked %u times: %s", said, fake_given(&fake), complaint());
        nanosleep(&pause, NULL);
    }
}

static void test_worker_keeps_trying(void **state)
{
    static const struct {
        const char *word, *bytes;
    } troubles[] = {
        {"EVALSHA", "-READONLY You can't write against a read only replica.\r\n"},
        {"EVALSHA", "-MISCONF Redis is configured to save RDB snapshots\r\n"},
        {"EVALSHA", "-DIRTY halfway\r\n"},
        {NULL, "-NOAUTH Authentication required.\r\n"},
        {NULL, "HTTP/1.1 502 Bad Gateway\r\n\r\n"},
    };
    (void)state;
    fake_set(&fake, &(struct fake_answer){0});
    configure(fake.path, "");
    pid_t worker = start("work", NULL, NULL);
    for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
        fake_set(&fake, &(struct fake_answer){.word = troubles[i].word,
                            .bytes = troubles[i].bytes,
                            .len = strlen(troubles[i].bytes)});
        wait_for_tries(troubles[i].bytes, worker);
    }
    fake_set(&fake, &(struct fake_answer){0});
    kill(worker, SIGTERM);
    assert_int_equal(status_of(worker), 0);
}

static int set_up(void **state)
{
    (void)state;
    if (fake_start(&fake) != 0)
        return -1;
    snprintf(config, sizeof(config), "%.60s/queue.yaml", fake.folder);
    snprintf(output, sizeof(output), "%.60s/error", fake.folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(config);
    unlink(output);
    fake_stop(&fake);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unfit),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_worker_keeps_trying),
    };
    unsetenv("DRAY_CONFIG");
    unsetenv("QUEUE_DRIVER");
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
