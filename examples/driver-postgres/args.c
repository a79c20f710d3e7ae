/* SPDX-License-Identifier: CC0-1.0 */
/* Binary values: src/backend/utils/adt of PostgreSQL, int8recv, textrecv and array_recv. */
#include "args.h"

#include "store.h"

#include <string.h>

#define OID_BIGINT 20u
#define OID_TEXT 25u
#define SPAN_MAX (INT64_C(1) << 61)

static void put(char *out, int bytes, uint64_t value)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        out[i] = (char)(value & 0xff);
}

static void add(struct args *args, const void *data, uint64_t len)
{
    if (!args->failed && args->room - args->used < len) {
        uint64_t room = (args->used + len) * 2;
        char *bytes = args->host->resize(args->host, args->bytes, (size_t)room);
        args->failed = !bytes;
        args->bytes = bytes ? bytes : args->bytes;
        args->room = bytes ? room : args->room;
    }
    if (args->failed || !len)
        return;
    memcpy(args->bytes + args->used, data, (size_t)len);
    args->used += len;
}

static void add_word(struct args *args, uint32_t value)
{
    char word[4];
    put(word, 4, value);
    add(args, word, 4);
}

static void next(struct args *args, const char *value, uint64_t len)
{
    args->values[args->n] = value;
    args->lengths[args->n] = (int)len;
    args->formats[args->n] = 1;
    args->offsets[args->n] = -1;
    args->n++;
}

void args_begin(struct store *store)
{
    struct args *args = &store->args;
    args->host = store->host;
    args->n = 0;
    args->used = 0;
    args->failed = 0;
    if (store->host_clock)
        args_number(store, store->host->mono_ms(store->host) + store->ahead_ms);
    else
        next(args, NULL, 0);
}

void args_free(struct store *store)
{
    if (store->args.bytes)
        store->host->resize(store->host, store->args.bytes, 0);
    store->args.bytes = NULL;
}

void args_text(struct store *store, struct dray_str text)
{
    next(&store->args, text.len ? text.data : "", text.len);
}

void args_number(struct store *store, int64_t number)
{
    char *at = store->args.numbers[store->args.n];
    put(at, 8, (uint64_t)number);
    next(&store->args, at, 8);
}

int64_t args_span_of(uint64_t ms)
{
    return ms < (uint64_t)SPAN_MAX ? (int64_t)ms : SPAN_MAX;
}

void args_span(struct store *store, uint64_t ms)
{
    args_number(store, args_span_of(ms));
}

/* The head of an array: dimensions, no nulls, the element's type, and how many from which index. */
static void begin_array(struct store *store, uint32_t type, uint32_t n)
{
    struct args *args = &store->args;
    next(args, NULL, 0);
    args->offsets[args->n - 1] = (int64_t)args->used;
    args->array = args->used;
    add_word(args, n ? 1 : 0);
    add_word(args, 0);
    add_word(args, type);
    if (n) {
        add_word(args, n);
        add_word(args, 1);
    }
    args->lengths[args->n - 1] = (int)(args->used - args->array);
}

void args_texts(struct store *store, uint32_t n)
{
    begin_array(store, OID_TEXT, n);
}

void args_numbers(struct store *store, uint32_t n)
{
    begin_array(store, OID_BIGINT, n);
}

static void add_element(struct args *args, const char *data, uint64_t len)
{
    add_word(args, (uint32_t)len);
    add(args, data, len);
    args->lengths[args->n - 1] = (int)(args->used - args->array);
}

void args_add_text(struct store *store, struct dray_str text)
{
    add_element(&store->args, text.data, text.len);
}

void args_add_number(struct store *store, int64_t number)
{
    char bytes[8];
    put(bytes, 8, (uint64_t)number);
    add_element(&store->args, bytes, 8);
}

int args_ready(struct store *store)
{
    struct args *args = &store->args;
    for (int i = 0; i < args->n; i++) {
        if (args->offsets[i] >= 0)
            args->values[i] = args->bytes + args->offsets[i];
    }
    return !args->failed && args->used <= INT32_MAX;
}
