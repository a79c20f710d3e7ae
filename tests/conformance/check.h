/* SPDX-License-Identifier: Apache-2.0 */
/* Directed checks: each opens a fresh store, proves one sentence of the contract and names it. */
#ifndef CONFORMANCE_CHECK_H
#define CONFORMANCE_CHECK_H

#include "subject.h"

/* What a check cannot do without; DRAY_CAN_ and DRAY_IS_ bits stand for themselves. */
enum {
    NEED_EXTEND = 1 << 16,
    NEED_TURN = 1 << 17,
    NEED_CHANGE = 1 << 18,
    NEED_LIST = 1 << 19,
    NEED_STATS = 1 << 20,
    NEED_GROUP = 1 << 21, /* groups of at least 8 */
    NEED_BATCH = 1 << 22, /* calls of at least 8 items */
    NEED_ALONE = 1 << 23  /* a store that no other process shares */
};

struct check {
    struct subject subject;
    char failure[640]; /* empty: holds */
};

struct check_row {
    const char *clause;
    const char *name;
    void (*run)(struct check *check);
    uint64_t needs;
};

/* Each file's checks, ended by a row without a clause. */
extern const struct check_row checks_push[];
extern const struct check_row checks_lease[];
extern const struct check_row checks_settle[];
extern const struct check_row checks_order[];
extern const struct check_row checks_change[];
extern const struct check_row checks_view[];

void check_fail(struct check *check, const char *file, int line, const char *fmt, ...)
    DRAY_PRINTF(4, 5);

/* The name of a code; static. */
const char *code_name(int32_t code);

#define EXPECT(check, condition)                                                                   \
    do {                                                                                           \
        if ((check)->failure[0])                                                                   \
            return;                                                                                \
        if (!(condition)) {                                                                        \
            check_fail(check, __FILE__, __LINE__, "not so: %s", #condition);                       \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define EXPECT_CODE(check, call, wanted)                                                           \
    do {                                                                                           \
        if ((check)->failure[0])                                                                   \
            return;                                                                                \
        int32_t expect_got = (call);                                                               \
        if (expect_got != (wanted)) {                                                              \
            check_fail(check, __FILE__, __LINE__, "%s answers %s, not %s (%s)", #call,             \
                code_name(expect_got), code_name(wanted), (check)->subject.error.text);            \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define EXPECT_NUMBER(check, value, wanted)                                                        \
    do {                                                                                           \
        if ((check)->failure[0])                                                                   \
            return;                                                                                \
        long long expect_got = (long long)(value), expect_want = (long long)(wanted);              \
        if (expect_got != expect_want) {                                                           \
            check_fail(check, __FILE__, __LINE__, "%s is %lld, not %lld", #value, expect_got,      \
                expect_want);                                                                      \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#endif
