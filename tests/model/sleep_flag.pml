/*
 * app/channel/sleep_flag.ts and Idle in app/lcore/idle.ts: one lcore sleeps until it is rung for,
 * others publish what it waits for, and each has a doorbell for a flag of its own. No sleep ends by
 * time here.
 */

#ifndef PUBLISHERS
#define PUBLISHERS 1
#endif
#ifndef EACH /* publications of each at most; it may end with fewer */
#define EACH 3
#endif
#ifndef PORT_WAKES /* how often a port with frames ends a sleep, at most */
#define PORT_WAKES 1
#endif
#define WORDS (3 * PUBLISHERS)
#define POSITION(p) (p)
#define VECTOR(p) (PUBLISHERS + (p))
#define FLAG(p) (2 * PUBLISHERS + (p))
#if PUBLISHERS == 1
mtype = { FLAG_WORD, VECTOR_WORD, POSITION_WORD };
#else
mtype = { FLAG_1, FLAG_0, VECTOR_1, VECTOR_0, POSITION_1, POSITION_0 };
#endif

/* The flag goes up at most once for each publication, each bell, a port, and the end. */
#define STORES (2 * (2 * PUBLISHERS * EACH + PORT_WAKES + 1) + 1)
#define WIDTH(w) ((w) < VECTOR(0) -> EACH : ((w) < FLAG(0) -> 1 : STORES))
#define BELOW(w) \
  ((w) < VECTOR(0) -> (w) * EACH : \
    ((w) < FLAG(0) -> PUBLISHERS * EACH + (w) - VECTOR(0) : \
      PUBLISHERS * (EACH + 1) + ((w) - FLAG(0)) * STORES))
#if PUBLISHERS * (EACH + 1 + STORES) > 31
#error What a process has seen is 31 events at most
#endif

/* The ordering edges; -DF1=false takes one away. */
#ifndef F1 /* the sleeper's fence: Idle */
#define F1 true
#endif
#ifndef F2 /* the publisher's fence: Doorbell.notify() */
#define F2 true
#endif
#ifndef R1 /* store of the flag, after that of the vector: SleepFlag */
#define R1 true
#endif
#ifndef A1 /* load of the flag, before that of the vector: Doorbell.notify() */
#define A1 true
#endif

#define FENCES
#include "memory.pml"

byte published[PUBLISHERS], consumed[PUBLISHERS];
byte publishing = PUBLISHERS; /* how many may publish more */
bool bell; /* the eventfd: it orders nothing here, though in truth it does */
byte port_wakes;

#if PUBLISHERS == 1
#define ALL_CONSUMED (consumed[0] == published[0])
#else
#define ALL_CONSUMED (consumed[0] == published[0] && consumed[1] == published[1])
#endif

init {
  byte i;
  atomic {
    select(port_wakes : 0 .. PORT_WAKES);
    run sleep();
    for (i : 0 .. PUBLISHERS - 1) { run publish(i) }
  }
}

/*
 * The lcore's loop, with Idle.wait() when it finds nothing. To publish is not to have the flag
 * seen: no S1, L1.
 */
proctype sleep() {
  VIEW;
  byte i, position, count;
  bool has_work;

  for (i : 0 .. PUBLISHERS - 1) {
    store(VECTOR(i), 1, false);
    store(FLAG(i), 0, R1)
  }
  do
  :: for (i : 0 .. PUBLISHERS - 1) {
      atomic {
        load(POSITION(i), false, position);
        has_work = has_work || position > consumed[i];
        consumed[i] = position;
        position = 0
      }
    }
    if
    :: has_work -> has_work = false
    :: else ->
      count++;
      for (i : 0 .. PUBLISHERS - 1) { store(FLAG(i), count, R1) }
      full_fence(F1);
      for (i : 0 .. PUBLISHERS - 1) {
        atomic {
          load(POSITION(i), false, position);
          has_work = has_work || position > consumed[i];
          position = 0
        }
      }
      if
      :: has_work -> has_work = false
      :: else ->
        if /* asleep */
        :: bell
        :: port_wakes > 0 -> port_wakes--
        :: publishing == 0 && ALL_CONSUMED -> break
        fi;
        bell = false
      fi;
      count++;
      for (i : 0 .. PUBLISHERS - 1) { store(FLAG(i), count, R1) }
    fi
  od
}

/* Publishes, then Doorbell.notify() */
proctype publish(byte me) {
  VIEW;
  byte count, last, vector;

  do
  :: published[me] < EACH ->
    atomic { published[me]++; store(POSITION(me), published[me], false) }
    full_fence(F2);
    load(FLAG(me), A1, count);
    if
    :: count % 2 == 1 && count != last ->
      last = count;
      load(VECTOR(me), false, vector);
      if
      :: vector > 0 -> bell = true
      :: else
      fi;
      vector = 0
    :: else
    fi;
    count = 0
  :: break
  od;
  publishing--
}
