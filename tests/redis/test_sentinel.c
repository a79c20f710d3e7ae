/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that find their server through sentinels: real ones, whose master dies or is replaced
 * under load. L3, and what the sentinels' rules for clients ask for.
 */
#include "dray/dray.h"
#include "redis/fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define JOBS 100000
#define BACK_MS 2000 /* L3 */
#define BUSY_MS 300  /* of load before something happens */

/* ---- an application under load ---- */

struct load {
    struct dray *worker, *producer;
    pthread_t thread;
    atomic_int stop;
    atomic_int pushed;              /* numbers below were pushed, or refused */
    _Atomic int64_t accepted[JOBS]; /* when the push was answered OK; 0: it was not */
    atomic_int runs[JOBS];
};

static struct load load;

static int do_work(struct dray_attempt *attempt, void *user)
{
    (void)user;
    long number = strtol(dray_attempt_payload(attempt, NULL), NULL, 10);
    atomic_fetch_add(&load.runs[number], 1);
    return DRAY_OK;
}

static int32_t open_with(struct dray **dray, const char *connection, struct dray_error *error)
{
    char yaml[700];
    snprintf(yaml, sizeof(yaml),
        "queue: {driver: redis, job: {backoff: {strategy: none}, max_attempts: 100}}\n"
        "connections: {default: {%s}}\n",
        connection);
    struct dray_options options = {.yaml = yaml, .folder = "/", .flags = DRAY_OPEN_NO_ENVIRONMENT};
    *error = (struct dray_error)DRAY_ERROR_INIT;
    return dray_open(dray, &options, error);
}

static struct dray *must_open(const char *connection)
{
    struct dray_error error;
    struct dray *dray = NULL;
    if (open_with(&dray, connection, &error) != DRAY_OK)
        fail_msg("%s", error.text);
    dray_on(dray, "work", do_work, NULL, NULL, NULL);
    return dray;
}

static void *push_on(void *user)
{
    (void)user;
    for (int i = 0; i < JOBS && !load.stop; i++) {
        char payload[16];
        snprintf(payload, sizeof(payload), "%d", i);
        if (dray_dispatch(load.producer, "work", payload, NULL, NULL, NULL) == DRAY_OK)
            load.accepted[i] = fleet_ms();
        load.pushed = i + 1;
        fleet_nap();
    }
    return NULL;
}

static void load_begin(const char *connection)
{
    memset(&load, 0, sizeof(load));
    load.worker = must_open(connection);
    load.producer = must_open(connection);
    struct dray_worker_options options = {.concurrency = 2};
    assert_int_equal(dray_worker_start(load.worker, &options, NULL), DRAY_OK);
    assert_int_equal(pthread_create(&load.thread, NULL, push_on, NULL), 0);
}

static void run_for(int64_t ms)
{
    for (int64_t end = fleet_ms() + ms; fleet_ms() < end;)
        fleet_nap();
}

static int has_run_since(int64_t when)
{
    for (int i = load.pushed; i-- > 0;) {
        if (load.accepted[i] >= when && load.runs[i])
            return 1;
    }
    return 0;
}

static int all_ran_since(int64_t when)
{
    for (int i = 0; i < load.pushed; i++) {
        if (load.accepted[i] >= when && !load.runs[i])
            return 0;
    }
    return 1;
}

/* No more of it; all that was accepted since `since` gets done. */
static void load_stop(int64_t since)
{
    load.stop = 1;
    pthread_join(load.thread, NULL);
    assert_true(has_run_since(since));
    WAIT_FOR(all_ran_since(since));
}

static void load_end(void)
{
    dray_worker_stop(load.worker, NULL, NULL);
    dray_close(load.worker);
    dray_close(load.producer);
}

/* ---- failover ---- */

static void name_sentinels(const struct fleet *fleet, char *out, size_t size)
{
    const struct node *nodes = fleet->sentinels;
    snprintf(out, size,
        "sentinels: [127.0.0.1:%d, 127.0.0.1:%d, 127.0.0.1:%d], master: " FLEET_MASTER,
        nodes[0].port, nodes[1].port, nodes[2].port);
}

static long long completed(const struct node *node)
{
    redisReply *reply = node_ask(node, "HGET {dray:default}:totals completed:work");
    long long number = reply->str ? strtoll(reply->str, NULL, 10) : 0;
    freeReplyObject(reply);
    return number;
}

static void expect_in_time(const char *what, int64_t since, int64_t lag)
{
    int64_t took = fleet_ms() - since;
    lag = fleet_lag_ms - lag;
    print_message("%s after %d ms (the machine lagged %d ms)\n", what, (int)took, (int)lag);
    assert_true(took < BACK_MS + lag);
}

/* From the moment in which the other server takes writes: new jobs ring there within two seconds.
 */
static void expect_bell(const struct node *master)
{
    WAIT_FOR(node_says(master, "ROLE", "master"));
    int64_t writable = fleet_ms(), lag = fleet_lag_ms;
    WAIT_FOR(node_says(master, "CLIENT LIST TYPE pubsub", " sub=1"));
    expect_in_time("bell", writable, lag);
}

/* The same, and jobs are done there. Returns when that was so. */
static int64_t expect_work(const struct node *master)
{
    WAIT_FOR(node_says(master, "ROLE", "master"));
    int64_t writable = fleet_ms(), lag = fleet_lag_ms;
    long long before = completed(master);
    WAIT_FOR(completed(master) > before);
    expect_in_time("at work", writable, lag);
    WAIT_FOR(node_says(master, "CLIENT LIST TYPE pubsub", " sub=1"));
    expect_in_time("bell", writable, lag);
    return fleet_ms();
}

static int lost_before(int64_t when)
{
    int lost = 0;
    for (int i = 0; i < load.pushed; i++)
        lost += load.accepted[i] && load.accepted[i] < when && !load.runs[i];
    return lost;
}

/* The sentinels see to that too, ten seconds later. */
static void make_replica(const struct fleet *fleet, int which)
{
    const struct node *servers = fleet->servers;
    freeReplyObject(node_ask(&servers[which], "REPLICAOF 127.0.0.1 %d", servers[!which].port));
    WAIT_FOR(fleet_is_ready(fleet, !which));
}

static void test_failover(void **state)
{
    struct fleet fleet;
    char connection[200];
    (void)state;
    fleet_start(&fleet);
    name_sentinels(&fleet, connection, sizeof(connection));
    load_begin(connection);
    run_for(BUSY_MS);
    assert_true(has_run_since(1));

    node_kill(&fleet.servers[0]);
    int64_t since = expect_work(&fleet.servers[1]);
    run_for(BUSY_MS);
    node_restart(&fleet.servers[0]);
    make_replica(&fleet, 0);

    /* The old master lives on, and would go on serving whoever does not hear of the new one. */
    WAIT_FOR(node_says(&fleet.sentinels[0], "SENTINEL FAILOVER " FLEET_MASTER, "OK"));
    since = expect_work(&fleet.servers[0]);
    run_for(BUSY_MS);
    load_stop(since);

    /* A worker that has nothing to do hears of it too. */
    make_replica(&fleet, 1);
    WAIT_FOR(node_says(&fleet.sentinels[0], "SENTINEL FAILOVER " FLEET_MASTER, "OK"));
    expect_bell(&fleet.servers[1]);
    load_end();
    print_message(
        "%d of %d accepted before were lost with the masters\n", lost_before(since), load.pushed);
    fleet_remove(&fleet);
}

/* ---- finding ---- */

/* A port that takes connections and never answers. */
static int mute_socket(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void expect_refused(const char *connection, int32_t code, const char *piece)
{
    struct dray_error error;
    struct dray *dray = NULL;
    int32_t answer = open_with(&dray, connection, &error);
    if (answer != code || !strstr(error.text, piece))
        fail_msg("%s: %s, not \"%s\"", dray_code_name(answer), error.text, piece);
}

static void test_finding(void **state)
{
    struct node server, replica, sentinel;
    char lines[300], connection[300];
    int mute_port;
    (void)state;
    node_start(&server, 0, 0, "");
    snprintf(lines, sizeof(lines), "replicaof 127.0.0.1 %d\n", server.port);
    node_start(&replica, 0, 0, lines);
    snprintf(lines, sizeof(lines),
        "sentinel monitor " FLEET_MASTER " 127.0.0.1 %d 2\n"
        "sentinel monitor misled 127.0.0.1 %d 2\n",
        server.port, replica.port);
    node_start(&sentinel, 1, 0, lines);
    int mute = mute_socket(&mute_port);

    /* Port 1: nobody is there. */
    snprintf(connection, sizeof(connection),
        "sentinels: [127.0.0.1:1, 127.0.0.1:%d, 127.0.0.1:%d], master: " FLEET_MASTER, mute_port,
        sentinel.port);
    int64_t begun = fleet_ms();
    dray_close(must_open(connection));
    assert_true(fleet_ms() - begun < 4000); /* less than a call's time */

    snprintf(connection, sizeof(connection), "sentinels: [127.0.0.1:1], master: " FLEET_MASTER);
    expect_refused(connection, DRAY_UNREACHABLE, "Connection refused");
    snprintf(connection, sizeof(connection),
        "sentinels: [127.0.0.1:%d, 127.0.0.1:1], master: nobody", sentinel.port);
    expect_refused(connection, DRAY_CONFIG, "knows no master \"nobody\"; check `master`");
    snprintf(connection, sizeof(connection), "sentinels: [127.0.0.1:%d], master: " FLEET_MASTER,
        server.port);
    expect_refused(connection, DRAY_CONFIG, "is that a sentinel?");
    snprintf(
        connection, sizeof(connection), "sentinels: [127.0.0.1:%d], master: misled", sentinel.port);
    expect_refused(connection, DRAY_UNREACHABLE, "is a replica; the sentinels are asked again");
    /* A sentinel in the place of a server. */
    snprintf(connection, sizeof(connection), "url: 'redis://127.0.0.1:%d'", sentinel.port);
    expect_refused(connection, DRAY_UNSUPPORTED, "is a sentinel");

    close(mute);
    node_remove(&sentinel);
    node_remove(&replica);
    node_remove(&server);
}

/* ---- logging in ---- */

/* The line of the page on deployment that makes this user, as a command. */
static void read_rule(char *out, int size)
{
    char path[400];
    const char *start = "ACL SETUSER dray-sentinel ";
    const char *source = getenv("DRAY_SOURCE");
    snprintf(path, sizeof(path), "%s/docs/deployment.md", source ? source : ".");
    FILE *page = fopen(path, "r");
    assert_non_null(page);
    do {
        assert_non_null(fgets(out, size, page));
    } while (strncmp(out, start, strlen(start)) != 0);
    fclose(page);
    size_t len = 0;
    for (const char *p = out; *p && *p != '\n'; p++) {
        if (*p != '\'')
            out[len++] = *p;
    }
    out[len] = 0;
}

static void test_login(void **state)
{
    struct node server, sentinel;
    char text[400];
    (void)state;
    node_start(&server, 0, 0, "");
    snprintf(text, sizeof(text), "sentinel monitor " FLEET_MASTER " 127.0.0.1 %d 2\n", server.port);
    node_start(&sentinel, 1, 0, text);
    read_rule(text, sizeof(text));
    assert_true(node_says(&sentinel, text, "OK"));
    assert_true(node_says(&sentinel, "ACL SETUSER default resetpass >other", "OK"));

    char place[100];
    snprintf(
        place, sizeof(place), "sentinels: [127.0.0.1:%d], master: " FLEET_MASTER, sentinel.port);
    expect_refused(place, DRAY_DENIED, "check sentinel_username and sentinel_password");
    snprintf(text, sizeof(text), "%s, sentinel_password: secret", place);
    expect_refused(text, DRAY_DENIED, "check sentinel_username and sentinel_password");
    snprintf(text, sizeof(text), "%s, sentinel_username: dray-sentinel, sentinel_password: secret",
        place);
    dray_close(must_open(text));
    node_remove(&sentinel);
    node_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_failover),
    };
    if (!redis_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
