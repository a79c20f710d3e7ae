/* SPDX-License-Identifier: Apache-2.0 */
/* A driver's section against the driver's own table, and what `dray config` shows. */
#include "config/config.h"
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

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct dray_option table[] = {
    {.type = DRAY_OPTION_PATH, .name = "path", .fallback = "var/x", .help = "Where it is"},
    {.type = DRAY_OPTION_INTEGER, .name = "count", .fallback = "3", .min = 1, .max = 9},
    {.type = DRAY_OPTION_DURATION, .name = "pause", .fallback = "5m", .min = 1000, .max = 600000},
    {.type = DRAY_OPTION_SIZE, .name = "room", .fallback = "5MiB"},
    {.type = DRAY_OPTION_BOOLEAN, .name = "loud", .fallback = "true"},
    {.type = DRAY_OPTION_CHOICE, .name = "mode", .fallback = "b", .choices = "a|b|cc"},
    {.type = DRAY_OPTION_LIST, .name = "words", .fallback = "[x, y]"},
    {.type = DRAY_OPTION_MAP, .name = "pairs", .fallback = "{k: v}"},
    {.type = DRAY_OPTION_CONNECTION, .name = "connection", .fallback = "default"},
    {.type = DRAY_OPTION_SECRET, .name = "key"},
    {.type = DRAY_OPTION_STRING, .name = "title"},
};

static struct dray_driver driver = {
    .name = "test", .options = table, .noptions = COUNT(table), .option_size = sizeof(table[0])};

/* The configuration and the options of a text; the code, and nothing else, if one is refused. */
static int load(const char *yaml, const struct dray_driver *of, struct config **config,
    struct option_values **values, struct dray_error *error)
{
    struct dray_options options = {.yaml = yaml, .folder = "/", .flags = DRAY_OPEN_NO_ENVIRONMENT};
    *values = NULL;
    int code = config_read(config, &options, error);
    if (code != DRAY_OK)
        return code;
    code = option_values_read(values, *config, of, error);
    if (code != DRAY_OK)
        config_free(*config);
    return code;
}

static void load_good(const char *yaml, struct config **config, struct option_values **values)
{
    struct dray_error error = DRAY_ERROR_INIT;
    if (load(yaml, &driver, config, values, &error) != DRAY_OK) {
        print_error("%s\n", error.text);
        fail();
    }
}

static void done(struct config *config, struct option_values *values)
{
    option_values_free(values);
    config_free(config);
}

static void assert_text(
    const struct option_values *values, const char *name, uint32_t index, const char *expected)
{
    const char *text = option_text(values, name, index);
    if (!expected)
        assert_null(text);
    else
        assert_string_equal(text ? text : "(null)", expected);
}

static void test_defaults(void **state)
{
    (void)state;
    struct config *config;
    struct option_values *values;
    load_good("queue: {driver: test}", &config, &values);
    assert_text(values, "path", 0, "/var/x");
    assert_text(values, "path", 1, NULL);
    assert_int_equal(option_number(values, "count"), 3);
    assert_int_equal(option_number(values, "pause"), 300000);
    assert_int_equal(option_number(values, "room"), 5242880);
    assert_int_equal(option_number(values, "loud"), 1);
    assert_int_equal(option_number(values, "mode"), 1);
    assert_text(values, "mode", 0, "b");
    assert_text(values, "words", 0, "x");
    assert_text(values, "words", 1, "y");
    assert_text(values, "words", 2, NULL);
    assert_text(values, "pairs", 0, "k");
    assert_text(values, "pairs", 1, "v");
    assert_text(values, "pairs", 2, NULL);
    assert_text(values, "connection", 0, "default");
    assert_text(values, "connection.url", 0, NULL);
    assert_int_equal(option_number(values, "connection.port"), 0);
    assert_text(values, "key", 0, NULL);
    assert_text(values, "title", 0, NULL);
    assert_int_equal(option_number(values, "retry_after"), 90000);
    assert_text(values, "queue", 0, "default");
    assert_text(values, "nonsense", 0, NULL);
    assert_int_equal(option_number(values, "nonsense"), 0);
    done(config, values);
}

static void test_values(void **state)
{
    (void)state;
    struct config *config;
    struct option_values *values;
    load_good("queue:\n  driver: test\n  test: {path: /p/q, count: 9, pause: 10m, room: 0,\n"
              "    loud: false, mode: cc, words: [], pairs: {a: '1', b: 2}, key: s3cret,\n"
              "    title: '', retry_after: 2m, durability: host, queue: mail}",
        &config, &values);
    assert_text(values, "path", 0, "/p/q");
    assert_int_equal(option_number(values, "count"), 9);
    assert_int_equal(option_number(values, "pause"), 600000);
    assert_int_equal(option_number(values, "room"), 0);
    assert_int_equal(option_number(values, "loud"), 0);
    assert_int_equal(option_number(values, "mode"), 2);
    assert_text(values, "words", 0, NULL);
    assert_text(values, "pairs", 3, "2");
    assert_text(values, "key", 0, "s3cret");
    assert_text(values, "title", 0, "");
    assert_int_equal(option_number(values, "retry_after"), 120000);
    assert_text(values, "queue", 0, "mail");
    done(config, values);
}

static void test_connections(void **state)
{
    (void)state;
    static const struct {
        const char *entry;
        const char *host, *username, *password, *database, *path;
        int64_t port, number, tls, timeout_ms;
    } rows[] = {
        {"url: 'redis://127.0.0.1:6379/2'", "127.0.0.1", NULL, NULL, "2", NULL, 6379, 2, 0, 0},
        {"url: redis://h", "h", NULL, NULL, NULL, NULL, 0, 0, 0, 0},
        {"url: redis://h/", "h", NULL, NULL, NULL, NULL, 0, 0, 0, 0},
        {"url: 'rediss://ada:p%40ss%3aw@h:1/jobs'", "h", "ada", "p@ss:w", "jobs", NULL, 1, 0, 1, 0},
        {"url: 'redis://:p@q@h:1'", "h", NULL, "p@q", NULL, NULL, 1, 0, 0, 0},
        {"url: 'redis://ada@h'", "h", "ada", NULL, NULL, NULL, 0, 0, 0, 0},
        {"url: 'redis://[::1]:7/0'", "::1", NULL, NULL, "0", NULL, 7, 0, 0, 0},
        {"url: 'redis://[fe80::1]'", "fe80::1", NULL, NULL, NULL, NULL, 0, 0, 0, 0},
        {"url: 'unix:///run/my%20redis.sock'", NULL, NULL, NULL, NULL, "/run/my redis.sock", 0, 0,
            0, 0},
        {"host: h, port: 5, username: u, password: 12345, database: 3, path: s, timeout: 2s, "
         "tls: true",
            "h", "u", "12345", "3", "/s", 5, 3, 1, 2000},
        {"url: 'redis://u:old@h:1/1', password: new, port: 9", "h", "u", "new", "1", NULL, 9, 1, 0,
            0},
        {"", NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct config *config;
        struct option_values *values;
        char yaml[400];
        snprintf(yaml, sizeof(yaml),
            "queue: {driver: test, test: {connection: main}}\nconnections: {main: {%s}}\n",
            rows[i].entry);
        load_good(yaml, &config, &values);
        assert_text(values, "connection.host", 0, rows[i].host);
        assert_text(values, "connection.username", 0, rows[i].username);
        assert_text(values, "connection.password", 0, rows[i].password);
        assert_text(values, "connection.database", 0, rows[i].database);
        assert_text(values, "connection.path", 0, rows[i].path);
        assert_int_equal(option_number(values, "connection.port"), rows[i].port);
        assert_int_equal(option_number(values, "connection.database"), rows[i].number);
        assert_int_equal(option_number(values, "connection.tls"), rows[i].tls);
        assert_int_equal(option_number(values, "connection.timeout"), rows[i].timeout_ms);
        done(config, values);
    }
}

static void test_sentinels(void **state)
{
    (void)state;
    struct config *config;
    struct option_values *values;
    load_good("queue: {driver: test}\n"
              "connections: {default: {url: 'redis://u:x@/3', master: main, sentinel_password: p,\n"
              "    sentinels: [a, b:7, '[::1]', '[::2]:65535']}}\n",
        &config, &values);
    static const char *const places[] = {"a", "", "b", "7", "::1", "", "::2", "65535", NULL};
    for (uint32_t i = 0; i < COUNT(places); i++)
        assert_text(values, "connection.sentinels", i, places[i]);
    assert_text(values, "connection.master", 0, "main");
    assert_text(values, "connection.username", 0, "u");
    assert_text(values, "connection.database", 0, "3");
    assert_text(values, "connection.host", 0, NULL);
    assert_text(values, "connection.sentinel_password", 0, "p");
    done(config, values);
}

static void test_password_file(void **state)
{
    (void)state;
    static char large[4098];
    static const struct {
        const char *text;
        int code;
        const char *piece;
    } rows[] = {
        {"pass word\n", DRAY_OK, "pass word"},
        {"p\r\n", DRAY_OK, "p"},
        {"", DRAY_CONFIG, "must hold one line"},
        {"a\nb\n", DRAY_CONFIG, "must hold one line"},
        {large, DRAY_CONFIG, "larger than 4 KiB"},
    };
    memset(large, 'x', sizeof(large) - 1);
    char folder[256];
    folder_make(folder);
    char yaml[600];
    struct config *config;
    struct option_values *values;
    struct dray_error error = DRAY_ERROR_INIT;
    for (size_t i = 0; i < COUNT(rows); i++) {
        folder_write(folder, "secret", rows[i].text);
        snprintf(yaml, sizeof(yaml),
            "queue: {driver: test}\n"
            "connections: {default: {url: 'redis://u:x@h', password_file: %s/secret}}\n",
            folder);
        int code = load(yaml, &driver, &config, &values, &error);
        assert_int_equal(code, rows[i].code);
        if (code == DRAY_OK) {
            assert_text(values, "connection.password", 0, rows[i].piece);
            done(config, values);
        } else {
            assert_int_equal(error.line, 2);
            assert_non_null(strstr(error.text, rows[i].piece));
        }
    }
    folder_remove(folder);
    assert_int_equal(load(yaml, &driver, &config, &values, &error), DRAY_NOTFOUND);
    assert_int_equal(error.code, DRAY_NOTFOUND);
    assert_int_equal(error.line, 2);
    assert_non_null(strstr(error.text, "secret: there is no such file"));
    assert_int_equal(load("queue: {driver: test}\n"
                          "connections: {default: {password: a, password_file: b}}\n",
                         &driver, &config, &values, &error),
        DRAY_CONFIG);
    assert_non_null(strstr(error.text, "keep one"));
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *section;
        const char *piece;
    } rows[] = {
        {"cuont: 3", "queue.test has no key \"cuont\"; did you mean \"count\"?"},
        {"retry_afer: 3s", "did you mean \"retry_after\"?"},
        {"zzzzzz: 3", "it knows path, count"},
        {"count: 0", "queue.test.count must be a whole number from 1 to 9, not 0"},
        {"count: x", "from 1 to 9, not x"},
        {"pause: 1ms", "must be from 1s to 10m, not 1ms"},
        {"pause: soon", "a duration such as"},
        {"room: -1", "a size such as"},
        {"loud: no", "true or false, not no"},
        {"mode: c", "one of a, b, cc, not c"},
        {"words: x", "a list such as"},
        {"pairs: [x]", "a map such as"},
        {"pairs: {a: [b]}", "a map of texts"},
        {"path: ''", "a text that is not empty"},
        {"key: [hidden]", "not a list"},
        {"connection: other", "connections has no \"other\"; add it there"},
        {"connection: mian", "did you mean \"main\"?"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char yaml[300];
        snprintf(yaml, sizeof(yaml),
            "connections: {main: {host: h}}\nqueue:\n  driver: test\n  test:\n    %s\n",
            rows[i].section);
        struct config *config;
        struct option_values *values;
        struct dray_error error = DRAY_ERROR_INIT;
        assert_int_equal(load(yaml, &driver, &config, &values, &error), DRAY_CONFIG);
        if (error.line != 5 || !strstr(error.text, rows[i].piece)) {
            print_error("%s: %s\n", rows[i].section, error.text);
            fail();
        }
    }
}

static void test_required_and_wrong_default(void **state)
{
    (void)state;
    static const struct dray_option required[] = {{.type = DRAY_OPTION_STRING,
        .flags = DRAY_OPTION_REQUIRED,
        .name = "title",
        .help = "What it is called"}};
    static const struct dray_option wrong[] = {
        {.type = DRAY_OPTION_INTEGER, .name = "count", .fallback = "many"}};
    struct dray_driver other = {
        .name = "test", .options = required, .noptions = 1, .option_size = sizeof(required[0])};
    struct config *config;
    struct option_values *values;
    struct dray_error error = DRAY_ERROR_INIT;
    static const char *const missing[] = {"queue:\n  driver: test\n",
        "queue: {driver: test, test: {title: ~}}\n", "queue: {driver: test, test: }\n"};
    for (size_t i = 0; i < COUNT(missing); i++) {
        assert_int_equal(load(missing[i], &other, &config, &values, &error), DRAY_CONFIG);
        assert_string_equal(error.text, "yaml:1: queue.test.title is required: What it is called");
    }
    other.options = wrong;
    assert_int_equal(load(missing[0], &other, &config, &values, &error), DRAY_CONFIG);
    assert_non_null(strstr(error.text, "driver test: the default of its option count is wrong"));
}

/* Rows of a driver that was built when they were shorter, or will be when they are longer. */
static void test_row_size(void **state)
{
    (void)state;
    struct {
        struct dray_option option;
        uint64_t later[3];
    } longer[] = {
        {{.type = DRAY_OPTION_INTEGER, .name = "one", .fallback = "1"}, {7, 7, 7}},
        {{.type = DRAY_OPTION_INTEGER, .name = "two", .fallback = "2"}, {7, 7, 7}},
    };
    struct {
        uint32_t type, flags;
        const char *name, *fallback, *choices, *help;
    } shorter[] = {
        {DRAY_OPTION_INTEGER, 0, "one", "1", NULL, NULL},
        {DRAY_OPTION_INTEGER, 0, "two", "2", NULL, NULL},
    };
    const void *tables[] = {longer, shorter};
    const uint32_t sizes[] = {sizeof(longer[0]), sizeof(shorter[0])};
    for (size_t i = 0; i < 2; i++) {
        struct dray_driver other = {.name = "test", .noptions = 2, .option_size = sizes[i]};
        other.options = tables[i];
        struct config *config;
        struct option_values *values;
        struct dray_error error = DRAY_ERROR_INIT;
        assert_int_equal(
            load("queue: {driver: test, test: {one: 5}}", &other, &config, &values, &error),
            DRAY_OK);
        assert_int_equal(option_number(values, "one"), 5);
        assert_int_equal(option_number(values, "two"), 2);
        done(config, values);
    }
}

/* ------------------------------------------------------------------------------------------- */

struct shown {
    char text[16384];
    size_t len;
    int stop_after;
};

static int show(const struct dray_config_row *row, void *user)
{
    struct shown *shown = user;
    int n = snprintf(shown->text + shown->len, sizeof(shown->text) - shown->len, "%s=%s (%s)\n",
        row->key, row->value, row->origin);
    shown->len += (size_t)n;
    assert_true(shown->len < sizeof(shown->text));
    return shown->stop_after > 0 && --shown->stop_after == 0 ? 99 : 0;
}

static void test_show(void **state)
{
    (void)state;
    static const struct dray_setting settings[] = {{"queue.worker.delay", "90m"}};
    static struct shown shown;
    struct dray_options options = {.folder = "/",
        .settings = settings,
        .nsettings = 1,
        .flags = DRAY_OPEN_NO_ENVIRONMENT,
        .yaml = "queue:\n"
                "  driver: test\n"
                "  test:\n"
                "    key: s3cret\n"
                "    title: 'amqp://me:s3cret@h/x'\n"
                "    words: ['http://me:s3cret@h', b]\n"
                "    pairs: {a: 's3cret://x:s3cret@', 's3cr': b}\n"
                "connections:\n"
                "  default: {url: 'redis://ada:s3cret@h/1', host: z}\n"
                "  other: {password: s3cret, sentinel_password: s3cret, sentinels: [a, b],\n"
                "    master: m}\n"
                "handlers:\n"
                "  a: {command: [x, y], options: {token: s3cret}, backoff: {base: 2s}}\n"};
    struct config *config = NULL;
    struct option_values *values = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    assert_int_equal(config_read(&config, &options, &error), DRAY_OK);
    assert_int_equal(option_values_read(&values, config, &driver, &error), DRAY_OK);
    assert_int_equal(config_each(config, values, &driver, show, &shown), DRAY_OK);
    static const char *const expected[] = {
        "queue.driver=test (yaml:2)\n",
        "\nqueue.test.retry_after=90s (default)\n",
        "\nqueue.test.path=/var/x (default)\n",
        "\nqueue.test.room=5MiB (default)\n",
        "\nqueue.test.key=*** (yaml:4)\n",
        "\nqueue.test.title=amqp://me:***@h/x (yaml:5)\n",
        "\nqueue.test.words=[http://me:***@h, b] (yaml:6)\n",
        "\nqueue.test.pairs={a: s3cret://x:***@, s3cr: b} (yaml:7)\n",
        "\nqueue.worker.delay=90m (setting)\n",
        "\nqueue.worker.concurrency=2 (default)\n",
        "\nqueue.worker.queues=[default] (default)\n",
        "\nqueue.worker.max_jobs=null (default)\n",
        "\nqueue.job.backoff.jitter=0.25 (default)\n",
        "\nqueue.keep.dead=30d (default)\n",
        "\nconnections.default.url=redis://ada:***@h/1 (yaml:9)\n",
        "\nconnections.default.host=z (yaml:9)\n",
        "\nconnections.other.password=*** (yaml:10)\n",
        "\nconnections.other.sentinel_password=*** (yaml:10)\n",
        "\nconnections.other.sentinels=[a, b] (yaml:10)\n",
        "\nhandlers_from=null (default)\n",
        "\nhandlers.a.command=[x, y] (yaml:13)\n",
        "\nhandlers.a.backoff.base=2s (yaml:13)\n",
        "\nhandlers.a.options=*** (yaml:13)\n",
    };
    for (size_t i = 0; i < COUNT(expected); i++) {
        if (!strstr(shown.text, expected[i])) {
            print_error("no %sin\n%s", expected[i], shown.text);
            fail();
        }
    }
    const char *leak = strstr(shown.text, "s3cret");
    assert_true(leak && strncmp(leak, "s3cret://x:***@", 15) == 0 && !strstr(leak + 1, "s3cret"));

    shown = (struct shown){.stop_after = 3};
    assert_int_equal(config_each(config, values, &driver, show, &shown), 99);
    shown = (struct shown){.stop_after = 0};
    assert_int_equal(config_each(config, NULL, NULL, show, &shown), DRAY_OK);
    assert_null(strstr(shown.text, "queue.test"));
    done(config, values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_sentinels),
        cmocka_unit_test(test_password_file),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_required_and_wrong_default),
        cmocka_unit_test(test_row_size),
        cmocka_unit_test(test_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
