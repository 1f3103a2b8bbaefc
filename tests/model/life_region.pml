/*
 * What guest_life.pml is about: one guest's place in a region, its rings, and the host's private
 * records. Accesses to shared words take place one after the other here: their ordering is what
 * spsc_ring.pml is about. Positions go around 4; rings have one slot.
 */

/* GUEST_STATE in app/channel/transitions.ts, and what only a liar writes. */
#define ABSENT 0
#define ATTACHING 1
#define RUNNING 2
#define DETACHING 3
#define QUARANTINED 4
#define RETIRED 5
#define GARBAGE 6

#ifdef CHOSEN_WHEN_RUN
#define FORBIDDEN c_expr { forbidden }
#define SEEK c_expr { sought }
#endif

/* TRANSITIONS there. */
#define GUEST 0
#define HOST 1
#ifndef FORBIDDEN /* one of them, as by, from and to in three digits */
#define FORBIDDEN 999
#endif
#define ALLOWED(by, from, to) (FORBIDDEN != 100 * by + 10 * from + to && ( \
  (by == GUEST && from == ABSENT && to == ATTACHING) || \
  (by == HOST && from == ATTACHING && to == RUNNING) || \
  (by == GUEST && from == ATTACHING && to == DETACHING) || \
  (by == GUEST && from == RUNNING && to == DETACHING) || \
  (by == HOST && from == DETACHING && to == ABSENT) || \
  (by == HOST && from == ATTACHING && to == ABSENT) || \
  (by == HOST && from == RUNNING && to == ABSENT) || \
  (by == HOST && from == RUNNING && to == RETIRED) || \
  (by == GUEST && from == RETIRED && to == DETACHING) || \
  (by == HOST && from == RETIRED && to == ABSENT) || \
  (by == HOST && from == ABSENT && to == QUARANTINED) || \
  (by == HOST && from == ATTACHING && to == QUARANTINED) || \
  (by == HOST && from == RUNNING && to == QUARANTINED) || \
  (by == HOST && from == DETACHING && to == QUARANTINED) || \
  (by == HOST && from == RETIRED && to == QUARANTINED)))

/* The region: header, control memzone, two rings for each host lcore. */
bool published;
byte epoch;
byte incarnation;

/* The state word: a state, and whose it is, which together are loaded, stored and swapped. */
byte state, name, peer;
#define NAME(epoch_, incarnation_) (16 * (epoch_) + (incarnation_))
#define IS(name_, peer_) (name == (name_) && peer == (peer_))

typedef Ring { byte producer, consumer, slot };
Ring rx[LCORES], tx[LCORES];
#define MOVED(position) (((position) + 1) & 3)
#define HAS_ONE(producer_, consumer_) ((((producer_) - (consumer_)) & 3) == 1)
#define HAS_ROOM(producer_, consumer_) ((producer_) == (consumer_))
#define IS_POSSIBLE(producer_, consumer_) ((((producer_) - (consumer_)) & 3) < 2)

/* The host's own: mempool and ledger, the gate, and who has which mbuf in hand. */
#define OWN 0 /* in the ledger: the host's, in the mempool or in an lcore's hand */
#define LENT 1
#define NONE 255
#define NOTHING 254 /* in the hand of a guest's lcore that has begun a turn */
bool free[MBUFS];
byte ledger[MBUFS];
byte gate, acknowledgement[LCORES]; /* odd: open */
bool quarantined, violation;

/* Processes: a host has many lives; a guest process has a connection, which ends with it. */
byte life, died_with[LCORES];
bool is_connected[GUESTS], is_running[GUESTS], is_stopped[GUESTS];
byte lease_epoch[GUESTS], lease_incarnation[GUESTS];

/* What only the properties need: who claimed the place, who was let in, who was lent what. */
byte claimant = NONE, admitted = NONE;
byte lent_to[MBUFS], hand[GUESTS];

/* What must be possible: a search for it finds it. */
#ifndef SEEK
#define SEEK 0
#endif
bool reached;
#define FORWARDED_AT_LAST 1 /* a frame, by the last guest, for the last host */
#define WOKEN 2 /* a guest in quiesced, which acknowledges */
#define DEAD_IN_QUIESCENCE 3
#define ACCUSED 4 /* so that a guest goes into quarantine */
#define GAVE_UP 5 /* before the host looked */
#define SUCCEEDED 6 /* a guest in quiesced, by the next one */

inline seek(what, is_there) {
  reached = SEEK == what && (is_there);
  assert(!reached)
}

/* Properties. */
bool forbidden_transition, freed_twice, mbuf_lost, touched_not_its_own, taken_while_held,
  quarantined_let_in, directory_of_another_host, sound_guest_accused, never_closed;

/* GuestState.move(): `is_whose` tells whether it is the word of whom that is about. */
inline move(by, from, to, is_whose, moved) {
  d_step {
    forbidden_transition = !ALLOWED(by, from, to);
    assert(!forbidden_transition);
    moved = state == from && (is_whose);
    if
    :: moved -> state = to; printf("%d: state %d -> %d\n", _pid, from, to)
    :: else
    fi
  }
}

inline free_mbuf(m) {
  freed_twice = free[m];
  assert(!freed_twice);
  lent_to[m] = NONE;
  free[m] = true
}

/* What the supervisor does next. */
#define CLOSED 0
#define OPENING 1
#define OPEN 2
#define CLOSING 3
#define QUIESCED 4

/* Ledger.sweep(), then GuestState.clear() or quarantine() */
inline take_back() {
  for (i : 0 .. MBUFS - 1) {
    if
    :: ledger[i] == LENT -> ledger[i] = OWN; free_mbuf(i)
    :: else
    fi
  }
  i = 0;
  clear((quarantined -> QUARANTINED : ABSENT));
  admitted = NONE;
  phase = CLOSED
}

inline clear(to) {
  forbidden_transition = SCRIBBLES == 0 && state != to && !ALLOWED(HOST, state, to);
  assert(!forbidden_transition);
  name = NAME(epoch, incarnation);
  peer = NONE;
  state = to
}

/* What no sound guest does: app/host/violation_counters.ts. Here one violation is too much. */
inline accuse() {
  sound_guest_accused = SCRIBBLES == 0;
  assert(!sound_guest_accused);
  violation = true
}

inline shut() {
  incarnation = incarnation + (I2 -> 1 : 0);
  gate++;
  phase = CLOSING;
  printf("%d: closes the gate: state %d, incarnation %d\n", _pid, state, incarnation)
}

inline touch(me) {
  d_step {
    touched_not_its_own = SCRIBBLES == 0 &&
      (ledger[hand[me]] == OWN || lent_to[hand[me]] != me);
    assert(!touched_not_its_own);
    printf("%d: writes to mbuf %d\n", _pid, hand[me])
  }
}
