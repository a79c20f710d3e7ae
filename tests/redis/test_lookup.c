/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A resolver that hangs: it is the test's own (--wrap), and a call ends in its time all the same.
 * R7, L3.
 */
#include "host_fail.h"
#include "redis/fleet.h"
#include "redis/lookup.h"
#include "redis/rig.h"
#include "redis/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the resolver ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int hangs;
static unsigned asked, stamped; /* questions for names, and answers that were kept */
static pthread_t main_thread;
static _Atomic int64_t ahead_ms; /* the clock's, against the system's */

int __real_getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list);
int __wrap_getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list);
int64_t __real_store_clock_ms(void);
int64_t __wrap_store_clock_ms(void);

/* Names are all those of loopback, but for "nobody". */
int __wrap_getaddrinfo(
    const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
    if (hints->ai_flags & AI_NUMERICHOST)
        return __real_getaddrinfo(host, service, hints, list);
    pthread_mutex_lock(&lock);
    asked++;
    while (hangs)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return strcmp(host, "nobody") == 0 ? EAI_NONAME
                                       : __real_getaddrinfo("127.0.0.1", service, hints, list);
}

/* The time of an answer is all that a thread of the driver asks for. */
int64_t __wrap_store_clock_ms(void)
{
    pthread_mutex_lock(&lock);
    stamped += !pthread_equal(pthread_self(), main_thread);
    pthread_mutex_unlock(&lock);
    return __real_store_clock_ms() + ahead_ms;
}

static void set_hangs(int value)
{
    pthread_mutex_lock(&lock);
    hangs = value;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static unsigned get(const unsigned *number)
{
    pthread_mutex_lock(&lock);
    unsigned n = *number;
    pthread_mutex_unlock(&lock);
    return n;
}

/* ---- names ---- */

static struct lookups lookups;
static char address[LOOKUP_HOST];

static int look_up(const char *host, int64_t ms)
{
    address[0] = 0;
    return lookup_address(&lookups, host, address, store_clock_ms() + ms);
}

static int start(void **state)
{
    (void)state;
    memset(&lookups, 0, sizeof(lookups));
    main_thread = pthread_self();
    return 0;
}

static int end(void **state)
{
    (void)state;
    lookups_free(&lookups);
    set_hangs(0);
    WAIT_FOR(get(&asked) == get(&stamped));
    return 0;
}

static void test_numbers(void **state)
{
    (void)state;
    unsigned before = get(&asked);
    set_hangs(1);
    assert_int_equal(look_up("10.1.2.3", 0), 0);
    assert_string_equal(address, "10.1.2.3");
    assert_int_equal(look_up("::1", 0), 0);
    assert_string_equal(address, "::1");
    assert_int_equal(get(&asked), before);
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(look_up("somebody", 10000), 0);
    assert_string_equal(address, "127.0.0.1");
    assert_int_equal(look_up("nobody", 10000), EAI_NONAME);
    assert_string_equal(lookup_reason(EAI_NONAME), gai_strerror(EAI_NONAME));
}

/* It is asked once, and whoever comes later has the answer. */
static void test_late(void **state)
{
    unsigned before = get(&asked);
    (void)state;
    set_hangs(1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(look_up("somebody", 10), LOOKUP_LATE);
    WAIT_FOR(get(&asked) == before + 1);
    set_hangs(0);
    assert_int_equal(look_up("somebody", 10000), 0);
    assert_string_equal(address, "127.0.0.1");
    assert_int_equal(get(&asked), before + 1);
}

/* What came long ago may be true no more. */
static void test_stale(void **state)
{
    unsigned before = get(&asked);
    (void)state;
    set_hangs(1);
    assert_int_equal(look_up("somebody", 10), LOOKUP_LATE);
    set_hangs(0);
    assert_int_equal(look_up("another", 10000), 0);
    WAIT_FOR(get(&asked) == get(&stamped));
    ahead_ms = 60000;
    assert_int_equal(look_up("somebody", 10000), 0);
    assert_int_equal(get(&asked), before + 3);
    ahead_ms = 0;
}

/* Hanging questions do not become more and more. */
static void test_many(void **state)
{
    char host[16];
    unsigned before = get(&asked);
    (void)state;
    set_hangs(1);
    for (unsigned i = 0; i < LOOKUPS_MOST * 2; i++) {
        snprintf(host, sizeof(host), "host%u", i);
        assert_int_equal(look_up(host, 0), LOOKUP_LATE);
    }
    WAIT_FOR(get(&asked) == before + LOOKUPS_MOST);
    set_hangs(0);
    WAIT_FOR(look_up("host0", 10000) == 0);
    WAIT_FOR(look_up("more", 10000) == 0);
}

/* ---- sentinels ---- */

DRAY_PRINTF(3, 4)
static void host_log(const struct dray_host *host, uint32_t level, const char *fmt, ...)
{
    (void)host;
    (void)level;
    (void)fmt;
}

static const char *host_text(const struct dray_host *host, const char *option, uint32_t index)
{
    static const char *const sentinels[] = {"one", "26379", "two", "26379"};
    (void)host;
    if (strcmp(option, "connection.master") == 0)
        return "main";
    return strcmp(option, "connection.sentinels") == 0 && index < 4 ? sentinels[index] : NULL;
}

/* While the server answers, names of sentinels that are not found hold calls up but once. */
static void test_sentinels(void **state)
{
    static const struct dray_host host = {.size = sizeof(host),
        .abi = DRAY_ABI,
        .log = host_log,
        .fail = host_fail,
        .text = host_text};
    static struct store store;
    struct node server;
    (void)state;
    node_start(&server, 0, "");
    memset(&store, 0, sizeof(store));
    store.host = &host;
    sentinel_init(&store);
    store.link.context = redisConnect("127.0.0.1", server.port);
    assert_non_null(store.link.context);
    set_hangs(1);
    int64_t begun = fleet_ms();
    for (int i = 0; i < 40; i++) {
        store.link.deadline_ms = store_clock_ms() + 10000;
        store.sentinel.retry_ms = 0;
        assert_false(sentinel_moved(&store));
    }
    assert_true(fleet_ms() - begun < 1000); /* at 50 ms each it was 2,000 */
    sentinel_close(&store);
    lookups_free(&store.lookups);
    redisFree(store.link.context);
    node_remove(&server);
}

/* ---- the driver ---- */

static void expect_late(const struct rig *rig, int32_t code, int64_t begun)
{
    if (code != DRAY_UNREACHABLE || !strstr(rig->error.text, "not looked up in time"))
        fail_msg("%d, %s", code, rig->error.text);
    assert_true(fleet_ms() - begun < 5000);
}

static void test_driver(void **state)
{
    struct node server;
    struct rig rig;
    (void)state;
    node_start(&server, 0, "");
    rig_use(dray_driver_entry());
    set_hangs(1);
    int64_t begun = fleet_ms();
    expect_late(&rig, rig_open(&rig, "somebody", server.port), begun);
    rig_close(&rig);
    set_hangs(0);
    assert_int_equal(rig_open(&rig, "somebody", server.port), DRAY_OK);
    assert_int_equal(rig_push(&rig, "a", 0), DRAY_OK);

    /* What stands needs no names, a bell included. */
    set_hangs(1);
    struct dray_str queue = {"q", 1};
    int32_t fd = -1;
    assert_int_equal(rig.driver->watch(rig.self, rig_call(&rig), &queue, 1, &fd), DRAY_OK);
    assert_true(node_says(&server, "CLIENT LIST TYPE pubsub", " sub=1"));

    /* It went away while the name server does not answer, and is found again when that does. */
    node_kill(&server);
    node_restart(&server);
    begun = fleet_ms();
    int32_t code;
    do {
        code = rig_push(&rig, "b", 0);
        fleet_nap();
    } while (code == DRAY_UNREACHABLE && !strstr(rig.error.text, "not looked up"));
    expect_late(&rig, code, begun);
    set_hangs(0);
    WAIT_FOR(rig_push(&rig, "b", 0) == DRAY_OK);
    rig_close(&rig);
    node_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers, start, end),
        cmocka_unit_test_setup_teardown(test_names, start, end),
        cmocka_unit_test_setup_teardown(test_late, start, end),
        cmocka_unit_test_setup_teardown(test_stale, start, end),
        cmocka_unit_test_setup_teardown(test_many, start, end),
        cmocka_unit_test_setup_teardown(test_sentinels, start, end),
        cmocka_unit_test_setup_teardown(test_driver, start, end),
    };
    if (!redis_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
