/* SPDX-License-Identifier: Apache-2.0 */
/* The version of the library. The driver ABI has a number of its own: DRAY_ABI in driver.h. */
#ifndef DRAY_VERSION_H
#define DRAY_VERSION_H

#define DRAY_VERSION_MAJOR 0
#define DRAY_VERSION_MINOR 1
#define DRAY_VERSION_PATCH 0
#define DRAY_VERSION "0.1.0"

#endif
