/* SPDX-License-Identifier: Apache-2.0 */
/* Wrong configurations: each is refused with its line and a word on what to do. */
#include "config/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define DRIVER "queue: {driver: memory}\n"

struct bad {
    const char *yaml;
    unsigned line;
    const char *piece;
};

static void refused(const char *yaml, unsigned line, const char *piece)
{
    struct config *config = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_options options = {.yaml = yaml, .flags = DRAY_OPEN_NO_ENVIRONMENT};
    int code = config_read(&config, &options, &error);
    char begin[64];
    snprintf(begin, sizeof(begin), line ? "yaml:%u: " : "yaml: ", line);
    if (code != DRAY_CONFIG || error.code != code || error.line != line ||
        strncmp(error.text, begin, strlen(begin)) != 0 || !strstr(error.text, piece)) {
        print_error("%.200s\n-> %d, line %u: %s\n(expected line %u: %s)\n", yaml, code, error.line,
            error.text, line, piece);
        config_free(code == DRAY_OK ? config : NULL);
        fail();
    }
    assert_null(config);
}

static const struct bad syntax[] = {
    {"", 0, "no driver is chosen; write queue: {driver: sqlite}"},
    {"# nothing\n", 0, "no driver is chosen"},
    {"queue:\n  job: {}\n", 1, "no driver is chosen"},
    {"queue: {driver: ~}\n", 1, "no driver is chosen"},
    {"queue: {driver: ''}\n", 1, "no driver is chosen"},
    {"handlers: {}\n", 1, "no driver is chosen"},
    {"just a text\n", 1, "must be a map"},
    {"- a\n- b\n", 1, "must be a map"},
    {"queue: memory\n", 1, "queue must be a map"},
    {"queue: [memory]\n", 1, "queue must be a map"},
    {"queue: {driver: memory\n", 2, "indentation, quotes and colons"},
    {"queue:\n\tdriver: memory\n", 2, "use spaces"},
    {"queue:\n  driver: memory\n  driver: sqlite\n", 3, "twice, first on line 2"},
    {DRIVER "queue: {}\n", 2, "twice"},
    {"queue: &a {driver: memory}\n", 1, "anchors"},
    {"queue: {driver: &a memory}\n", 1, "anchors"},
    {"queue:\n  driver: *a\n", 2, "aliases"},
    {"queue: !!map {driver: memory}\n", 1, "tags"},
    {"queue: {driver: !x memory}\n", 1, "tags"},
    {"%TAG ! tag:x,2000:\n---\nqueue: {driver: memory}\n", 1, "tags"},
    {"queue:\n  <<: {driver: memory}\n", 2, "merge keys"},
    {DRIVER "---\n" DRIVER, 2, "second document"},
    {"queue: {[a]: b}\n", 1, "a key must be a text"},
    {"queue: {driver: \"a\\0b\"}\n", 1, "zero byte"},
    {"queue: {driver: \x01}\n", 1, "control characters"},
    {DRIVER "handlers_from: \xff\n", 2, "not UTF-8"},
};

static const struct bad keys[] = {
    {"queue: {driver: memory}\nqueu: {}\n", 2, "did you mean \"queue\"?"},
    {"banana: 1\n", 1, "it knows queue, connections"},
    {"queue: {drvier: memory}\n", 1, "did you mean \"driver\"?"},
    {"queue: {driver: memory, wroker: 3}\n", 1, "did you mean \"worker\"?"},
    {"queue: {driver: memory, My-Driver: {}}\n", 1, "must be the section of a driver"},
    {"queue:\n  driver: memory\n  worker:\n    concurency: 3\n", 4, "\"concurrency\"?"},
    {"queue: {driver: memory, job: {backoff: {bse: 1s}}}\n", 1, "did you mean \"base\"?"},
    {"queue: {driver: memory, keep: {dun: 1d}}\n", 1, "it knows done, dead, max"},
    {DRIVER "handlers:\n  a:\n    modul: x\n", 4, "did you mean \"module\"?"},
    {DRIVER "connections: {default: {hots: x}}\n", 2, "did you mean \"host\"?"},
    {DRIVER "schedules: {a: b}\n", 2, "not available in this version"},
    {DRIVER "hooks: [a]\n", 2, "not available in this version"},
    {"queue: {driver: memory, limits: {a: 1}}\n", 1, "it knows capacity"},
    {"queue: {driver: memory, limits: {capacity: 0}}\n", 1, "at least 1, not 0"},
    {"queue: {driver: memory, limits: 5}\n", 1, "must be a map"},
};

static const struct bad types[] = {
    {"queue: {driver: {}}\n", 1, "queue.driver must be a text, not a map"},
    {"queue: {driver: Memory}\n", 1, "a path needs a slash"},
    {"queue: {driver: worker}\n", 1, "cannot be called worker"},
    {"queue: {driver: memory, worker: 3}\n", 1, "queue.worker must be a map"},
    {"queue: {driver: memory, worker: {concurrency: many}}\n", 1,
        "queue.worker.concurrency must be a whole number from 1 to 1024, not many"},
    {"queue: {driver: memory, worker: {concurrency: \"4\"}}\n", 1, "without quotes"},
    {"queue: {driver: memory, worker: {concurrency: 0}}\n", 1, "from 1 to 1024, not 0"},
    {"queue: {driver: memory, worker: {concurrency: 1025}}\n", 1, "from 1 to 1024"},
    {"queue: {driver: memory, worker: {concurrency: 4.0}}\n", 1, "whole number"},
    {"queue: {driver: memory, worker: {concurrency: 0x4}}\n", 1, "whole number"},
    {"queue: {driver: memory, worker: {concurrency: 04}}\n", 1, "whole number"},
    {"queue: {driver: memory, worker: {concurrency: [4]}}\n", 1, "not a list"},
    {"queue: {driver: memory, worker: {max_jobs: 99999999999999999999}}\n", 1, "at least 1"},
    {"queue: {driver: memory, worker: {timeout: -1s}}\n", 1, "a duration such as"},
    {"queue: {driver: memory, worker: {delay: 1 h}}\n", 1, "a duration such as"},
    {"queue: {driver: memory, worker: {poll_interval: 5ms}}\n", 1, "from 100ms to 1s, not 5ms"},
    {"queue: {driver: memory, worker: {poll_interval: 2s}}\n", 1, "from 100ms to 1s"},
    {"queue: {driver: memory, worker: {prefetch: lots}}\n", 1, "or auto, not lots"},
    {"queue: {driver: memory, worker: {prefetch: -1}}\n", 1, "or auto, not -1"},
    {"queue: {driver: memory, worker: {isolation: fork}}\n", 1, "one of thread, process, not fork"},
    {"queue: {driver: memory, worker: {queues: mail}}\n", 1, "a list such as [a, b]"},
    {"queue: {driver: memory, worker: {queues: []}}\n", 1, "is empty"},
    {"queue: {driver: memory, worker: {queues: [a, [b]]}}\n", 1, "a list of texts"},
    {"queue: {driver: memory, worker: {queues: [a, ~]}}\n", 1, "a list of texts"},
    {"queue:\n  driver: memory\n  worker:\n    queues:\n    - a\n    - b c\n", 6,
        "\"b c\" may only"},
    {"queue: {driver: memory, worker: {queues: [a, b, a]}}\n", 1, "names a twice"},
    {"queue: {driver: memory, job: {max_attempts: 0}}\n", 1, "from 1 to"},
    {"queue: {driver: memory, job: {max_payload: 2MiB}}\n", 1, "from 1 to 1MiB, not 2MiB"},
    {"queue: {driver: memory, job: {max_payload: big}}\n", 1, "a size such as"},
    {"queue: {driver: memory, job: {backoff: none}}\n", 1, "backoff must be a map"},
    {"queue: {driver: memory, job: {backoff: {strategy: cubic}}}\n", 1,
        "one of exponential, linear, fixed, none"},
    {"queue: {driver: memory, job: {backoff: {jitter: 1.5}}}\n", 1, "a number from 0 to 1"},
    {"queue: {driver: memory, job: {backoff: {jitter: .5}}}\n", 1, "a number from 0 to 1"},
    {"queue: {driver: memory, job: {backoff: {base: 2h}}}\n", 1, "longer than its cap"},
    {"queue: {driver: memory, keep: {done: forever}}\n", 1, "a duration such as"},
    {"queue: {driver: memory, health: {failure_rate: high}}\n", 1, "or off, not high"},
    {"queue: {driver: memory, memory: {retry_after: 10ms}}\n", 1, "queue.memory.retry_after"},
    {"queue: {driver: memory, memory: {retry_after: soon}}\n", 1, "a duration such as"},
    {"queue: {driver: memory, memory: {durability: strong}}\n", 1, "volatile, process, host"},
    {"queue: {driver: memory, memory: {queue: 'a b'}}\n", 1, "the queue name \"a b\""},
    {"queue: {driver: memory, memory: 5}\n", 1, "queue.memory must be a map"},
    {DRIVER "handlers_from: [jobs]\n", 2, "handlers_from must be a text"},
};

static const struct bad handlers[] = {
    {DRIVER "handlers: [a]\n", 2, "handlers must be a map"},
    {DRIVER "handlers:\n  a: b\n", 3, "handlers.a must be a map"},
    {DRIVER "handlers:\n  a:\n", 3, "needs a module (a shared object) or a command"},
    {DRIVER "handlers:\n  a b: {module: x}\n", 3, "the type \"a b\" may only"},
    {DRIVER "handlers:\n  a: {module: x, command: [y]}\n", 3, "both a module and a command"},
    {DRIVER "handlers:\n  a: {command: python3 x.py}\n", 3, "handlers.a.command must be a list"},
    {DRIVER "handlers:\n  a: {command: []}\n", 3, "names no program"},
    {DRIVER "handlers:\n  a: {command: ['', x]}\n", 3, "names no program"},
    {DRIVER "handlers:\n  a: {command: [x, {y: z}]}\n", 3, "a list of texts"},
    {DRIVER "handlers:\n  a: {command: [x], isolation: thread}\n", 3, "process of its own"},
    {DRIVER "handlers:\n  a: {module: x, timeout: 0}\n", 3, "at least 1ms"},
    {DRIVER "handlers:\n  a: {module: x, max_attempts: -2}\n", 3, "from 1 to"},
    {DRIVER "handlers:\n  a: {module: x, backoff: {base: 2h, cap: 1h}}\n", 3, "a.backoff.base"},
    {DRIVER "handlers:\n  a: {module: x, options: 5}\n", 3, "a.options must be a map"},
    {DRIVER "handlers:\n  a:\n    module: x\n    options:\n      n: 1e999\n", 6, "out of range"},
    {DRIVER "handlers:\n  a: {module: x, max_memory: 1.5}\n", 3, "a size such as"},
};

static const struct bad connections[] = {
    {DRIVER "connections: 5\n", 2, "connections must be a map"},
    {DRIVER "connections: {a: redis}\n", 2, "connections.a must be a map"},
    {DRIVER "connections: {a: {url: localhost}}\n", 2, "does not begin with a scheme"},
    {DRIVER "connections: {a: {url: 'REDIS://x'}}\n", 2, "lower case"},
    {DRIVER "connections: {a: {url: 'redis://[::1'}}\n", 2, "a [ without a ]"},
    {DRIVER "connections: {a: {url: 'redis://[::1]x'}}\n", 2, "behind the ]"},
    {DRIVER "connections: {a: {url: 'redis://::1:6379'}}\n", 2, "brackets"},
    {DRIVER "connections: {a: {url: 'redis://h:x'}}\n", 2, "not a number"},
    {DRIVER "connections: {a: {url: 'redis://h:70000'}}\n", 2, "from 1 to 65535"},
    {DRIVER "connections: {a: {url: 'redis://h/0?x=1'}}\n", 2, "a ? or #"},
    {DRIVER "connections: {a: {url: 'redis://u:%zz@h'}}\n", 2, "two hexadecimal digits"},
    {DRIVER "connections: {a: {url: 'redis://u:%00@h'}}\n", 2, "two hexadecimal digits"},
    {DRIVER "connections: {a: {url: 'unix://x'}}\n", 2, "absolute path"},
    {DRIVER "connections: {a: {port: 0}}\n", 2, "from 1 to 65535"},
    {DRIVER "connections: {a: {tls: yes}}\n", 2, "true or false, not yes"},
    {DRIVER "connections: {a: {tls: 'true'}}\n", 2, "true or false"},
    {DRIVER "connections: {a: {master: m}}\n", 2, "master is of no use without sentinels"},
    {DRIVER "connections: {a: {sentinel_password: x}}\n", 2, "without sentinels"},
    {DRIVER "connections: {a: {sentinels: h}}\n", 2, "must be a list"},
    {DRIVER "connections: {a: {sentinels: [], master: m}}\n", 2, "at least one"},
    {DRIVER "connections: {a: {sentinels: [h]}}\n", 2, "need master"},
    {DRIVER "connections: {a: {sentinels: [h], master: ''}}\n", 2, "need master"},
    {DRIVER "connections: {a: {sentinels: [h], master: m, host: x}}\n", 2, "leave the host out"},
    {DRIVER "connections: {a: {sentinels: [h], master: m, url: 'redis://x/1'}}\n", 2,
        "out of the url"},
    {DRIVER "connections: {a: {sentinels: ['h:'], master: m}}\n", 2, "write host:port"},
    {DRIVER "connections: {a: {sentinels: [':1'], master: m}}\n", 2, "write host:port"},
    {DRIVER "connections: {a: {sentinels: ['::1'], master: m}}\n", 2, "write host:port"},
    {DRIVER "connections: {a: {sentinels: ['[::1'], master: m}}\n", 2, "write host:port"},
    {DRIVER "connections: {a: {sentinels: ['[::1]x'], master: m}}\n", 2, "write host:port"},
    {DRIVER "connections: {a: {sentinels: ['h:65536'], master: m}}\n", 2, "write host:port"},
    {DRIVER "connections: {a: {sentinels: [u@h], master: m}}\n", 2, "write host:port"},
};

static const struct bad variables[] = {
    {"queue: {driver: '${DRAY_TEST_UNSET}'}\n", 1, "DRAY_TEST_UNSET is not set"},
    {"queue: {driver: ${A}}\n", 1, "needs quotes"},
    {DRIVER "handlers_from: ${A\n", 2, "is not closed"},
    {DRIVER "handlers_from: '${A:-x'\n", 2, "is not closed"},
    {DRIVER "handlers_from: '${}'\n", 2, "is not a variable"},
    {DRIVER "handlers_from: '${1A}'\n", 2, "is not a variable"},
    {DRIVER "handlers_from: '${A-x}'\n", 2, "is not a variable"},
};

static void check_all(const struct bad *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        refused(rows[i].yaml, rows[i].line, rows[i].piece);
}

static void test_syntax(void **state)
{
    (void)state;
    check_all(syntax, COUNT(syntax));
}

static void test_keys(void **state)
{
    (void)state;
    check_all(keys, COUNT(keys));
}

static void test_types(void **state)
{
    (void)state;
    check_all(types, COUNT(types));
}

static void test_handlers(void **state)
{
    (void)state;
    check_all(handlers, COUNT(handlers));
}

static void test_connections(void **state)
{
    (void)state;
    check_all(connections, COUNT(connections));
}

static void test_variables(void **state)
{
    (void)state;
    check_all(variables, COUNT(variables));
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Seconds that no text may take; a sanitizer makes everything slower. */
static double limit(void)
{
    const char *sanitize = getenv("DRAY_SANITIZE");
    return sanitize && sanitize[0] ? 1 : 0.1;
}

/* Texts that are made to cost time: refused, and at once. */
static void test_floods(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        size_t times;
        const char *piece;
    } floods[] = {
        {"[", 200000, "larger than 64 KiB"},
        {"[", 65000, "16 deep"},
        {"{", 65000, "must be a text"},
        {"[{", 32000, "must be a text"},
        {"- ", 32000, "16 deep"},
        {"? ", 32000, "must be a text"},
        {"a: {", 16000, "16 deep"},
        {"[]\n", 21000, ""},
        {"- 1\n", 16000, "some 4,000"},
        {"\"", 65001, ""},
        {"&a ", 21000, ""},
        {"!", 65000, ""},
        {"%", 65000, ""},
        {"|", 65000, ""},
        {"'", 65001, ""},
        {" ", 65000, "no driver"},
        {"\n", 65000, "no driver"},
        {"#", 65000, "no driver"},
        {"a", 65000, "must be a map"},
        {"[a,", 21000, "16 deep"},
    };
    for (size_t i = 0; i < COUNT(floods); i++) {
        size_t unit = strlen(floods[i].unit);
        char *text = malloc(unit * floods[i].times + 1);
        for (size_t j = 0; j < floods[i].times; j++)
            memcpy(text + j * unit, floods[i].unit, unit);
        text[unit * floods[i].times] = 0;
        struct config *config = NULL;
        struct dray_error error = DRAY_ERROR_INIT;
        struct dray_options options = {.yaml = text, .flags = DRAY_OPEN_NO_ENVIRONMENT};
        double before = seconds();
        assert_int_equal(config_read(&config, &options, &error), DRAY_CONFIG);
        double took = seconds() - before;
        if (!strstr(error.text, floods[i].piece) || took > limit()) {
            print_error(
                "%s x %zu: %.1f ms: %s\n", floods[i].unit, floods[i].times, took * 1e3, error.text);
            free(text);
            fail();
        }
        free(text);
    }
}

/* Looking for twins among many keys is quadratic; their number bounds it. */
static void test_many_keys(void **state)
{
    (void)state;
    enum { KEYS = 4000 };
    char *text = malloc(KEYS * 16);
    size_t len = 0;
    for (int i = 0; i < KEYS; i++)
        len += (size_t)snprintf(text + len, 16, "k%d:\n", i);
    struct config *config = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    struct dray_options options = {.yaml = text, .flags = DRAY_OPEN_NO_ENVIRONMENT};
    double before = seconds();
    assert_int_equal(config_read(&config, &options, &error), DRAY_CONFIG);
    double took = seconds() - before;
    assert_non_null(strstr(error.text, "it knows queue"));
    free(text);
    assert_true(took < limit());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_handlers),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
