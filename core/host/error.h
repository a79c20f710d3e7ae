/* SPDX-License-Identifier: Apache-2.0 */
/* Filling struct dray_error. Every function takes NULL and returns the code, so that callers write
   `return error_set(error, DRAY_INVALID, 0, "...")`. */
#ifndef CORE_HOST_ERROR_H
#define CORE_HOST_ERROR_H

#include "dray/error.h"

#include <stdarg.h>

int error_set(struct dray_error *error, int code, int sys, const char *fmt, ...) DRAY_PRINTF(4, 5);
int error_setv(struct dray_error *error, int code, int sys, const char *fmt, va_list args)
    DRAY_PRINTF(4, 0);

/* The same with a place: the text begins with FILE:LINE: (FILE: if line is 0). */
int error_set_at(struct dray_error *error, int code, const char *file, unsigned line,
    const char *fmt, ...) DRAY_PRINTF(5, 6);

/* Puts who it happened to before what was reported ("driver file: "); file and line stay. Returns
   `code`, the one that was reported. */
int error_prefix(struct dray_error *error, int code, const char *fmt, ...) DRAY_PRINTF(3, 4);

/* Copies what was reported; keeps to's size. */
int error_copy(struct dray_error *to, const struct dray_error *from);

/* A static analyser sees one file at a time, and would believe that an error can come back as
   DRAY_OK. It is shown here that the code comes back. */
#if defined(__clang_analyzer__) && !defined(CORE_HOST_ERROR_DEFINED_HERE)
#define error_set(error, code, ...) (error_set(error, code, __VA_ARGS__), (code))
#define error_set_at(error, code, ...) (error_set_at(error, code, __VA_ARGS__), (code))
#define error_prefix(error, code, ...) (error_prefix(error, code, __VA_ARGS__), (code))
#endif

#endif
