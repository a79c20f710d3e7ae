/* SPDX-License-Identifier: Apache-2.0 */
/* Each broken driver and module is refused with the code and the words that help. */
#include "dray/driver.h"
#include "handler/module.h"
#include "store/registry.h"
#include "store/store.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static int find(const char *driver, struct found_driver *out, struct dray_error *error)
{
    struct config config = {.driver = driver, .driver_origin = "queue.yaml:2"};
    return registry_find(&config, out, error);
}

static int find_plugin(const char *name, struct found_driver *out, struct dray_error *error)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s.so", PLUGIN_DIR, name);
    return find(path, out, error);
}

static void assert_says(const struct dray_error *error, const char *words)
{
    if (!strstr(error->text, words))
        fail_msg("\"%s\" does not say \"%s\"", error->text, words);
    assert_null(strchr(error->text, '\n'));
}

static void test_good_driver(void **state)
{
    (void)state;
    struct found_driver found;
    struct dray_error error = DRAY_ERROR_INIT;
    assert_int_equal(find_plugin("good", &found, &error), DRAY_OK);
    assert_string_equal(found.driver.name, "good");
    assert_non_null(strstr(found.path, "/good.so"));
    assert_true(store_has(&found.driver, "push"));
    assert_false(store_has(&found.driver, "turn"));
    assert_false(store_has(&found.driver, "fly"));
}

static void test_broken_drivers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int code;
        const char *words;
    } rows[] = {
        {"magic", DRAY_CONFIG, "magic number 12345678"},
        {"abi", DRAY_UNSUPPORTED, "driver ABI 7, this library speaks 1 to 1; rebuild"},
        {"size", DRAY_CONFIG, "its descriptor has 64 bytes"},
        {"missing_operation", DRAY_CONFIG, "lacks the operation retry"},
        {"name", DRAY_CONFIG, "its name '../Good'"},
        {"max_push", DRAY_CONFIG, "max_push is 0"},
        {"max_batch", DRAY_CONFIG, "max_batch is 0"},
        {"undefined_symbol", DRAY_CONFIG, "undefined symbol: nobody_defines_this"},
        {"no_entry", DRAY_CONFIG, "no function dray_driver_entry"},
        {"null_entry", DRAY_CONFIG, "its entry function returns nothing"},
        {"option_type", DRAY_CONFIG, "option odd is of no known type"},
        {"option_choice", DRAY_CONFIG, "option taste is a choice of nothing"},
        {"option_twice", DRAY_CONFIG, "option depth is there twice"},
        {"option_name", DRAY_CONFIG, "option 2 has no proper name"},
        {"option_size", DRAY_CONFIG, "option table is wrong"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct found_driver found;
        struct dray_error error = DRAY_ERROR_INIT;
        char file[64];
        assert_int_equal(find_plugin(rows[i].name, &found, &error), rows[i].code);
        assert_int_equal(error.code, rows[i].code);
        assert_says(&error, rows[i].words);
        snprintf(file, sizeof(file), "/%s.so", rows[i].name);
        assert_says(&error, file);
        assert_says(&error, "queue.yaml:2: driver ");
        assert_int_equal(error.line, 2);
    }
}

/* What lies behind the size that an old driver states is not read. */
static void test_old_descriptor(void **state)
{
    (void)state;
    struct found_driver found;
    struct dray_error error = DRAY_ERROR_INIT;
    assert_int_equal(find_plugin("old", &found, &error), DRAY_OK);
    assert_non_null(found.driver.retry);
    assert_null(found.driver.extend);
    assert_int_equal(found.driver.size, sizeof(struct dray_driver));
}

static void test_names(void **state)
{
    (void)state;
    struct found_driver found;
    struct dray_error error = DRAY_ERROR_INIT;
    setenv("DRAY_DRIVER_PATH", "relative:" PLUGIN_DIR ":/nowhere", 1);
    assert_int_equal(find("good", &found, &error), DRAY_OK);
    assert_string_equal(found.path, PLUGIN_DIR "/good.so");

    assert_int_equal(find("renamed", &found, &error), DRAY_CONFIG);
    assert_says(&error, "calls itself good; rename the file to good.so");

    assert_int_equal(find("godo", &found, &error), DRAY_NOTFOUND);
    assert_says(&error, "queue.yaml:2: no driver 'godo' (did you mean good?)");
    assert_says(&error, "(looked in " PLUGIN_DIR ", /nowhere, ");
    assert_string_equal(error.file, "queue.yaml");
    assert_int_equal(error.line, 2);

    assert_int_equal(find("..", &found, &error), DRAY_NOTFOUND);
    assert_int_equal(find("good.so", &found, &error), DRAY_NOTFOUND);
    assert_int_equal(find("/nowhere/good.so", &found, &error), DRAY_NOTFOUND);
    assert_says(&error, "does not exist");

    assert_int_equal(find("custom", &found, &error), DRAY_CONFIG);
    assert_says(&error, "module: ./libmydriver.so");
    struct config custom = {.driver = "custom", .module = PLUGIN_DIR "/good.so"};
    assert_int_equal(registry_find(&custom, &found, &error), DRAY_OK);
    assert_string_equal(found.driver.name, "good");
}

struct seen {
    int good, refused, total;
    const char *last;
};

static int look(const struct dray_found_driver *found, void *user)
{
    struct seen *seen = user;
    if (seen->last)
        assert_true(strcmp(seen->last, found->name) < 0);
    seen->total++;
    seen->good += found->driver != NULL;
    seen->refused += found->problem != NULL;
    assert_true((found->driver == NULL) == (found->problem != NULL));
    assert_non_null(found->path);
    return 0;
}

static int stop_at_once(const struct dray_found_driver *found, void *user)
{
    (void)found;
    (void)user;
    return DRAY_NOTFOUND;
}

static void test_each(void **state)
{
    (void)state;
    struct dray_error error = DRAY_ERROR_INIT;
    setenv("DRAY_DRIVER_PATH", PLUGIN_DIR, 1);
    struct seen seen = {0};
    assert_int_equal(dray_each_driver(NULL, look, &seen, &error), DRAY_OK);
    assert_int_equal(seen.good, 1); /* the others call themselves good, too, or are broken */
    assert_true(seen.refused > 15);

    seen = (struct seen){0};
    assert_int_equal(dray_each_driver("good", look, &seen, &error), DRAY_OK);
    assert_int_equal(seen.total, 1);
    assert_int_equal(dray_each_driver("magic", look, &seen, &error), DRAY_OK);
    assert_int_equal(seen.refused, 1);
    assert_int_equal(dray_each_driver("none", look, &seen, &error), DRAY_NOTFOUND);
    assert_int_equal(dray_each_driver(PLUGIN_DIR "/old.so", look, &seen, &error), DRAY_OK);
    assert_int_equal(seen.total, 3);
    assert_int_equal(
        dray_each_driver(PLUGIN_DIR "/../none.so", look, &seen, &error), DRAY_NOTFOUND);
    error.text[0] = 0;
    assert_int_equal(dray_each_driver(NULL, stop_at_once, NULL, &error), DRAY_NOTFOUND);
    assert_string_equal(error.text, "");
}

static void test_registered(void **state)
{
    (void)state;
    struct found_driver found;
    struct dray_error error = DRAY_ERROR_INIT;
    assert_int_equal(find_plugin("good", &found, &error), DRAY_OK);
    struct dray_driver mine = found.driver;
    assert_int_equal(dray_register_driver("Mine", &mine, &error), DRAY_INVALID);
    assert_int_equal(dray_register_driver(NULL, &mine, &error), DRAY_INVALID);
    assert_int_equal(dray_register_driver("mine", NULL, &error), DRAY_INVALID);
    mine.ack = NULL;
    assert_int_equal(dray_register_driver("mine", &mine, &error), DRAY_INVALID);
    assert_says(&error, "register driver mine: it lacks the operation ack");
    mine.ack = mine.retry;
    assert_int_equal(dray_register_driver("mine", &mine, &error), DRAY_OK);
    mine.version = "2.0";
    assert_int_equal(dray_register_driver("custom", &mine, &error), DRAY_OK);

    assert_int_equal(find("mine", &found, &error), DRAY_OK);
    assert_string_equal(found.path, "");
    assert_string_equal(found.driver.version, "1.0");
    assert_int_equal(find("custom", &found, &error), DRAY_OK);
    assert_string_equal(found.driver.version, "2.0");
}

static void test_modules(void **state)
{
    (void)state;
    struct dray_error error = DRAY_ERROR_INIT;
    struct module *module = NULL;
    struct module *again = NULL;
    assert_int_equal(module_open(&module, PLUGIN_DIR "/module_good.so", "{}", &error), DRAY_OK);
    assert_int_equal(module_table(module)->nhandlers, 2);
    assert_string_equal(module_handler(module, 1)->type, "greet-again");
    assert_int_equal(module_handler(module, 0)->options.max_attempts, 3);
    const int *counts = module_state(module);
    assert_int_equal(counts[0], 1);
    assert_int_equal(
        module_open(&again, PLUGIN_DIR "/module_good.so", "{\"a\":1}", &error), DRAY_OK);
    assert_null(module_state(again));
    assert_int_equal(counts[0], 2);
    module_close(again);
    module_close(module);
    module_close(NULL);
    assert_int_equal(counts[1], 2);

    static const struct {
        const char *path;
        int code;
        const char *words;
    } rows[] = {
        {PLUGIN_DIR "/module_magic.so", DRAY_CONFIG, "not a handler module"},
        {PLUGIN_DIR "/module_abi.so", DRAY_UNSUPPORTED, "module ABI 2, this library speaks 1"},
        {PLUGIN_DIR "/module_size.so", DRAY_CONFIG, "its table has"},
        {PLUGIN_DIR "/module_empty.so", DRAY_CONFIG, "it has 0 handlers"},
        {PLUGIN_DIR "/module_type.so", DRAY_CONFIG, "the type 'not a type' of its handler 1"},
        {PLUGIN_DIR "/module_function.so", DRAY_CONFIG, "handler greet has no function"},
        {PLUGIN_DIR "/module_twice.so", DRAY_CONFIG, "handler greet is there twice"},
        {PLUGIN_DIR "/module_init.so", DRAY_CONFIG, "init failed: no such colour in {}"},
        {PLUGIN_DIR "/good.so", DRAY_CONFIG, "no function dray_module_entry"},
        {PLUGIN_DIR "/absent.so", DRAY_NOTFOUND, "does not exist"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        module = NULL;
        assert_int_equal(module_open(&module, rows[i].path, "{}", &error), rows[i].code);
        assert_null(module);
        assert_says(&error, rows[i].words);
        assert_says(&error, rows[i].path);
    }
}

struct paths {
    int n;
    char last[4096];
};

static int collect(const char *path, void *user)
{
    struct paths *paths = user;
    assert_true(strcmp(paths->last, path) < 0);
    assert_true(strlen(path) < sizeof(paths->last));
    memmove(paths->last, path, strlen(path) + 1);
    return ++paths->n == 5 ? DRAY_LIMIT : 0;
}

static void test_module_folder(void **state)
{
    (void)state;
    struct dray_error error = DRAY_ERROR_INIT;
    struct paths paths = {0};
    assert_int_equal(module_each(PLUGIN_DIR, collect, &paths, &error), DRAY_LIMIT);
    assert_int_equal(paths.n, 5);
    assert_int_equal(module_each(PLUGIN_DIR "/none", collect, &paths, &error), DRAY_NOTFOUND);
    assert_says(&error, PLUGIN_DIR "/none");
}

static int wrong_answer; /* its address, from a thread that got one */

static void *load_all(void *arg)
{
    (void)arg;
    static const char *const names[] = {"good", "renamed", "old", "abi", "trap"};
    for (size_t i = 0; i < 100; i++) {
        struct found_driver found;
        struct dray_error error = DRAY_ERROR_INIT;
        const char *name = names[i % COUNT(names)];
        int code = find_plugin(name, &found, &error);
        if (code != (strcmp(name, "abi") == 0 ? DRAY_UNSUPPORTED : DRAY_OK))
            return &wrong_answer;
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    (void)state;
    pthread_t threads[8];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, load_all, NULL), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_good_driver),
        cmocka_unit_test(test_broken_drivers),
        cmocka_unit_test(test_old_descriptor),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_registered),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_module_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
