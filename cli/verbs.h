/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs, one file each: cmd_NAME.c. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

struct verb;

extern const struct verb verb_push;
extern const struct verb verb_work;
extern const struct verb verb_status;
extern const struct verb verb_list;
extern const struct verb verb_move;
extern const struct verb verb_show;
extern const struct verb verb_why;
extern const struct verb verb_retry;
extern const struct verb verb_cancel;
extern const struct verb verb_delete;
extern const struct verb verb_pause;
extern const struct verb verb_resume;
extern const struct verb verb_purge;
extern const struct verb verb_sweep;
extern const struct verb verb_fsck;
extern const struct verb verb_compact;
extern const struct verb verb_export;
extern const struct verb verb_import;
extern const struct verb verb_config;
extern const struct verb verb_check;
extern const struct verb verb_doctor;
extern const struct verb verb_health;
extern const struct verb verb_drivers;
extern const struct verb verb_driver_test;
extern const struct verb verb_make_job;
extern const struct verb verb_make_driver;
extern const struct verb verb_bench;

#endif
