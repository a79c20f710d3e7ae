/* SPDX-License-Identifier: Apache-2.0 */
#include "dray/error.h"
#include "handler/command.h"
#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_MS 60000 /* for what should happen at once; generous, for slow machines */

static char folder[SCRATCH_SIZE];

static const struct config config = {.path = "queue.yaml", .folder = folder};

static struct command *make(uint64_t max_memory, const char *const *vector)
{
    struct config_handler handler = {
        .type = "test", .command = vector, .line = 7, .max_memory = max_memory};
    struct command *command = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    if (command_new(&command, &config, &handler, &error) != DRAY_OK)
        fail_msg("%s", error.text);
    return command;
}

static struct command_job job(const char *payload)
{
    return (struct command_job){.id = "id-1",
        .type = "test",
        .queue = "mail",
        .attempt = 2,
        .max_attempts = 5,
        .payload = payload,
        .payload_len = strlen(payload),
        .timeout_ms = 60000,
        .grace_ms = 60000,
        .max_result = 1024,
        .cancel_fd = -1};
}

/* Runs the child with up to four words. */
static struct command_outcome run(const char *a, const char *b, const char *c, const char *d)
{
    const char *const vector[] = {COMMAND_CHILD, a, b, c, d, NULL};
    struct command *command = make(0, vector);
    struct command_job one = job("{}");
    struct command_outcome outcome;
    command_run(command, &one, &outcome);
    command_free(command);
    return outcome;
}

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    int n = 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Between two looks at something that another process will do. */
static void poll_pause(void)
{
    poll(NULL, 0, 5);
}

static void test_results(void **state)
{
    (void)state;
    static const struct {
        const char *out, *result;
    } rows[] = {{"{\"a\":1}", "{\"a\":1}"}, {" \n[1, 2]\r\n", "[1, 2]"}, {"null\n", "null"},
        {"", NULL}, {"\n", NULL}, {"done", NULL}, {"{} {}", NULL}, {"{\"a\":", NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct command_outcome outcome = run("say", rows[i].out, "a word", "0");
        assert_int_equal(outcome.verdict, COMMAND_DONE);
        assert_string_equal(outcome.error, "");
        if (rows[i].result) {
            assert_non_null(outcome.result);
            assert_string_equal(outcome.result, rows[i].result);
            assert_int_equal(outcome.result_len, strlen(rows[i].result));
        } else {
            assert_null(outcome.result);
        }
        free(outcome.result);
    }
}

static void test_exit_statuses(void **state)
{
    (void)state;
    static const struct {
        const char *status, *err, *error;
        int verdict;
    } rows[] = {
        {"75", "try later\n", "try later", COMMAND_AGAIN},
        {"65", "no such user\n", "no such user", COMMAND_GIVE_UP},
        {"1", "first\nlast  \n\n", "first\nlast", COMMAND_FAILED},
        {"3", "", "exit status 3, and nothing on standard error", COMMAND_FAILED},
        {"126", "\n", "exit status 126, and nothing on standard error", COMMAND_FAILED},
        {"255", "a\x01\xff z", "a ? z", COMMAND_FAILED},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct command_outcome outcome = run("say", "{}", rows[i].err, rows[i].status);
        assert_int_equal(outcome.verdict, rows[i].verdict);
        assert_string_equal(outcome.error, rows[i].error);
        assert_null(outcome.result);
        assert_false(outcome.timed_out);
        assert_false(outcome.cancelled);
    }
}

static void test_signals(void **state)
{
    (void)state;
    struct command_outcome outcome = run("signal", "11", NULL, NULL);
    assert_int_equal(outcome.verdict, COMMAND_FAILED);
    assert_string_equal(outcome.error, "killed by SIGSEGV (signal 11)");
    outcome = run("signal", "9", NULL, NULL);
    assert_string_equal(outcome.error, "killed by SIGKILL (signal 9)");
}

static void test_payload(void **state)
{
    (void)state;
    size_t len = 1024 * 1024;
    char *payload = malloc(len + 1);
    assert_non_null(payload);
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++) {
        payload[i] = (char)('a' + i % 23);
        sum = sum * 31 + (unsigned char)payload[i];
    }
    payload[len] = 0;
    static const char *const vector[] = {COMMAND_CHILD, "length", NULL};
    struct command *command = make(0, vector);
    struct command_job one = job(payload);
    struct command_outcome outcome;
    command_run(command, &one, &outcome);
    char expected[64];
    snprintf(expected, sizeof(expected), "{\"bytes\":%zu,\"sum\":%u}", len, sum);
    assert_non_null(outcome.result);
    assert_string_equal(outcome.result, expected);
    free(outcome.result);
    command_free(command);
    free(payload);

    outcome = run("scribble", NULL, NULL, NULL);
    assert_int_equal(outcome.verdict, COMMAND_DONE);
}

static void test_output_is_bounded(void **state)
{
    (void)state;
    struct command_outcome outcome = run("flood", "out", NULL, NULL);
    assert_int_equal(outcome.verdict, COMMAND_FAILED);
    assert_null(outcome.result);
    assert_string_equal(outcome.error, "exit status 3, and nothing on standard error");

    outcome = run("flood", "err", NULL, NULL);
    assert_int_equal(strlen(outcome.error), 4095); /* 4 KiB but for the line end */
    assert_string_equal(outcome.error + 4095 - 8, "xthe end");

    char text[1100];
    text[0] = '"';
    memset(text + 1, 'y', 1022);
    memcpy(text + 1023, "\"", 2);
    outcome = run("say", text, NULL, NULL);
    assert_int_equal(outcome.result_len, 1024);
    free(outcome.result);
    memcpy(text + 1023, "y\"", 3);
    outcome = run("say", text, NULL, NULL);
    assert_int_equal(outcome.verdict, COMMAND_DONE);
    assert_null(outcome.result);
}

/* Nothing of ours gets through: no descriptor, no signal disposition, no variable. */
static void test_surroundings(void **state)
{
    (void)state;
    int leaks[3] = {open("/dev/null", O_RDONLY), open("/dev/null", O_WRONLY), eventfd(0, 0)};
    struct sigaction old;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t block, before;
    sigemptyset(&block);
    sigaddset(&block, SIGTERM);
    sigaddset(&block, SIGUSR1);
    assert_int_equal(sigaction(SIGPIPE, &ignore, &old), 0);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &block, &before), 0);
    const char *const vector[] = {COMMAND_CHILD, "describe", NULL};
    struct command *command = make(0, vector);
    struct command_job one = job("{}");
    struct command_outcome outcome;
    command_run(command, &one, &outcome);
    command_free(command);
    assert_int_equal(sigaction(SIGPIPE, &old, NULL), 0);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
    char expected[512];
    snprintf(expected, sizeof(expected),
        "{\"fds\":\"0 1 2 \",\"signals\":0,\"masked\":0,\"privileges\":1,\"death\":9,\"umask\":63,"
        "\"leader\":1,\"core\":0,\"files\":1,\"folder\":\"%s\"}",
        folder);
    assert_non_null(outcome.result);
    assert_string_equal(outcome.result, expected);
    free(outcome.result);
    for (size_t i = 0; i < 3; i++)
        close(leaks[i]);
}

static void test_environment(void **state)
{
    (void)state;
    setenv("DRAY_TEST_SECRET", "hush", 1);
    setenv("LD_PRELOAD_NOT", "x", 1);
    setenv("LANG", "C.UTF-8", 1);
    struct command_outcome outcome = run("environment", NULL, NULL, NULL);
    assert_null(strstr(outcome.error, "hush"));
    assert_null(strstr(outcome.error, "LD_PRELOAD"));
    assert_null(strstr(outcome.error, "DRAY_DRIVER_PATH"));
    assert_non_null(strstr(outcome.error, "LANG=C.UTF-8\n"));
    assert_non_null(strstr(outcome.error,
        "DRAY_JOB_ID=id-1\nDRAY_JOB_TYPE=test\nDRAY_JOB_QUEUE=mail\nDRAY_JOB_ATTEMPT=2\n"
        "DRAY_JOB_MAX_ATTEMPTS=5"));
}

/* The numbers that a stubborn child wrote down; 0 if it has not yet. */
static int read_pids(const char *file, int pids[2])
{
    FILE *in = fopen(file, "r");
    if (!in)
        return 0;
    int n = fscanf(in, "%d %d", &pids[0], &pids[1]);
    fclose(in);
    return n == 2;
}

/* Gone, or a zombie: whoever inherited it may take a moment to reap it. */
static void assert_dies(int pid)
{
    char path[64];
    char line[256] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; poll_pause()) {
        FILE *in = fopen(path, "r");
        if (!in)
            return;
        size_t n = fread(line, 1, sizeof(line) - 1, in);
        line[n] = 0;
        fclose(in);
        if (n == 0 || strstr(line, ") Z ") || strstr(line, ") X "))
            return;
    }
    fail_msg("it lives: %s", line);
}

static void test_timeout(void **state)
{
    (void)state;
    char file[SCRATCH_SIZE + 16];
    snprintf(file, sizeof(file), "%s/grandchild", folder);
    const char *const vector[] = {COMMAND_CHILD, "stubborn", file, NULL};
    struct command *command = make(0, vector);
    struct command_job one = job("{}");
    one.timeout_ms = 4500; /* enough for two programs to start on a busy machine */
    one.grace_ms = 100;
    struct command_outcome outcome;
    int64_t start = now_ms();
    command_run(command, &one, &outcome);
    int64_t took = now_ms() - start;
    command_free(command);
    assert_int_equal(outcome.verdict, COMMAND_FAILED);
    assert_true(outcome.timed_out);
    assert_string_equal(outcome.error, "timed out after 4.5s: still here");
    assert_true(took >= 4600 && took < 30000);

    int pids[2] = {0};
    assert_true(read_pids(file, pids));
    assert_dies(pids[0]);
    assert_dies(pids[1]);
    unlink(file);
}

/* Told to stop by its timeout, a program that leaves with 0 has not succeeded. */
static void test_gentle_timeout(void **state)
{
    (void)state;
    const char *const vector[] = {COMMAND_CHILD, "gentle", NULL};
    struct command *command = make(0, vector);
    struct command_job one = job("{}");
    one.timeout_ms = 3000; /* enough for it to get ready */
    struct command_outcome outcome;
    int64_t start = now_ms();
    command_run(command, &one, &outcome);
    command_free(command);
    assert_true(now_ms() - start < 30000); /* the grace time was not waited for */
    assert_int_equal(outcome.verdict, COMMAND_FAILED);
    assert_string_equal(outcome.error, "timed out after 3s: ready");
}

struct cancel {
    int fd;
    int asked;
    int say_yes_at;
};

static int is_cancelled(const void *arg)
{
    struct cancel *cancel = *(struct cancel *const *)arg;
    return ++cancel->asked >= cancel->say_yes_at;
}

static void test_cancel(void **state)
{
    (void)state;
    struct cancel cancel = {.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK), .say_yes_at = 3};
    struct cancel *pointer = &cancel;
    const char *const vector[] = {COMMAND_CHILD, "signal", "19", NULL}; /* stops itself */
    struct command *command = make(0, vector);
    struct command_job one = job("{}");
    one.cancelled = is_cancelled;
    one.arg = &pointer;
    one.cancel_fd = cancel.fd;
    one.grace_ms = 200;
    struct command_outcome outcome;
    command_run(command, &one, &outcome);
    command_free(command);
    close(cancel.fd);
    assert_true(outcome.cancelled);
    assert_false(outcome.timed_out);
    assert_int_equal(outcome.verdict, COMMAND_FAILED);
    assert_string_equal(outcome.error, "cancelled, killed by SIGKILL (signal 9)");
    assert_int_equal(cancel.asked, 3); /* a descriptor that stays readable is no busy loop */
}

static void test_orphan(void **state)
{
    (void)state;
    int64_t start = now_ms();
    struct command_outcome outcome = run("orphan", NULL, NULL, NULL);
    assert_true(now_ms() - start < 30000);
    assert_int_equal(outcome.verdict, COMMAND_DONE);
    assert_non_null(outcome.result);
    assert_dies((int)strtol(outcome.result, NULL, 10));
    free(outcome.result);
}

/* A worker that is killed takes along its command and all that this has started. */
static void test_parent_dies(void **state)
{
    (void)state;
    char file[SCRATCH_SIZE + 16];
    snprintf(file, sizeof(file), "%s/parent", folder);
    const char *const vector[] = {COMMAND_CHILD, "stubborn", file, NULL};
    struct command *command = NULL;
    pid_t worker = fork();
    assert_true(worker >= 0);
    if (worker == 0) {
        struct command_outcome outcome;
        struct command_job one = job("{}");
        command = make(0, vector);
        command_run(command, &one, &outcome);
        _exit(1);
    }
    int pids[2] = {0, 0};
    for (int64_t until = now_ms() + PATIENCE_MS; !read_pids(file, pids) && now_ms() < until;)
        poll_pause();
    unlink(file);
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    assert_true(pids[0] > 0);
    assert_dies(pids[0]);
    assert_dies(pids[1]);
}

static void test_memory(void **state)
{
    (void)state;
    const char *const vector[] = {COMMAND_CHILD, "memory", NULL};
    struct command *command = make(256u * 1024 * 1024, vector);
    struct command_job one = job("{}");
    struct command_outcome outcome;
    command_run(command, &one, &outcome);
    command_free(command);
    assert_int_equal(outcome.verdict, COMMAND_FAILED);
    assert_string_equal(outcome.error, "no memory: Cannot allocate memory");
    outcome = run("memory", NULL, NULL, NULL);
    assert_int_equal(outcome.verdict, COMMAND_DONE);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void assert_unresolved(const char *program, int code, const char *text)
{
    const char *const vector[] = {program, NULL};
    struct config_handler handler = {.type = "test", .command = vector, .line = 7};
    struct command *command = NULL;
    struct dray_error error = DRAY_ERROR_INIT;
    assert_int_equal(command_new(&command, &config, &handler, &error), code);
    assert_null(command);
    assert_string_equal(error.text, text);
    assert_int_equal(error.line, 7);
}

static void test_resolving(void **state)
{
    (void)state;
    char path[SCRATCH_SIZE + 16];
    assert_unresolved("no-such-program", DRAY_NOTFOUND,
        "queue.yaml:7: handler test: the program 'no-such-program' is not there; install it or "
        "name it by its path");
    assert_unresolved(
        "./none", DRAY_NOTFOUND, "queue.yaml:7: handler test: the program './none' is not there");
    snprintf(path, sizeof(path), "%s/dray-task", folder);
    write_file(path, "#!/bin/sh\ncat >/dev/null\necho '[1]'\n", 0644);
    assert_unresolved("./dray-task", DRAY_DENIED,
        "queue.yaml:7: handler test: the program './dray-task' is not executable; chmod +x it");
    assert_unresolved("dray-task", DRAY_NOTFOUND,
        "queue.yaml:7: handler test: the program 'dray-task' is not there; install it or name it "
        "by "
        "its path");

    assert_int_equal(chmod(path, 0755), 0);
    const char *const vector[] = {"./dray-task", NULL};
    struct command *command = make(0, vector);
    struct command_job one = job("{}");
    struct command_outcome outcome;
    command_run(command, &one, &outcome);
    assert_non_null(outcome.result);
    assert_string_equal(outcome.result, "[1]");
    free(outcome.result);

    /* What cannot be run any more is one line that says so. */
    write_file(path, "#!/no/such/interpreter\n", 0755);
    command_run(command, &one, &outcome);
    assert_int_equal(outcome.verdict, COMMAND_FAILED);
    assert_non_null(
        strstr(outcome.error, "/dray-task: No such file or directory; is the interpreter"));
    assert_int_equal(unlink(path), 0);
    command_run(command, &one, &outcome);
    assert_non_null(strstr(outcome.error, "dray-runner: cannot run "));
    command_free(command);

    const char *const by_path[] = {"sh", "-c", "exit 65", NULL};
    command = make(0, by_path);
    command_run(command, &one, &outcome);
    assert_int_equal(outcome.verdict, COMMAND_GIVE_UP);
    command_free(command);
}

#define RUNS 25

static void *run_many(void *arg)
{
    (void)arg;
    static int wrong;
    const char *const vector[] = {COMMAND_CHILD, "length", NULL};
    struct command *command = make(0, vector);
    for (int i = 0; i < RUNS; i++) {
        struct command_job one = job("[1,2,3]");
        struct command_outcome outcome;
        command_run(command, &one, &outcome);
        int fine = outcome.verdict == COMMAND_DONE && outcome.result &&
                   strncmp(outcome.result, "{\"bytes\":7,", 11) == 0;
        free(outcome.result);
        if (!fine) {
            command_free(command);
            return &wrong;
        }
    }
    command_free(command);
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    int before = open_descriptors();
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, run_many, NULL), 0);
    for (size_t i = 0; i < 8; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* and no zombie */
    assert_int_equal(errno, ECHILD);
}

/* A program around us that has its standard descriptors closed, or reaps children itself. */
static void test_odd_hosts(void **state)
{
    (void)state;
    int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    close(STDIN_FILENO);
    struct command_outcome outcome = run("describe", NULL, NULL, NULL);
    if (saved >= 0) {
        dup2(saved, STDIN_FILENO);
        close(saved);
    }
    assert_non_null(outcome.result);
    assert_non_null(strstr(outcome.result, "\"fds\":\"0 1 2 \""));
    free(outcome.result);

    struct sigaction old;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    assert_int_equal(sigaction(SIGCHLD, &ignore, &old), 0);
    outcome = run("say", "{}", "", "0");
    assert_int_equal(sigaction(SIGCHLD, &old, NULL), 0);
    assert_int_equal(outcome.verdict, COMMAND_FAILED);
    assert_non_null(strstr(outcome.error, "SIGCHLD"));
}

static int make_folder(void **state)
{
    (void)state;
    scratch_make(folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    int code = rmdir(folder); /* nothing may be left in it */
    scratch_remove(folder);
    return code;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_exit_statuses),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_payload),
        cmocka_unit_test(test_output_is_bounded),
        cmocka_unit_test(test_surroundings),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_timeout),
        cmocka_unit_test(test_gentle_timeout),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_orphan),
        cmocka_unit_test(test_parent_dies),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_resolving),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_odd_hosts),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
