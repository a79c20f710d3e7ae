/* SPDX-License-Identifier: Apache-2.0 */
/* Symbol visibility. Everything is compiled hidden; what carries DRAY_API is public. */
#ifndef DRAY_EXPORT_H
#define DRAY_EXPORT_H

#if defined(__GNUC__)
#define DRAY_API __attribute__((visibility("default")))
#define DRAY_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define DRAY_API
#define DRAY_PRINTF(fmt, first)
#endif

#endif
