/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a driver: what it is given, and what of its answers is believed. */
#include "config/config.h"
#include "dray/driver.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A driver of our own, so that it can look at what it gets. */
static struct {
    int opened, closed;
    int32_t code;        /* what open returns */
    uint32_t durability; /* what it reports */
    uint32_t wish;
    const struct dray_host *host;
} seen;

static int32_t open_seen(void *self, struct dray_call *call, const struct dray_host *host)
{
    static const char zeros[48];
    assert_memory_equal(self, zeros, sizeof(zeros));
    assert_int_equal((uintptr_t)self % _Alignof(max_align_t), 0);
    assert_non_null(call->error);
    assert_true(call->budget_ms > 0);
    memset(self, 0xff, sizeof(zeros));
    seen.opened++;
    seen.host = host;
    seen.wish = call->durability;
    call->durability = seen.durability;
    if (seen.code == DRAY_DENIED)
        return (host->fail)(call, seen.code, 13, "%s is not ours", "the store");
    return seen.code;
}

static void close_seen(void *self)
{
    (void)self;
    seen.closed++;
}

static int32_t push(void *self, struct dray_call *call, struct dray_push *group)
{
    (void)self;
    (void)call;
    (void)group;
    return DRAY_OK;
}

static int32_t reserve(void *self, struct dray_call *call, const struct dray_reserve *want)
{
    (void)self;
    (void)call;
    (void)want;
    return DRAY_OK;
}

static int32_t settle(void *self, struct dray_call *call, const struct dray_lease *const *leases,
    int32_t *answers, uint32_t n)
{
    (void)self;
    (void)call;
    (void)leases;
    (void)answers;
    (void)n;
    return DRAY_OK;
}

static const struct dray_option options[] = {
    {.type = DRAY_OPTION_DURATION, .name = "pause", .fallback = "2s", .help = "how long"},
    {.type = DRAY_OPTION_LIST, .name = "words", .help = "which"},
};

static const struct dray_driver driver = {.magic = DRAY_MAGIC,
    .abi = DRAY_ABI,
    .size = sizeof(struct dray_driver),
    .instance_size = 48,
    .name = "watcher",
    .version = "1",
    .summary = "looks at what it gets",
    .max_push = 1,
    .max_batch = 1,
    .options = options,
    .noptions = 2,
    .option_size = sizeof(struct dray_option),
    .open = open_seen,
    .close = close_seen,
    .push = push,
    .reserve = reserve,
    .ack = settle,
    .retry = settle};

static struct config *read_config(const char *yaml)
{
    struct config *config = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_options from = {.yaml = yaml, .flags = DRAY_OPEN_NO_ENVIRONMENT};
    if (config_read(&config, &from, &error) != DRAY_OK)
        fail_msg("%s", error.text);
    return config;
}

static int open_yaml(const char *yaml, struct store **store, struct config **config,
    const struct log *log, struct dray_error *error)
{
    memset(error, 0, sizeof(*error));
    error->size = sizeof(*error);
    *config = read_config(yaml);
    *store = NULL;
    return store_open(store, *config, NULL, log, error);
}

static int setup(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    seen.durability = DRAY_DURABILITY_VOLATILE;
    return dray_register_driver("watcher", &driver, NULL);
}

static char logged[256];
static int logged_level;

static void keep_log(void *user, int level, const char *line)
{
    (void)user;
    logged_level = level;
    snprintf(logged, sizeof(logged), "%s", line);
}

static void test_host(void **state)
{
    (void)state;
    struct store *store;
    struct config *config;
    struct dray_error error;
    struct log log = {.fn = keep_log};
    assert_int_equal(open_yaml("queue: {driver: watcher, watcher: {pause: 3s, words: [a, b]}}",
                         &store, &config, &log, &error),
        DRAY_OK);
    assert_string_equal(store->name, "watcher");
    assert_null(store->path);
    assert_int_equal(store->durability, DRAY_DURABILITY_VOLATILE);
    assert_int_equal(seen.wish, 0);

    const struct dray_host *host = seen.host;
    assert_int_equal(host->size, sizeof(*host));
    assert_int_equal(host->number(host, "pause"), 3000);
    assert_string_equal(host->text(host, "words", 1), "b");
    assert_null(host->text(host, "words", 2));
    assert_null(host->text(host, "none", 0));
    assert_true(strlen(host->boot_id) <= 64);
    assert_true(host->wall_ms(host) > INT64_C(1600000000000));
    int64_t then = host->mono_ms(host);
    assert_true(host->mono_ms(host) >= then);
    uint64_t random[2] = {0, 0};
    assert_int_equal(host->random(host, random, sizeof(random)), DRAY_OK);
    assert_true(random[0] != random[1]);
    char *block = host->resize(host, NULL, 10);
    assert_non_null(block);
    memcpy(block, "123456789", 10);
    block = host->resize(host, block, 100000);
    assert_string_equal(block, "123456789");
    assert_null(host->resize(host, block, 0));
    host->log(host, DRAY_LOG_WARN, "%d jobs\nlost", 3);
    assert_string_equal(logged, "watcher: 3 jobs lost");
    assert_int_equal(logged_level, DRAY_LOG_WARN);
    host->log(host, 99, "loud");
    assert_int_equal(logged_level, DRAY_LOG_WARN);

    assert_int_equal(seen.closed, 0);
    store_close(store);
    store_close(NULL);
    assert_int_equal(seen.closed, 1);
    config_free(config);
}

static void test_failing_open(void **state)
{
    (void)state;
    static const struct {
        int32_t given;
        int code;
        const char *words;
    } rows[] = {
        {DRAY_DENIED, DRAY_DENIED, "the store is not ours"},
        {DRAY_IO, DRAY_IO, "driver watcher: open failed (input/output error) without a reason"},
        {DRAY_STALE, DRAY_UNKNOWN, "driver watcher: open answered 4, which is no error code"},
        {-7, DRAY_UNKNOWN, "open answered -7"},
        {12345, DRAY_UNKNOWN, "open answered 12345"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct store *store;
        struct config *config;
        struct dray_error error;
        seen.closed = 0;
        seen.code = rows[i].given;
        assert_int_equal(
            open_yaml("queue: {driver: watcher}", &store, &config, NULL, &error), rows[i].code);
        assert_null(store);
        assert_int_equal(error.code, rows[i].code);
        assert_non_null(strstr(error.text, rows[i].words));
        assert_int_equal(seen.closed, 1); /* a failed open is closed, too */
        config_free(config);
    }
}

static void test_durability(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        uint32_t given;
        int code;
        uint32_t in_force;
        const char *words;
    } rows[] = {
        {"queue: {driver: watcher, watcher: {durability: host}}", DRAY_DURABILITY_HOST, DRAY_OK,
            DRAY_DURABILITY_HOST, ""},
        {"queue: {driver: watcher, watcher: {durability: process}}", DRAY_DURABILITY_HOST, DRAY_OK,
            DRAY_DURABILITY_HOST, ""},
        {"queue: {driver: watcher, watcher: {durability: host}}", DRAY_DURABILITY_PROCESS,
            DRAY_UNSUPPORTED, 0,
            "driver watcher gives durability process, host is asked for; lower "
            "queue.watcher.durability"},
        {"queue: {driver: watcher, watcher: {durability: volatile}}", 0, DRAY_OK,
            DRAY_DURABILITY_VOLATILE, ""},
        {"queue: {driver: watcher, watcher: {durability: process}}", 0, DRAY_UNSUPPORTED, 0,
            "gives durability volatile"},
        {"queue: {driver: watcher}", 0, DRAY_OK, DRAY_DURABILITY_VOLATILE, ""},
        {"queue: {driver: watcher}", 9, DRAY_CONFIG, 0, "durability 9, which does not exist"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct store *store;
        struct config *config;
        struct dray_error error;
        seen.closed = 0;
        seen.durability = rows[i].given;
        assert_int_equal(open_yaml(rows[i].yaml, &store, &config, NULL, &error), rows[i].code);
        assert_non_null(strstr(error.text, rows[i].words));
        if (rows[i].code == DRAY_OK)
            assert_int_equal(store->durability, rows[i].in_force);
        else
            assert_int_equal(seen.closed, 1);
        store_close(store);
        config_free(config);
    }
}

/* Checking reads everything and opens nothing. */
static int count_rows(const struct dray_config_row *row, void *user)
{
    int *pause_seen = user;
    if (strcmp(row->key, "queue.watcher.pause") == 0)
        (*pause_seen)++;
    return 0;
}

static void test_check(void **state)
{
    (void)state;
    struct dray_error error = DRAY_ERROR_INIT;
    int pause_seen = 0;
    struct config *config = read_config("queue: {driver: watcher}");
    assert_int_equal(store_check(config, count_rows, &pause_seen, &error), DRAY_OK);
    assert_int_equal(pause_seen, 1);
    assert_int_equal(store_check(config, NULL, NULL, &error), DRAY_OK);
    config_free(config);

    config = read_config("queue:\n  driver: watcher\n  watcher:\n    puase: 1s\n");
    assert_int_equal(store_check(config, NULL, NULL, &error), DRAY_CONFIG);
    assert_non_null(strstr(error.text, "pause"));
    config_free(config);
    assert_int_equal(seen.opened, 0);
}

/* From a file, under `custom` and by its path. */
static void test_from_file(void **state)
{
    (void)state;
    static const char *const yaml[] = {"queue: {driver: " PLUGIN_DIR "/good.so}",
        "queue: {driver: custom, custom: {module: " PLUGIN_DIR "/good.so, depth: 7}}"};
    for (size_t i = 0; i < 2; i++) {
        struct store *store;
        struct config *config;
        struct dray_error error;
        assert_int_equal(open_yaml(yaml[i], &store, &config, NULL, &error), DRAY_OK);
        assert_string_equal(store->name, "good");
        assert_string_equal(store->path, PLUGIN_DIR "/good.so");
        struct dray_call call;
        store_call_init(&call, &error, 1000);
        assert_int_equal(call.next_ms, DRAY_NEXT_UNKNOWN);
        struct dray_reserve want = {.size = sizeof(want), .max = 1};
        struct dray_turn turn = {.size = sizeof(turn), .reserve = &want, .reserve_code = 1};
        store_turn(store, &call, &turn);
        assert_int_equal(turn.reserve_code, DRAY_OK);
        store_close(store);
        config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_host, setup),
        cmocka_unit_test_setup(test_failing_open, setup),
        cmocka_unit_test_setup(test_durability, setup),
        cmocka_unit_test_setup(test_check, setup),
        cmocka_unit_test_setup(test_from_file, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
