/* The guest's part of guest_life.pml. */

#define IS_RETIRED(me) \
  (incarnation == lease_incarnation[me] + 1 && epoch == lease_epoch[me])
#define IS_OVER(me) \
  ((I1 && incarnation != lease_incarnation[me]) || (E1 && epoch != lease_epoch[me]))

#define MINE NAME(own_epoch, last + 1)
#define IS_MINE(me) (!N1 || IS(MINE, me))

/* runGuest(): Attachment.claim(), follow(), Attachment.leave(). */
proctype guest(byte me) {
  byte lives = LIVES, read, own_epoch, last;
  bool moved;
  {
    do
    :: lives == 0 -> break
    :: else ->
      lives--;
retry:
      do
      :: quarantined -> goto gone
      :: atomic { state == RETIRED && (!W2 || peer == me) ->
        move(GUEST, RETIRED, DETACHING, true, moved) } /* GuestState.takeOver() */
      :: atomic { published && state == ABSENT -> own_epoch = epoch }; break
      od;
      atomic { published -> read = epoch }; /* Region.attach(): VERSION, then the directory */
      if
      :: N5
      :: !N5 -> own_epoch = epoch
      fi;
      last = incarnation;
      if
      :: C1 -> atomic { move(GUEST, ABSENT, ATTACHING, !C2 || name == NAME(own_epoch, last), moved);
        if
        :: moved -> claimant = me;
          if
          :: C3 -> name = MINE; peer = me
          :: else
          fi
        :: else
        fi }
      :: !C1 && state == ABSENT && name == NAME(own_epoch, last) ->
        atomic { state = ATTACHING; name = MINE; peer = me; claimant = me; moved = true }
      :: !C1 && !(state == ABSENT && name == NAME(own_epoch, last))
      fi;
      if
      :: !moved -> goto retry
      :: else -> moved = false
      fi;
      if
      :: C3
      :: !C3 -> peer = me; name = MINE
      fi;
      if
      :: !(state == ATTACHING && epoch == own_epoch)
      :: move(GUEST, ATTACHING, DETACHING, IS_MINE(me), moved); goto over
      fi;
      if
      :: atomic { state == RUNNING && epoch == own_epoch -> skip }
      :: atomic { else -> move(GUEST, ATTACHING, DETACHING, IS_MINE(me), moved); goto over }
      fi;
      atomic {
        lease_epoch[me] = own_epoch;
        lease_incarnation[me] = last + 1;
        is_stopped[me] = false;
        is_running[me] = true;
        directory_of_another_host = lease_epoch[me] != read;
        assert(!directory_of_another_host);
        printf("%d: guest %d runs: incarnation %d, epoch %d\n", _pid, me, last + 1, own_epoch)
      };
      if
      :: is_running[me] && STOPS -> is_stopped[me] = true
      :: !is_running[me]
      fi;
      (!J1 || !is_running[me]);
      if
      :: (incarnation == last + 1 || IS_RETIRED(me)) && epoch == own_epoch ->
        move(GUEST, RUNNING, DETACHING, IS_MINE(me), moved);
        if
        :: !moved -> move(GUEST, RETIRED, DETACHING, IS_MINE(me), moved)
        :: else
        fi
      :: else
      fi;
over:
      atomic {
        last = 0;
        read = 0;
        own_epoch = 0;
        lease_epoch[me] = 0;
        lease_incarnation[me] = 0;
        moved = false
      }
    od;
gone:
    is_connected[me] = false
  } unless { !is_connected[me] }
}

/* Turns of forward() in l2fwd.ts: from one host lcore to the other, if there are two. */
#define OUT (LCORES - 1 - in)
#define IS_FULL(ring) HAS_ONE(rx[ring].producer, consumer[ring])
proctype guest_lcore(byte me) {
  byte in, i, empty_turns, producer[LCORES], consumer[LCORES];
  {
end_wait:
    do
    :: atomic { is_running[me] ->
      for (i : 0 .. LCORES - 1) { consumer[i] = rx[i].consumer; producer[i] = tx[i].producer }
      i = 0;
      empty_turns = EMPTY_TURNS };
      do
      :: atomic { is_stopped[me] || IS_OVER(me) -> break }
      :: atomic { !is_stopped[me] && !IS_OVER(me) &&
        (IS_FULL(0) || IS_FULL(LCORES - 1) || empty_turns > 0) ->
        if
        :: IS_FULL(0) -> in = 0
        :: IS_FULL(LCORES - 1) -> in = LCORES - 1
        :: empty_turns > 0 -> empty_turns--
        fi;
        hand[me] = NOTHING };
        atomic {
          if
          :: IS_FULL(in) -> hand[me] = rx[in].slot
          :: else -> hand[me] = NONE; goto next_turn
          fi
        };
        consumer[in] = MOVED(consumer[in]);
        rx[in].consumer = consumer[in];
        touch(me);
        if
        :: HAS_ROOM(producer[OUT], tx[OUT].consumer) ->
          tx[OUT].slot = hand[me];
          producer[OUT] = MOVED(producer[OUT]);
          atomic { tx[OUT].producer = producer[OUT]; hand[me] = NONE }
        :: is_stopped[me] || IS_OVER(me) -> hand[me] = NONE
        fi;
next_turn:
        in = 0
      od;
      atomic {
        is_running[me] = false;
        empty_turns = 0;
        for (i : 0 .. LCORES - 1) { consumer[i] = 0; producer[i] = 0 }
        i = 0
      }
    od
  } unless { !is_connected[me] }
}
