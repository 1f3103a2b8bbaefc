/*
 * A guest's life: app/host/guest_supervisor.ts, gate.ts and lane.ts, app/channel/guest_state.ts,
 * app/guest/attachment.ts, run_guest.ts and lcore_worker.ts, app/memory/region.ts.
 *
 * One place in a region. Processes GUESTS want it, each LIVES times, each with a main thread and
 * an lcore; any of them may be paused between any two steps, for as long as it takes, or be killed
 * there. A host, with a main thread and LCORES, may be killed likewise, and the next one comes.
 */

#ifndef GUESTS
#define GUESTS 2
#endif
#ifndef LIVES
#define LIVES 1
#endif
#ifndef HOSTS
#define HOSTS 1
#endif
#ifndef LCORES
#define LCORES 1
#endif
#ifndef CRASHES /* guest processes that are killed */
#define CRASHES 1
#endif
#ifndef STOPS /* whether guests may be told to stop */
#define STOPS 1
#endif
#ifndef SCRIBBLES /* words that a hostile guest writes */
#define SCRIBBLES 0
#endif
#ifndef EMPTY_TURNS /* in which a guest's lcore finds nothing, in one life */
#define EMPTY_TURNS 1
#endif
#ifndef SHORTAGES /* quiesced guests that end as others need the mbufs */
#define SHORTAGES 0
#endif
#ifndef MBUFS
#define MBUFS 2
#endif
#ifndef FRAMES /* that ports receive in the life of a host */
#define FRAMES 2
#endif

/* The protective steps, as README.md tells; -DG1=false takes one away. */
#ifndef G1 /* the guest may run when all lcores have said that the gate is open */
#define G1 true
#endif
#ifndef G2 /* its mbufs are taken back when all have said that it is closed */
#define G2 true
#endif
#ifndef R1 /* rings are reset before the gate opens */
#define R1 true
#endif
#ifndef I1 /* a guest's lcore looks at the incarnation */
#define I1 true
#endif
#ifndef I2 /* the host raises it as it closes the gate */
#define I2 true
#endif
#ifndef E1 /* a guest's lcore looks at the epoch */
#define E1 true
#endif
#ifndef C1 /* the place is claimed by compare-and-swap */
#define C1 true
#endif
#ifndef C2 /* and only as it was found: of that host, and after that guest */
#define C2 true
#endif
#ifndef C3 /* a claim says in the same step who it is */
#define C3 true
#endif
#ifndef J1 /* a guest leaves when its lcores have ended */
#define J1 true
#endif
#ifndef L1 /* what comes back is looked up in the ledger */
#define L1 true
#endif
#ifndef Q1 /* who was put into quarantine stays there */
#define Q1 true
#endif
#ifndef W1 /* quiesced: what a silent guest holds is withheld until it acknowledges or is gone */
#define W1 true
#endif
#ifndef W2 /* and its place is, from other peers */
#define W2 true
#endif
#ifndef W3 /* also if it holds nothing */
#define W3 true
#endif
#ifndef N1 /* a guest's moves name whom they are about */
#define N1 true
#endif
#ifndef N5 /* a claim is for the epoch that was read before the directory */
#define N5 true
#endif
#ifndef A1 /* assumed: a host takes longer to start than a guest's turn lasts */
#define A1 true
#endif
#ifndef A2 /* assumed: so does it until others need what is quiesced */
#define A2 true
#endif

/* One search after the other, compiled once: environment variables tell what is asserted, and which
   protective step is missing. */
#ifdef CHOSEN_WHEN_RUN
c_decl {
  extern char *getenv(const char *);
  extern int atoi(const char *);
  int forbidden, sought;
  static int chosen(const char *name) { return getenv(name) ? atoi(getenv(name)) : -1; }
}
byte missing;
#endif

#include "life_region.pml"

init {
  byte i;
#ifdef CHOSEN_WHEN_RUN
  c_code { forbidden = chosen("FORBIDDEN"); sought = chosen("SEEK"); };
  c_code { now.missing = chosen("MISSING"); };
#endif
  atomic {
    for (i : 0 .. GUESTS - 1) { hand[i] = NONE; is_connected[i] = true }
    run host();
    for (i : 0 .. LCORES - 1) { run host_lcore(i) }
    for (i : 0 .. GUESTS - 1) { run guest(i); run guest_lcore(i) }
    run fate()
  }
  atomic {
    timeout ->
    for (i : 0 .. MBUFS - 1) { mbuf_lost = mbuf_lost || !free[i] }
    assert(!mbuf_lost);
    never_closed = gate % 2 == 1;
    assert(!never_closed)
  }
}

/* What befalls processes, and what a hostile guest does. */
proctype fate() {
  byte crashes = CRASHES, scribbles = SCRIBBLES, victim, word;
  do
  :: crashes > 0 ->
    atomic {
      select(victim : 0 .. GUESTS - 1);
      is_connected[victim] = false;
      hand[victim] = NONE;
      crashes--;
      printf("%d: guest %d is killed\n", _pid, victim);
      victim = 0
    }
  :: life < HOSTS - 1 -> atomic { life++; gate = 0; printf("%d: the host is killed\n", _pid) }
  :: scribbles > 0 ->
    atomic {
      scribbles--;
      select(word : 0 .. GARBAGE);
      if
      :: state = word
      :: name = NAME(epoch, word)
      :: peer = word % GUESTS
      :: word < 4 -> tx[0].producer = word
      :: word < 4 -> rx[0].consumer = word
      :: word <= MBUFS -> tx[0].slot = word
      fi;
      word = 0
    }
  :: break
  od
}

#include "life_of_host.pml"
#include "life_of_guest.pml"
