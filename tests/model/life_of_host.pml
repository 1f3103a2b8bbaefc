/* The host's part of guest_life.pml. */

#define IS_ACKNOWLEDGED (acknowledgement[0] == gate && acknowledgement[LCORES - 1] == gate)
#define HOLDS_SOME (ledger[0] == LENT || ledger[MBUFS - 1] == LENT)
#define DIED_WITH_ITS_LCORES(life) (died_with[0] == life && died_with[LCORES - 1] == life)
#define IS_BETWEEN_TURNS (hand[0] == NONE && hand[GUESTS - 1] == NONE)
/* A hostile guest may make up a peer id. */
#define IS_CONNECTED(who) (who < GUESTS && is_connected[who % GUESTS])
#define IS_CLAIM (name == NAME(epoch, incarnation + 1)) /* GuestState.isClaim() */
#define IS_VACANT (state == ABSENT && name == NAME(epoch, incarnation))
#define IS_OURS(state_) (state == state_ && (name == admitted_name || !C3))

/* Region.build(), then GuestSupervisor.step() again and again. */
proctype host() {
  byte lived, phase, i, who, admitted_name, shortages = SHORTAGES;
  bool moved, is_silent, was_quiesced;

next:
  {
    DIED_WITH_ITS_LCORES(life);
    published = false;
    epoch++;
    d_step {
      state = ABSENT;
      incarnation = 0;
      name = NAME(epoch, 0);
      peer = NONE;
      for (i : 0 .. LCORES - 1) {
        rx[i].producer = 0; rx[i].consumer = 0; tx[i].producer = 0; tx[i].consumer = 0;
        acknowledgement[i] = 0
      }
      i = 0
    };
    (!A1 || IS_BETWEEN_TURNS);
    d_step {
      for (i : 0 .. MBUFS - 1) { free[i] = true; ledger[i] = OWN; lent_to[i] = NONE }
      i = 0;
      quarantined = false;
      violation = false;
      phase = CLOSED;
      claimant = NONE;
      admitted = NONE;
      published = true
    };
end_watch:
    do
    :: atomic { phase == CLOSED && state == ATTACHING && (IS_CLAIM || !C3) &&
                (!Q1 || !quarantined) ->
      quarantined_let_in = quarantined;
      assert(!quarantined_let_in);
      incarnation++;
      who = peer;
      admitted = claimant;
      admitted_name = name;
      gate++;
      phase = OPENING;
      seek(SUCCEEDED, was_quiesced && admitted == GUESTS - 1);
      printf("%d: opens the gate: incarnation %d, peer %d\n", _pid, incarnation, who) }
    :: atomic { phase == CLOSED && !quarantined && !IS_VACANT &&
      (state != ATTACHING || !(IS_CLAIM || !C3)) ->
      if
      :: state == DETACHING -> seek(GAVE_UP, true)
      :: else -> accuse()
      fi;
      incarnation++;
      clear(ABSENT) }
    :: atomic { phase == CLOSED && quarantined && Q1 && state != QUARANTINED ->
      state = QUARANTINED }
    :: atomic { phase == OPENING && (!G1 || IS_ACKNOWLEDGED) ->
      move(HOST, ATTACHING, RUNNING, IS_OURS(ATTACHING), moved);
      if
      :: !moved && !IS_OURS(DETACHING) -> accuse()
      :: else
      fi;
      moved = false;
      phase = OPEN }
    :: atomic { phase == OPEN ->
      if
      :: IS_OURS(DETACHING)
      :: !IS_OURS(RUNNING) && !IS_OURS(DETACHING) -> accuse()
      :: !IS_CONNECTED(who)
      :: IS_OURS(RUNNING) -> is_silent = true
      fi;
      shut() }
    :: atomic { violation && !quarantined ->
      seek(ACCUSED, true);
      quarantined = true;
      if
      :: phase == OPENING || phase == OPEN -> shut()
      :: phase == QUIESCED -> take_back()
      :: else
      fi;
      is_silent = false }
    :: atomic { phase == CLOSING && (!G2 || IS_ACKNOWLEDGED) ->
      if
      :: W1 && is_silent && IS_OURS(RUNNING) && IS_CONNECTED(who) && (W3 || HOLDS_SOME) ->
        move(HOST, RUNNING, RETIRED, true, moved);
        moved = false;
        phase = QUIESCED
      :: else -> take_back()
      fi;
      is_silent = false }
    :: atomic { phase == QUIESCED && (!IS_OURS(RETIRED) || !IS_CONNECTED(who)) ->
      seek(WOKEN, IS_CONNECTED(who) && !is_running[who]);
      seek(DEAD_IN_QUIESCENCE, !IS_CONNECTED(who));
      was_quiesced = SEEK == SUCCEEDED;
      take_back() }
    :: atomic { phase == QUIESCED && shortages > 0 && (!A2 || hand[who] == NONE) ->
      printf("%d: ends the quiesced\n", _pid);
      shortages--;
      take_back() }
    od
  } unless {
    atomic { life != lived -> lived = life; moved = false; is_silent = false; i = 0 }
  };
  goto next
}

/* Turns of forward(): GateFollower.follow(), Lane. */
proctype host_lcore(byte me) {
  byte lived, frames, seen, producer, consumer, mbuf = NONE, i;
next:
  {
    frames = FRAMES;
end_turn:
    do
    :: atomic { gate != seen ->
      seen = gate;
      if
      :: seen % 2 == 1 && R1 ->
        producer = 0; consumer = 0;
        rx[me].producer = 0; rx[me].consumer = 0; tx[me].producer = 0; tx[me].consumer = 0
      :: else
      fi;
      acknowledgement[me] = seen;
      printf("%d: follows the gate: %d\n", _pid, seen) }
    :: atomic { frames > 0 && seen % 2 == 1 && (free[0] || free[MBUFS - 1]) ->
      if
      :: free[0] -> mbuf = 0
      :: free[MBUFS - 1] -> mbuf = MBUFS - 1
      fi;
      free[mbuf] = false;
      frames-- };
      atomic { ledger[mbuf] = LENT; lent_to[mbuf] = admitted };
      atomic {
        if
        :: HAS_ROOM(producer, rx[me].consumer) ->
          rx[me].slot = mbuf;
          producer = MOVED(producer);
          rx[me].producer = producer;
          printf("%d: lends mbuf %d\n", _pid, mbuf)
        :: else ->
          if
          :: IS_POSSIBLE(producer, rx[me].consumer)
          :: else -> accuse()
          fi;
          ledger[mbuf] = OWN;
          free_mbuf(mbuf)
        fi;
        mbuf = NONE
      }
    :: atomic { seen % 2 == 1 && HAS_ONE(tx[me].producer, consumer) ->
      mbuf = tx[me].slot;
      consumer = MOVED(consumer);
      tx[me].consumer = consumer;
      if
      :: mbuf < MBUFS && (!L1 || ledger[mbuf] == LENT) ->
        for (i : 0 .. GUESTS - 1) {
          taken_while_held = SCRIBBLES == 0 && hand[i] == mbuf;
          assert(!taken_while_held)
        }
        i = 0;
        printf("%d: takes mbuf %d\n", _pid, mbuf);
        seek(FORWARDED_AT_LAST, epoch == HOSTS && admitted == GUESTS - 1);
        ledger[mbuf] = OWN;
        free_mbuf(mbuf)
      :: else -> accuse()
      fi;
      mbuf = NONE }
    :: atomic { seen % 2 == 1 && !violation && !IS_POSSIBLE(tx[me].producer, consumer) ->
      accuse() }
    od
  } unless {
    atomic { life != lived ->
      lived = life; died_with[me] = life; seen = 0; mbuf = NONE; i = 0 }
  };
  goto next
}
