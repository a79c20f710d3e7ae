/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints where each member of each struct of the driver interface lies. The golden list beside this
 * file is what drivers out there were compiled against: lines of it never change, a new member is a
 * new line at the end of its struct.
 */
#include "dray/driver.h"

#include <stdio.h>

#define STRUCT(type) printf("%s %zu bytes\n", #type, sizeof(struct type))
#define MEMBER(type, member)                                                                       \
    printf("%s.%s at %zu, %zu bytes\n", #type, #member, offsetof(struct type, member),             \
        sizeof(((struct type *)NULL)->member))

static void show_data(void)
{
    STRUCT(dray_str);
    MEMBER(dray_str, data);
    MEMBER(dray_str, len);
    STRUCT(dray_token);
    MEMBER(dray_token, counter);
    MEMBER(dray_token, nonce);
    STRUCT(dray_job);
    MEMBER(dray_job, size);
    MEMBER(dray_job, priority);
    MEMBER(dray_job, id);
    MEMBER(dray_job, queue);
    MEMBER(dray_job, type);
    MEMBER(dray_job, payload);
    MEMBER(dray_job, name);
    MEMBER(dray_job, unique);
    MEMBER(dray_job, group);
    MEMBER(dray_job, run_at_ms);
    MEMBER(dray_job, delay_ms);
    MEMBER(dray_job, timeout_ms);
    MEMBER(dray_job, max_attempts);
    MEMBER(dray_job, state);
    MEMBER(dray_job, attempts);
    MEMBER(dray_job, releases);
    MEMBER(dray_job, flags);
    MEMBER(dray_job, pad);
    MEMBER(dray_job, token);
    MEMBER(dray_job, lease_left_ms);
    MEMBER(dray_job, created_ms);
    MEMBER(dray_job, ended_ms);
    MEMBER(dray_job, owner);
    MEMBER(dray_job, error);
    MEMBER(dray_job, result);
    MEMBER(dray_job, progress);
    MEMBER(dray_job, ref);
}

static void show_calls(void)
{
    STRUCT(dray_push);
    MEMBER(dray_push, size);
    MEMBER(dray_push, flags);
    MEMBER(dray_push, queue);
    MEMBER(dray_push, jobs);
    MEMBER(dray_push, answers);
    MEMBER(dray_push, holders);
    MEMBER(dray_push, njobs);
    MEMBER(dray_push, code);
    MEMBER(dray_push, capacity);
    STRUCT(dray_lease);
    MEMBER(dray_lease, size);
    MEMBER(dray_lease, verdict);
    MEMBER(dray_lease, flags);
    MEMBER(dray_lease, pad);
    MEMBER(dray_lease, queue);
    MEMBER(dray_lease, id);
    MEMBER(dray_lease, type);
    MEMBER(dray_lease, token);
    MEMBER(dray_lease, ref);
    MEMBER(dray_lease, delay_ms);
    MEMBER(dray_lease, lease_ms);
    MEMBER(dray_lease, run_ms);
    MEMBER(dray_lease, error);
    MEMBER(dray_lease, result);
    MEMBER(dray_lease, progress);
    STRUCT(dray_reserve);
    MEMBER(dray_reserve, size);
    MEMBER(dray_reserve, max);
    MEMBER(dray_reserve, queues);
    MEMBER(dray_reserve, nqueues);
    MEMBER(dray_reserve, flags);
    MEMBER(dray_reserve, lease_ms);
    MEMBER(dray_reserve, nonce);
    MEMBER(dray_reserve, owner);
    MEMBER(dray_reserve, only_id);
    MEMBER(dray_reserve, keep_done_ms);
    MEMBER(dray_reserve, keep_dead_ms);
    MEMBER(dray_reserve, keep_max);
    STRUCT(dray_turn);
    MEMBER(dray_turn, size);
    MEMBER(dray_turn, nsettle);
    MEMBER(dray_turn, npush);
    MEMBER(dray_turn, nextend);
    MEMBER(dray_turn, settle);
    MEMBER(dray_turn, settle_answers);
    MEMBER(dray_turn, push);
    MEMBER(dray_turn, extend);
    MEMBER(dray_turn, extend_answers);
    MEMBER(dray_turn, reserve);
    MEMBER(dray_turn, reserve_code);
    MEMBER(dray_turn, pad);
}

static void show_people(void)
{
    STRUCT(dray_change);
    MEMBER(dray_change, size);
    MEMBER(dray_change, what);
    MEMBER(dray_change, flags);
    MEMBER(dray_change, nids);
    MEMBER(dray_change, queue);
    MEMBER(dray_change, ids);
    MEMBER(dray_change, answers);
    STRUCT(dray_filter);
    MEMBER(dray_filter, size);
    MEMBER(dray_filter, states);
    MEMBER(dray_filter, queue);
    MEMBER(dray_filter, type);
    MEMBER(dray_filter, id);
    MEMBER(dray_filter, since_ms);
    MEMBER(dray_filter, cursor);
    MEMBER(dray_filter, max);
    MEMBER(dray_filter, pad);
    STRUCT(dray_stats_row);
    MEMBER(dray_stats_row, size);
    MEMBER(dray_stats_row, paused);
    MEMBER(dray_stats_row, queue);
    MEMBER(dray_stats_row, type);
    MEMBER(dray_stats_row, ready);
    MEMBER(dray_stats_row, delayed);
    MEMBER(dray_stats_row, retrying);
    MEMBER(dray_stats_row, parked);
    MEMBER(dray_stats_row, active);
    MEMBER(dray_stats_row, dead);
    MEMBER(dray_stats_row, done);
    MEMBER(dray_stats_row, pushed);
    MEMBER(dray_stats_row, completed);
    MEMBER(dray_stats_row, failed);
    MEMBER(dray_stats_row, retried);
    MEMBER(dray_stats_row, died);
    MEMBER(dray_stats_row, runs);
    MEMBER(dray_stats_row, run_ms);
    MEMBER(dray_stats_row, consumer);
    MEMBER(dray_stats_row, consumer_age_ms);
    MEMBER(dray_stats_row, oldest_ready_ms);
    STRUCT(dray_tend);
    MEMBER(dray_tend, size);
    MEMBER(dray_tend, what);
    MEMBER(dray_tend, records);
    MEMBER(dray_tend, damaged);
    MEMBER(dray_tend, repaired);
    MEMBER(dray_tend, bytes_before);
    MEMBER(dray_tend, bytes_after);
}

static void show_host(void)
{
    STRUCT(dray_call);
    MEMBER(dray_call, size);
    MEMBER(dray_call, budget_ms);
    MEMBER(dray_call, error);
    MEMBER(dray_call, job);
    MEMBER(dray_call, stats);
    MEMBER(dray_call, note);
    MEMBER(dray_call, next_ms);
    MEMBER(dray_call, durability);
    MEMBER(dray_call, pad);
    STRUCT(dray_host);
    MEMBER(dray_host, size);
    MEMBER(dray_host, abi);
    MEMBER(dray_host, boot_id);
    MEMBER(dray_host, wall_ms);
    MEMBER(dray_host, mono_ms);
    MEMBER(dray_host, resize);
    MEMBER(dray_host, random);
    MEMBER(dray_host, log);
    MEMBER(dray_host, fail);
    MEMBER(dray_host, number);
    MEMBER(dray_host, text);
    STRUCT(dray_option);
    MEMBER(dray_option, type);
    MEMBER(dray_option, flags);
    MEMBER(dray_option, name);
    MEMBER(dray_option, fallback);
    MEMBER(dray_option, choices);
    MEMBER(dray_option, help);
    MEMBER(dray_option, min);
    MEMBER(dray_option, max);
}

static void show_driver(void)
{
    STRUCT(dray_driver);
    MEMBER(dray_driver, magic);
    MEMBER(dray_driver, abi);
    MEMBER(dray_driver, size);
    MEMBER(dray_driver, instance_size);
    MEMBER(dray_driver, name);
    MEMBER(dray_driver, version);
    MEMBER(dray_driver, summary);
    MEMBER(dray_driver, can);
    MEMBER(dray_driver, max_push);
    MEMBER(dray_driver, max_batch);
    MEMBER(dray_driver, options);
    MEMBER(dray_driver, noptions);
    MEMBER(dray_driver, option_size);
    MEMBER(dray_driver, open);
    MEMBER(dray_driver, close);
    MEMBER(dray_driver, push);
    MEMBER(dray_driver, reserve);
    MEMBER(dray_driver, ack);
    MEMBER(dray_driver, retry);
    MEMBER(dray_driver, extend);
    MEMBER(dray_driver, turn);
    MEMBER(dray_driver, watch);
    MEMBER(dray_driver, change);
    MEMBER(dray_driver, list);
    MEMBER(dray_driver, stats);
    MEMBER(dray_driver, tend);
}

int main(void)
{
    printf("magic %08x, abi %u\n", DRAY_MAGIC, DRAY_ABI);
    show_data();
    show_calls();
    show_people();
    show_host();
    show_driver();
    return 0;
}
