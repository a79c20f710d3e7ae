/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/steps.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MOST_MS 60000

static void *page;              /* shared by all processes */
static _Atomic int64_t *now_ms; /* in it */
static _Thread_local int told_by = -1, says_to = -1;

/* ---- in place of the system's ---- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *out);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_pthread_cond_timedwait(
    pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);

int __wrap_clock_gettime(clockid_t clock, struct timespec *out)
{
    int64_t ms = atomic_load(now_ms) + (clock == CLOCK_REALTIME ? 1000000000 : 0);
    *out = (struct timespec){(time_t)(ms / 1000), (long)(ms % 1000 * 1000000)};
    return 0;
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)wanted;
    (void)left;
    step_say(STEP_NAPS);
    step_be_told();
    return 0;
}

/* Woken when the test wants it, as if by chance. For the test itself, as it forks, time passes. */
int __wrap_pthread_cond_timedwait(
    pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    (void)cond;
    if (says_to < 0) {
        atomic_store(now_ms, until->tv_sec * 1000 + until->tv_nsec / 1000000);
        return ETIMEDOUT;
    }
    pthread_mutex_unlock(mutex);
    step_say(STEP_NAPS);
    step_be_told();
    pthread_mutex_lock(mutex);
    return 0;
}

/* ---- of a waiter ---- */

void step_say(char what)
{
    if (write(says_to, &what, 1) != 1)
        abort();
}

void step_be_told(void)
{
    char byte;
    if (read(told_by, &byte, 1) != 1)
        abort();
}

/* ---- of the test ---- */

void steps_begin(void)
{
    page = mmap(NULL, sizeof(*now_ms), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    now_ms = page;
    atomic_init(now_ms, 1000);
}

void steps_end(void)
{
    munmap(page, sizeof(*now_ms));
}

void steps_advance(int64_t ms)
{
    atomic_fetch_add(now_ms, ms);
}

static void make_pipes(struct waiter_run *waiter, void (*run)(void))
{
    int go[2], says[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(says), 0);
    *waiter = (struct waiter_run){.running = 1,
        .go = go[1],
        .says = says[0],
        .run = run,
        .told_by = go[0],
        .says_to = says[1]};
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void run_here(const struct waiter_run *waiter)
{
    told_by = waiter->told_by;
    says_to = waiter->says_to;
    step_be_told();
    waiter->run();
    step_say(STEP_GONE);
}

void steps_start_process(struct waiter_run *waiter, void (*run)(void))
{
    make_pipes(waiter, run);
    waiter->pid = fork();
    assert_true(waiter->pid >= 0);
    if (waiter->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run_here(waiter);
        _exit(0);
    }
    close_end(&waiter->told_by);
    close_end(&waiter->says_to);
}

static void *thread_main(void *arg)
{
    run_here(arg);
    return NULL;
}

void steps_start_thread(struct waiter_run *waiter, void (*run)(void))
{
    make_pipes(waiter, run);
    assert_int_equal(pthread_create(&waiter->thread, NULL, thread_main, waiter), 0);
}

char step(struct waiter_run *waiter)
{
    char said = '?';
    assert_int_equal(write(waiter->go, "", 1), 1);
    assert_int_equal(read(waiter->says, &said, 1), 1);
    if (said == STEP_GONE)
        waiter->running = 0;
    return said;
}

void steps_stop(struct waiter_run *waiter)
{
    while (waiter->running && !waiter->pid) {
        steps_advance(PATIENCE_MOST_MS);
        step(waiter);
    }
    if (waiter->go >= 0 && waiter->pid) {
        kill(waiter->pid, SIGKILL);
        waitpid(waiter->pid, NULL, 0);
    } else if (waiter->go >= 0) {
        pthread_join(waiter->thread, NULL);
    }
    close_end(&waiter->go);
    close_end(&waiter->says);
    close_end(&waiter->told_by);
    close_end(&waiter->says_to);
}
