/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sleeps, and who wakes whom: core/queue/turn.c, core/worker/executor.c and keeper.c without
 * their polls. In the real thing a look a second hides a lost wake-up; here nothing does.
 *
 * Two executors, two dispatchers (one of them with a job for later), somebody who wants to be alone
 * with the driver, the keeper, and a clock that ticks once at any moment. Checked: when everybody
 * sleeps, every job has been run, every outcome written, and nobody waits for an answer.
 *
 * What happens under the lock is one step, since nobody else can see its middle.
 *
 * With -DQUICK the lock is held across a turn and an executor watches for a push before it sleeps;
 * without it the leader gives up the lock. FIRST, SECOND and NOT_ALONE make the search smaller. Two
 * switches take a part out, to see that the model can fail: -DNO_CALL (the end of a turn wakes no
 * dispatcher that came meanwhile), -DNO_NUDGE (nobody tells the keeper of a sooner time).
 */

/* How many jobs each dispatcher has; the second one's first is for later. */
#ifndef FIRST
#define FIRST 2
#define SECOND 1
#endif

/* The store. */
byte ready, delayed;
bool ticked; /* the delayed job is due */

/* The instance. */
bool leading, handed_over;
byte waiting_alone;
byte outcomes, written, ran;
bool waiting[2], taken[2], done[2], sleeping[2], called[2], later[2];

/* The worker. */
byte idle, woken, calls, ring;
bool look, sweep;
bool spinning, pushed; /* one executor watches for a push; there was one meanwhile */
bool keeper_asleep, nudged, nudge, keeper_writes;
bool next_look;    /* a look is due when the clock ticks */
bool keeper_until; /* the keeper sleeps until that tick at the latest */

inline wake_executor()
{
    if
#ifdef QUICK
    :: !spinning && idle > 0 && woken == 0 -> idle--; woken++; calls++
#else
    :: idle > 0 -> idle--; woken++; calls++
#endif
    :: else -> skip
    fi
}

inline nudge_keeper()
{
    if
    :: keeper_asleep -> keeper_asleep = false; nudge = true
    :: else -> nudged = true
    fi
}

/* Not later than the tick. */
inline keeper_by_tick()
{
#ifndef NO_NUDGE
    if
    :: !keeper_asleep || !keeper_until -> nudge_keeper()
    :: else -> skip
    fi
#else
    skip
#endif
}

/* ---- turns ---- */

#define ASLEEP(i) (waiting[i] && sleeping[i])

inline pass_the_lead(was_alone)
{
    if
    :: waiting_alone > 0 && !(was_alone && (ASLEEP(0) || ASLEEP(1))) ->
        leading = true;
        handed_over = true
    :: else ->
#ifndef NO_CALL
        if
        :: ASLEEP(0) -> called[0] = true
        :: !ASLEEP(0) && ASLEEP(1) -> called[1] = true
        :: else -> skip
        fi;
#endif
        if
        :: idle > 0 && (ring > 0 || look || outcomes > 0) -> wake_executor()
        :: else -> skip
        fi;
        if
        :: keeper_writes && outcomes > 0 -> nudge_keeper()
        :: else -> skip
        fi
    fi
}

inline answer_group(i)
{
    if
    :: taken[i] ->
        taken[i] = false;
        if
        :: later[i] && !next_look -> next_look = true; keeper_by_tick()
        :: later[i] && next_look -> skip
        :: !later[i] -> pushed = true; look = true; wake_executor()
        fi;
        called[i] = sleeping[i];
        done[i] = true
    :: else -> skip
    fi
}

inline store_group(i)
{
    if
    :: taken[i] && later[i] -> delayed++
    :: taken[i] && !later[i] -> ready++
    :: else -> skip
    fi
}

/* What rides in the next turn. */
inline collect(room)
{
    settled = outcomes;
    outcomes = 0;
    taken[0] = waiting[0]; waiting[0] = false;
    taken[1] = waiting[1]; waiting[1] = false;
    want = room + idle;
    want = (want > ring -> want - ring : 0);
    swept = sweep;
    sweep = false;
    if
    :: want > 0 -> look = false
    :: else -> skip
    fi
}

#define ANYTHING (settled > 0 || taken[0] || taken[1] || want > 0 || swept)

/* The driver settles, pushes, promotes and reserves. */
inline drive()
{
    store_group(0);
    store_group(1);
    if
    :: want > 0 || swept ->
        if
        :: ticked -> ready = ready + delayed; delayed = 0
        :: else -> skip
        fi;
        got = (ready < want -> ready : want);
        ready = ready - got;
        more = ready > 0;
        soon = delayed > 0
    :: else -> skip
    fi
}

inline answer()
{
    written = written + settled;
    settled = 0;
    answer_group(0);
    answer_group(1);
    if
    :: want > 0 || swept ->
        ring = ring + got;
        look = look || more;
        next_look = !more && soon
    :: else -> skip
    fi;
    want = 0; got = 0; more = false; soon = false; swept = false;
    pass_the_lead(false)
}

/* A turn, from under the lock to under the lock. Not atomic where the driver works. */
inline turn(room)
{
    collect(room);
    if
    :: ANYTHING ->
#ifdef QUICK
        drive();
        answer()
#else
        leading = true;
        settling = true
#endif
    :: else -> skip
    fi
}

#ifdef QUICK
#define DRIVEN true
#else
#define DRIVEN !settling
#endif

/* The part of a slow turn without the lock, and its end. */
inline finish_turn()
{
    if
    :: DRIVEN -> skip
    :: else ->
        atomic { drive() };
        atomic { leading = false; answer(); settling = false }
    fi
}

#define HAS_WORK (ring > 0 || outcomes > 0 || look)

/* ---- executors ---- */

inline lie_down()
{
    idle++;
    if
    :: next_look -> keeper_by_tick()
    :: else -> skip
    fi
}

proctype executor()
{
    byte want, got, settled;
    bool more, soon, swept, settling;

again:
    atomic {
        if
        :: ring > 0 ->
            ring--;
            if
            :: ring > 0 -> wake_executor()
            :: else -> skip
            fi;
            goto handle
        :: ring == 0 && leading ->
            look = true;
            lie_down();
            goto asleep
        :: else -> turn(1)
        fi
    }
#ifdef QUICK
    atomic {
        if
        :: HAS_WORK -> goto again
        :: !HAS_WORK && !spinning -> spinning = true; pushed = false
        :: else -> lie_down(); goto asleep
        fi
    }
    atomic {
        spinning = false;
        if
        :: pushed || HAS_WORK -> goto again
        :: else -> lie_down(); goto asleep
        fi
    }
#else
    if
    :: !settling ->
        /* Nothing to ask the driver for; the lock was held all the time. */
        atomic {
            if
            :: HAS_WORK || leading -> goto again
            :: else -> lie_down(); goto asleep
            fi
        }
    :: else -> atomic { drive() }
    fi;
    atomic {
        leading = false;
        answer();
        settling = false;
        if
        :: HAS_WORK || leading -> goto again
        :: else -> lie_down(); goto asleep
        fi
    };
#endif
asleep:
    atomic { calls > 0 -> calls--; woken-- };
    goto again;
handle:
    atomic {
        ran++;
        outcomes++;
        if
        :: leading && ring == 0 -> skip /* the leader takes it along, or wakes somebody for it */
#ifdef QUICK
        :: !leading -> turn(1)
#else
        :: ring > 0 -> keeper_writes = true; /* handlers are slow */
            if
            :: leading -> skip
            :: else -> nudge_keeper()
            fi
        :: !leading && ring == 0 -> turn(1)
#endif
        fi
    };
    finish_turn();
    goto again
}

/* ---- dispatchers ---- */

proctype dispatcher(byte me; byte jobs)
{
    byte want, got, settled, n;
    bool more, soon, swept, settling;
    do
    :: n < jobs ->
        atomic {
            n++;
            later[me] = me == 1 && n == 1;
            done[me] = false;
            waiting[me] = true
        };
look_again:
        atomic {
            sleeping[me] = false;
            if
            :: done[me] -> goto answered
            :: !done[me] && leading -> sleeping[me] = true; called[me] = false
            :: else -> turn(0)
            fi
        };
        if
        :: sleeping[me] -> called[me]
        :: else -> finish_turn()
        fi;
        goto look_again;
answered:
        skip
    :: else -> break
    od
}

/* ---- alone with the driver ---- */

proctype alone()
{
#ifdef QUICK
    atomic { pass_the_lead(true) }
#else
    atomic {
        if
        :: leading -> waiting_alone++
        :: else -> leading = true; goto called_in
        fi
    };
    atomic { handed_over -> handed_over = false; waiting_alone--; leading = true };
called_in:
    atomic { leading = false; pass_the_lead(true) }
#endif
}

/* ---- the keeper ---- */

#define TO_WRITE (sweep || (outcomes > 0 && (keeper_writes || idle > 0)))

proctype keeper()
{
    byte want, got, settled;
    bool more, soon, swept, settling;

around:
    atomic {
        nudged = false;
        if
        :: ticked && next_look ->
            next_look = false;
            if
            :: idle > 0 -> look = true; wake_executor()
            :: else -> sweep = true
            fi
        :: else -> skip
        fi;
        if
        :: TO_WRITE && !leading -> keeper_writes = false; turn(0); goto turning
        :: TO_WRITE && leading -> keeper_writes = true
        :: else -> skip
        fi;
        if
        :: nudged -> goto around
        :: else -> keeper_asleep = true; keeper_until = next_look; nudge = false
        fi
    };
    atomic { nudge || (keeper_until && ticked) -> keeper_asleep = false };
    goto around;
turning:
    finish_turn();
    goto around
}

proctype clock()
{
    ticked = true
}

/* `timeout` is when nobody can go on. */
active proctype monitor()
{
    atomic {
        look = true; /* as a worker starts */
        run executor();
        run executor();
        run dispatcher(0, FIRST);
        run dispatcher(1, SECOND);
#ifndef NOT_ALONE
        run alone();
#endif
        run keeper();
        run clock()
    };
    timeout;
    assert(ready == 0 && delayed == 0 && ring == 0);
    assert(ran == FIRST + SECOND && written == FIRST + SECOND);
    assert(!waiting[0] && !waiting[1] && waiting_alone == 0 && !leading)
}
