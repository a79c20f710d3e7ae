/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sleeps, and who wakes whom: core/queue/turn.c, core/worker/executor.c and keeper.c without
 * their polls. In the real thing a look a second hides a lost wake-up; here nothing does.
 *
 * Executors, two dispatchers (one of them with a job for later), somebody who wants to be alone
 * with the driver, the keeper, and a clock that ticks once at any moment. Checked: when everybody
 * sleeps, every job has been run, every outcome written, and nobody waits for an answer.
 *
 * What happens under the lock is one step, since nobody else can see its middle.
 *
 * With -DQUICK the lock is held across a turn, a dispatcher pushes and does nothing else, and an
 * executor watches for a push before it sleeps; without it the leader gives up the lock. FIRST,
 * SECOND and NOT_ALONE make the search smaller. With -DSTUCK=n the first n handlers never end, and
 * what executors are left (EXECUTORS, two) must do all the rest. Four switches take a part out, to
 * see that the model can fail: -DNO_CALL (the end of a turn wakes no dispatcher that came
 * meanwhile), -DNO_NUDGE (nobody tells the keeper of a sooner time), -DALL_LOOK (every turn passes
 * for one that looks for jobs), -DNO_CHAIN (an executor that takes the last reserved job wakes
 * nobody for those in the store).
 */

/* How many jobs each dispatcher has; the second one's first is for later. */
#ifndef FIRST
#define FIRST 2
#define SECOND 1
#endif

#ifndef EXECUTORS
#define EXECUTORS 2
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
byte sleepers;  /* wait for `calls` */
byte lingering; /* of them: those that wait for a dispatcher, until they have enough of it */
bool look, looking, sweep;
byte stuck; /* handlers that will not end */
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
        :: !later[i] && seen -> pushed = true
        :: !later[i] && !seen -> pushed = true; look = true; wake_executor()
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
#ifdef ALL_LOOK
    looking = true;
#else
    looking = want > 0;
#endif
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
    if
    :: want > 0 || swept ->
        ring = ring + got;
        look = look || more;
        next_look = !more && soon;
        if
        :: next_look && idle > 0 -> keeper_by_tick()
        :: else -> skip
        fi
    :: else -> skip
    fi;
    seen = looking;
    looking = false;
    answer_group(0);
    answer_group(1);
    want = 0; got = 0; more = false; soon = false; swept = false; seen = false;
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

#define GROUPS (waiting[0] || waiting[1])

inline lie_down()
{
    idle++;
    sleepers++;
    if
    :: next_look -> keeper_by_tick()
    :: else -> skip
    fi
}

/* Whoever woke us has taken us off `idle`. */
inline get_up()
{
    sleepers--;
    if
    :: woken > 0 -> woken--
    :: woken == 0 && idle > 0 -> idle--
    :: else -> skip
    fi
}

inline sleep_while_led()
{
    if
    :: !looking -> look = true
    :: else -> skip
    fi;
    lie_down()
}

#ifdef QUICK
#define MAY_LINGER false
#else
#define MAY_LINGER (ring == 0 && !leading && !look && !GROUPS)
#endif

/* Before a handler that may be long. Handlers that are thought to be quick leave it to the keeper
   on a quick store. */
inline pass_on()
{
    if
    :: ring > 0 -> wake_executor()
#ifndef NO_CHAIN
    :: ring == 0 && look -> wake_executor()
#ifdef QUICK
    :: ring == 0 && look && idle > 0 -> nudge_keeper()
#endif
#endif
    :: else -> skip
    fi;
#ifndef QUICK
    if
    :: outcomes > 0 ->
        keeper_writes = true;
        if
        :: leading -> skip
        :: else -> nudge_keeper()
        fi
    :: else -> skip
    fi
#endif
}

#ifdef STUCK
#define STICKS (stuck < STUCK)
#else
#define STICKS false
#endif

/* The lock is held from a jump into an atomic sequence on, and given up at its end. */
proctype executor()
{
    byte want, got, settled;
    bool more, soon, swept, settling, seen;
    bool looked; /* and the lock has been held since */

again:
    atomic {
        skip;
held:
        if
        :: ring > 0 ->
            ring--;
            looked = false;
            pass_on();
            goto handle
        :: ring == 0 && leading ->
            looked = false;
            sleep_while_led();
            goto asleep
        :: ring == 0 && !leading && (!looked || HAS_WORK || GROUPS) -> goto lead
        :: else -> looked = false; goto nothing
        fi
    };
    atomic {
        skip;
nothing:
#ifdef QUICK
        if
        :: !spinning -> spinning = true; pushed = false
        :: else -> lie_down(); goto asleep
        fi
    }
    atomic {
        spinning = false;
        if
        :: pushed || HAS_WORK -> goto held
        :: else -> lie_down(); goto asleep
        fi
    }
#else
        lie_down();
        goto asleep
    };
#endif
asleep:
    atomic { calls > 0 -> calls--; get_up(); goto held };
handle:
    atomic {
        ran++;
        if
        :: STICKS -> stuck++; goto forever
        :: else -> outcomes++
        fi;
        if
        :: MAY_LINGER -> lie_down(); lingering++; goto lingers
        :: true -> goto write
        fi
    };
lingers:
    atomic {
        if
        :: calls > 0 -> calls--; get_up()
        :: true ->
            get_up();
            /* A call that came for nobody. */
            if
            :: calls > sleepers -> calls = sleepers
            :: else -> skip
            fi
        fi;
        lingering--;
        goto write
    };
    atomic {
        skip;
write:
        if
#ifndef QUICK
        :: ring > 0 && outcomes > 0 -> keeper_writes = true; /* handlers are slow */
            if
            :: leading -> skip
            :: else -> nudge_keeper()
            fi
#endif
        :: ring == 0 && outcomes > 0 && !leading -> goto lead
        :: else -> skip /* the leader takes it along, or wakes somebody for it */
        fi;
        goto held
    };
    atomic {
        skip;
lead:
        looked = true;
        turn(1);
#ifdef QUICK
        goto held
    };
#else
        if
        :: !settling -> goto held
        :: else -> skip
        fi
    };
    atomic { drive() };
    atomic { leading = false; answer(); settling = false; goto held };
#endif
forever:
    false
}

/* ---- dispatchers ---- */

proctype dispatcher(byte me; byte jobs)
{
    byte want, got, settled, n;
    bool more, soon, swept, settling, seen;
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
    #ifdef QUICK
        :: else -> waiting[me] = false; taken[me] = true; store_group(me); answer_group(me)
#else
        :: else -> turn(0)
#endif
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

#define TO_WRITE (sweep || (outcomes > 0 && (keeper_writes || idle > lingering)))

proctype keeper()
{
    byte want, got, settled;
    bool more, soon, swept, settling, seen;

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
        :: look && idle > 0 -> wake_executor()
        :: else -> skip
        fi;
        if
        :: TO_WRITE && !leading -> keeper_writes = false; turn(0); goto turning
        :: TO_WRITE && leading && idle == 0 -> keeper_writes = true
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
#if EXECUTORS > 2
        run executor();
#endif
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
    assert(ran == FIRST + SECOND && written + stuck == FIRST + SECOND);
    assert(!waiting[0] && !waiting[1] && waiting_alone == 0 && !leading)
}
