/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an instance that is connected hears of another master: by word of a sentinel, and by asking
 * one. Each is tested without the other, on sentinels that are faulty as told. There is no server;
 * the driver's sentinel.c alone is at work.
 */
#include "host_fail.h"
#include "redis/herald.h"
#include "redis/store.h"
#include "worker/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define HERALDS 2
#define OLD 1001
#define NEW 1002
#define PATIENCE_MS 60000 /* for what should happen at once */

static struct herald heralds[HERALDS];
static struct store store;
static struct dray_error error;
static unsigned warnings;

/* ---- the host ---- */

DRAY_PRINTF(3, 4)
static void host_log(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    (void)host;
    (void)fmt;
    warnings += level == DRAY_LOG_WARN;
}

static const char *host_text(const struct dray_host *host, const char *option, uint32_t index)
{
    static char ports[HERALDS][12];
    (void)host;
    if (strcmp(option, "connection.master") == 0)
        return "main";
    if (strcmp(option, "connection.sentinels") != 0 || index >= 2 * HERALDS)
        return NULL;
    snprintf(ports[index / 2], sizeof(ports[0]), "%d", heralds[index / 2].port);
    return index % 2 ? ports[index / 2] : "127.0.0.1";
}

static const struct dray_host host = {
    .size = sizeof(host), .abi = DRAY_ABI, .log = host_log, .fail = host_fail, .text = host_text};

/* ---- the scene ---- */

static void nap(void)
{
    struct timespec ts = {0, 1000000};
    nanosleep(&ts, NULL);
}

static int32_t find(void)
{
    struct dray_call call = {.size = sizeof(call), .error = &error};
    store.link.deadline_ms = store_clock_ms() + PATIENCE_MS;
    return sentinel_find(&store, &call);
}

static void arrange(void)
{
    for (int i = 0; i < HERALDS; i++)
        herald_start(&heralds[i], OLD);
    memset(&store, 0, sizeof(store));
    store.host = &host;
    store.link.place.port = 1;
    error = (struct dray_error)DRAY_ERROR_INIT;
    warnings = 0;
    sentinel_init(&store);
}

static int end(void **state)
{
    (void)state;
    sentinel_close(&store);
    for (int i = 0; i < HERALDS; i++)
        herald_stop(&heralds[i]);
    return 0;
}

/* An instance whose server is the one at port OLD, as both sentinels say; it listens to the first
   of them, unless that one was not given the processor for half a second. */
static int begin(void **state)
{
    for (int tries = 0; tries < 20; tries++) {
        if (tries)
            end(state);
        arrange();
        if (find() == DRAY_OK && store.sentinel.at == 0)
            break;
    }
    assert_int_equal(store.link.place.port, OLD);
    assert_int_equal(store.sentinel.at, 0);
    assert_int_equal(herald_get(&heralds[0], &heralds[0].subscribed), 1);
    return 0;
}

static void set_all(size_t member, int value)
{
    for (int i = 0; i < HERALDS; i++)
        herald_set(&heralds[i], (int *)(void *)((char *)&heralds[i] + member), value);
}

/* As an instance asks before each call; the longest that it took into `slowest`. */
static int look(int64_t *slowest)
{
    struct watch begun = watch_start();
    int moved = sentinel_moved(&store);
    int64_t took = watch_ms(&begun);
    if (slowest && took > *slowest)
        *slowest = took;
    return moved;
}

/* The same under load. */
static int moves_within(int64_t ms, int64_t *slowest)
{
    for (int64_t until = store_clock_ms() + ms;;) {
        int64_t before = store_clock_ms();
        int moved = look(slowest);
        if (moved || before >= until)
            return moved;
        nap();
    }
}

/* Nobody answers, and that is said once, however long it lasts. */
static void expect_silence(int64_t *slowest)
{
    int64_t until = store_clock_ms() + PATIENCE_MS;
    while (!warnings) {
        assert_true(store_clock_ms() < until);
        assert_false(moves_within(0, slowest));
        nap();
    }
    assert_false(moves_within(1500, slowest));
    assert_int_equal(warnings, 1);
}

static void expect_new(void)
{
    assert_int_equal(find(), DRAY_OK);
    assert_int_equal(store.link.place.port, NEW);
}

/* ---- one without the other ---- */

/* Nothing is asked any more, and nobody would answer. */
static void test_word_alone(void **state)
{
    (void)state;
    unsigned asked = herald_get(&heralds[0], &heralds[0].asked);
    store.sentinel.check_ms = INT64_MAX;
    set_all(offsetof(struct herald, mute), 1);
    assert_false(moves_within(20, NULL));
    herald_set(&heralds[0], &heralds[0].publish, NEW);
    assert_true(moves_within(PATIENCE_MS, NULL));
    expect_new();
    assert_int_equal(herald_get(&heralds[0], &heralds[0].asked), asked);
}

/* No word is ever said. */
static void test_asking_alone(void **state)
{
    (void)state;
    set_all(offsetof(struct herald, tells), NEW);
    assert_true(moves_within(PATIENCE_MS, NULL));
    expect_new();
}

/* The case of a worker that stayed on a master that was replaced: sentinels say the word, and are
   then too busy with their disks to answer for some seconds. */
static void test_word_of_busy_sentinels(void **state)
{
    (void)state;
    set_all(offsetof(struct herald, mute), 1);
    set_all(offsetof(struct herald, publish), NEW);
    struct watch begun = watch_start();
    assert_true(moves_within(PATIENCE_MS, NULL));
    assert_true(watch_ms(&begun) < 1000);
    expect_new();
}

/* Neither word nor answer for a while: both work again when the sentinels do. */
static void test_busy_sentinels_come_back(void **state)
{
    (void)state;
    set_all(offsetof(struct herald, mute), 1);
    store.sentinel.check_ms = 0;
    expect_silence(NULL);
    set_all(offsetof(struct herald, tells), NEW);
    set_all(offsetof(struct herald, mute), 0);
    struct watch begun = watch_start();
    assert_true(moves_within(PATIENCE_MS, NULL));
    assert_true(watch_ms(&begun) < 2000);
    expect_new();
}

/* An answer that was given before the switch, and comes after the word of it. */
static void test_old_answer(void **state)
{
    (void)state;
    set_all(offsetof(struct herald, mute), 1);
    store.sentinel.check_ms = 0;
    assert_false(sentinel_moved(&store)); /* asks */
    herald_set(&heralds[0], &heralds[0].publish, NEW);
    assert_true(moves_within(PATIENCE_MS, NULL));
    expect_new();
    set_all(offsetof(struct herald, tells), NEW);
    herald_set(&heralds[0], &heralds[0].late, OLD);
    assert_false(moves_within(100, NULL));
}

/* Word of a master of another name. */
static void test_word_of_another(void **state)
{
    (void)state;
    store.sentinel.check_ms = INT64_MAX;
    herald_set(&heralds[0], &heralds[0].named, 'n');
    herald_set(&heralds[0], &heralds[0].publish, NEW);
    assert_false(moves_within(100, NULL));
}

/* ---- descriptors ---- */

static int rings(int epoll, int ms)
{
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, ms);
}

/* A child of fork holds copies of the connections. What is said on one that was given up wakes
   nobody any more. */
static void test_connections_given_up(void **state)
{
    struct bell *bell = &store.bell;
    (void)state;
    bell->epoll = epoll_create1(EPOLL_CLOEXEC);
    bell->watching = 1;
    assert_true(bell->epoll >= 0);
    store.sentinel.check_ms = INT64_MAX;
    sentinel_ring(&store);
    int ear = dup(store.sentinel.ear.context->fd), asking = dup(store.sentinel.asking.context->fd);
    assert_true(ear >= 0 && asking >= 0);
    assert_int_equal(rings(bell->epoll, 0), 0);
    herald_set(&heralds[0], &heralds[0].publish, NEW);
    assert_int_equal(rings(bell->epoll, 10000), 1);
    sentinel_close(&store);
    struct pollfd heard = {.fd = ear, .events = POLLIN};
    assert_int_equal(poll(&heard, 1, 0), 1);
    assert_int_equal(rings(bell->epoll, 0), 0);
    close(ear);
    close(asking);
    close(bell->epoll);
    bell->watching = 0;
}

/* ---- what it costs ---- */

/* Two connections, however often is asked. */
static void test_connections_are_kept(void **state)
{
    (void)state;
    unsigned asked = herald_get(&heralds[0], &heralds[0].asked);
    for (int i = 0; i < 20; i++) {
        store.sentinel.check_ms = 0;
        assert_false(sentinel_moved(&store));
        assert_int_equal(find(), DRAY_OK);
    }
    assert_true(herald_get(&heralds[0], &heralds[0].asked) >= asked + 20);
    assert_int_equal(herald_get(&heralds[0], &heralds[0].connections), 2);
    assert_int_equal(herald_get(&heralds[1], &heralds[1].connections), 0);
}

/* One that hangs delays nobody, and the other one is heard soon. */
static void test_sentinel_that_hangs(void **state)
{
    int64_t slowest = 0;
    (void)state;
    herald_set(&heralds[0], &heralds[0].hangs, 1);
    herald_set(&heralds[1], &heralds[1].tells, NEW);
    assert_true(moves_within(PATIENCE_MS, &slowest));
    expect_new();
    print_message("the slowest look took %d ms\n", (int)slowest);
    assert_true(slowest < 250); /* asking in turn, each for half a second, it was 500 */
}

static void test_sentinels_that_hang(void **state)
{
    int64_t slowest = 0;
    (void)state;
    set_all(offsetof(struct herald, hangs), 1);
    store.sentinel.check_ms = 0;
    expect_silence(&slowest);
    print_message("the slowest look took %d ms\n", (int)slowest);
    assert_true(slowest < 250); /* 1,000 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_word_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_asking_alone, begin, end),
        cmocka_unit_test_setup_teardown(test_word_of_busy_sentinels, begin, end),
        cmocka_unit_test_setup_teardown(test_busy_sentinels_come_back, begin, end),
        cmocka_unit_test_setup_teardown(test_old_answer, begin, end),
        cmocka_unit_test_setup_teardown(test_word_of_another, begin, end),
        cmocka_unit_test_setup_teardown(test_connections_given_up, begin, end),
        cmocka_unit_test_setup_teardown(test_connections_are_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_sentinel_that_hangs, begin, end),
        cmocka_unit_test_setup_teardown(test_sentinels_that_hang, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
