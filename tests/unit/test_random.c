/* SPDX-License-Identifier: Apache-2.0 */
/* Ids: their form, their order within a thread, and that neither threads nor forks share them. */
#include "host/random.h"

#include "dray/error.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* cmocka wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MANY 10000
#define NOW INT64_C(1700000000000)

static void form_is_that_of_uuid_7(void **state)
{
    (void)state;
    char id[37];
    assert_int_equal(random_uuid(id, INT64_C(0x0123456789ab)), DRAY_OK);
    assert_int_equal(strlen(id), 36);
    assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
    assert_memory_equal(id, "01234567-89ab-7", 15);
    assert_non_null(strchr("89ab", id[19]));
    assert_true(id[18] == '-' && id[23] == '-');
}

static void ids_of_one_thread_rise(void **state)
{
    (void)state;
    char before[37] = "";
    char id[37];
    /* Many in one millisecond; then the clock steps back a little. */
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(random_uuid(id, NOW - (i > MANY / 2 ? 5 : 0)), DRAY_OK);
        assert_true(strcmp(before, id) < 0);
        memcpy(before, id, sizeof(before));
    }
}

static void tail_differs_from_id_to_id(void **state)
{
    (void)state;
    char ids[3][37];
    for (int i = 0; i < 3; i++)
        assert_int_equal(random_uuid(ids[i], NOW + 100000), DRAY_OK);
    uint64_t tails[3];
    for (int i = 0; i < 3; i++)
        tails[i] = strtoull(ids[i] + 24, NULL, 16);
    assert_true(tails[0] != tails[1] && tails[1] != tails[2]);
    assert_true(tails[1] - tails[0] != tails[2] - tails[1]);
}

static void *make_one(void *out)
{
    return random_uuid(out, NOW + 200000) == DRAY_OK ? out : NULL;
}

static void threads_make_different_ids(void **state)
{
    (void)state;
    char ids[2][37];
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_one, ids[i]), 0);
    for (int i = 0; i < 2; i++) {
        void *made = NULL;
        pthread_join(threads[i], &made);
        assert_non_null(made);
    }
    assert_string_not_equal(ids[0], ids[1]);
}

static void child_does_not_go_on_with_its_parents_ids(void **state)
{
    (void)state;
    char mine[37];
    char theirs[37];
    int ends[2];
    assert_int_equal(random_uuid(mine, NOW + 300000), DRAY_OK);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int code = random_uuid(theirs, NOW + 300000);
        _exit(code == DRAY_OK && write(ends[1], theirs, sizeof(theirs)) == sizeof(theirs) ? 0 : 1);
    }
    assert_int_equal(random_uuid(mine, NOW + 300000), DRAY_OK);
    assert_int_equal(read(ends[0], theirs, sizeof(theirs)), sizeof(theirs));
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    /* An id that goes on from the parent's has its head and the first bits of its tail. */
    assert_memory_not_equal(mine + 14, theirs + 14, 4 + 1 + 4 + 1 + 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form_is_that_of_uuid_7),
        cmocka_unit_test(ids_of_one_thread_rise),
        cmocka_unit_test(tail_differs_from_id_to_id),
        cmocka_unit_test(threads_make_different_ids),
        cmocka_unit_test(child_does_not_go_on_with_its_parents_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
