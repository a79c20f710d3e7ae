/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that find their server through sentinels: real ones, whose master dies or is replaced
 * under load. L3, and what the sentinels' rules for clients ask for.
 */
#include "redis/load.h"
#include "redis/page.h"
#include "worker/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- failover ---- */

static void name_sentinels(const struct fleet *fleet, char *out, size_t size)
{
    const struct node *nodes = fleet->sentinels;
    snprintf(out, size,
        "sentinels: [127.0.0.1:%d, 127.0.0.1:%d, 127.0.0.1:%d], master: " FLEET_MASTER,
        nodes[0].port, nodes[1].port, nodes[2].port);
}

/* The sentinels see to that too, ten seconds later. */
static void make_replica(const struct fleet *fleet, int which)
{
    const struct node *servers = fleet->servers;
    freeReplyObject(node_ask(&servers[which], "REPLICAOF 127.0.0.1 %d", servers[!which].port));
    WAIT_FOR(fleet_is_ready(fleet, !which));
}

/* Another server takes writes: from now on time counts. */
static void wait_for_master(const struct node *server)
{
    WAIT_FOR(node_says(server, "ROLE", "master"));
}

static void test_failover(void **state)
{
    struct fleet fleet;
    char connection[200];
    (void)state;
    fleet_start(&fleet);
    name_sentinels(&fleet, connection, sizeof(connection));
    load_begin(connection);
    load_run(LOAD_BUSY_MS);
    WAIT_FOR(load_has_run(1));

    node_kill(&fleet.servers[0]);
    wait_for_master(&fleet.servers[1]);
    load_expect_work(&fleet.servers[1]);
    load_run(LOAD_BUSY_MS);
    node_restart(&fleet.servers[0]);
    make_replica(&fleet, 0);

    /* It hangs, as if its machine had vanished: nothing ends the connections. */
    kill(fleet.servers[1].pid, SIGSTOP);
    wait_for_master(&fleet.servers[0]);
    load_expect_work(&fleet.servers[0]);
    load_run(LOAD_BUSY_MS);
    kill(fleet.servers[1].pid, SIGCONT);
    int64_t since = fleet_ms();
    load_run(LOAD_BUSY_MS);
    load_stop(since);
    load_check_refusals();
    load_end();
    print_message(
        "%d of %d accepted were lost with the masters\n", load_lost(since), load_pushed());
    fleet_remove(&fleet);
}

/* Sentinels tell of the new master once they have seen it themselves; from then on time counts. */
static void fail_over(const struct fleet *fleet, int to)
{
    char port[16];
    snprintf(port, sizeof(port), "%d", fleet->servers[to].port);
    WAIT_FOR(node_says(&fleet->sentinels[0], "SENTINEL FAILOVER " FLEET_MASTER, "OK"));
    wait_for_master(&fleet->servers[to]);
    for (int i = 0; i < FLEET_SENTINELS; i++)
        WAIT_FOR(node_says(
            &fleet->sentinels[i], "SENTINEL GET-MASTER-ADDR-BY-NAME " FLEET_MASTER, port));
}

/* The old master lives on, and would go on serving whoever does not hear of the new one. */
static void test_planned_failover(void **state)
{
    struct fleet fleet;
    char connection[200];
    (void)state;
    fleet_start(&fleet);
    name_sentinels(&fleet, connection, sizeof(connection));
    load_begin(connection);
    load_run(LOAD_BUSY_MS);
    fail_over(&fleet, 1);
    load_expect_work(&fleet.servers[1]);
    int64_t since = fleet_ms();
    load_run(LOAD_BUSY_MS);
    load_stop(since);
    load_check_refusals();

    /* A worker that has nothing to do hears of it too. */
    make_replica(&fleet, 0);
    fail_over(&fleet, 0);
    load_expect_bell(&fleet.servers[0]);
    load_end();
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
    int32_t answer = load_open(&dray, connection, &error);
    if (answer != code || !strstr(error.text, piece))
        fail_msg("%s: %s, not \"%s\"", dray_code_name(answer), error.text, piece);
}

static void expect_open(const char *connection)
{
    struct dray_error error;
    struct dray *dray = NULL;
    if (load_open(&dray, connection, &error) != DRAY_OK)
        fail_msg("%s", error.text);
    dray_close(dray);
}

static void test_finding(void **state)
{
    struct node server, replica, sentinel;
    char lines[300], connection[300];
    int mute_port;
    (void)state;
    node_start(&server, 0, "");
    snprintf(lines, sizeof(lines), "replicaof 127.0.0.1 %d\n", server.port);
    node_start(&replica, 0, lines);
    snprintf(lines, sizeof(lines),
        "sentinel monitor " FLEET_MASTER " 127.0.0.1 %d 2\n"
        "sentinel monitor misled 127.0.0.1 %d 2\n",
        server.port, replica.port);
    node_start(&sentinel, 1, lines);
    int mute = mute_socket(&mute_port);

    /* Port 1: nobody is there. */
    snprintf(connection, sizeof(connection),
        "sentinels: [127.0.0.1:1, 127.0.0.1:%d, 127.0.0.1:%d], master: " FLEET_MASTER, mute_port,
        sentinel.port);
    struct watch begun = watch_start();
    expect_open(connection);
    assert_true(watch_ms(&begun) < 4000); /* less than a call's time */

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
    page_line("ACL SETUSER dray-sentinel ", out, size);
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
    node_start(&server, 0, "");
    snprintf(text, sizeof(text), "sentinel monitor " FLEET_MASTER " 127.0.0.1 %d 2\n", server.port);
    node_start(&sentinel, 1, text);
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
    expect_open(text);
    node_remove(&sentinel);
    node_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_login),
        cmocka_unit_test(test_failover),
        cmocka_unit_test(test_planned_failover),
    };
    if (!redis_is_there()) {
        fprintf(stderr, "redis-server is not installed: apt-get install redis-server\n");
        return getenv("CI") ? 1 : 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
