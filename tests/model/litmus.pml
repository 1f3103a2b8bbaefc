/*
 * Shows that memory.pml is what it says: well-known litmus tests. The assertion of each is what
 * must never be seen; whether it is depends on the orderings that are there.
 */

#define WORDS 2
#ifndef STORES
#define STORES 3
#endif
mtype = { Y_WORD, X_WORD };
#define X 0
#define Y 1

#ifndef RELEASE
#define RELEASE true
#endif
#ifndef ACQUIRE
#define ACQUIRE true
#endif
#ifndef FENCE_1
#define FENCE_1 true
#endif
#ifndef FENCE_2
#define FENCE_2 true
#endif

#define FENCES
#include "memory.pml"

byte a, b, c, d, done;
bool outcome_seen;

#define PROCESS(name) proctype name() { VIEW; bool swapped;
#define END done++ }
#define NEVER(outcome) \
  active proctype check() { \
    done == PROCESSES; \
    outcome_seen = outcome; \
    assert(!outcome_seen) \
  }

#if defined(MESSAGE_PASSING)
#define PROCESSES 2
active PROCESS(send) store(X, 1, false); store(Y, 1, RELEASE); END
active PROCESS(receive) load(Y, ACQUIRE, a); load(X, false, b); END
NEVER(a == 1 && b == 0)

#elif defined(MESSAGE_BETWEEN_FENCES)
#define PROCESSES 2
active PROCESS(send) store(X, 1, false); full_fence(FENCE_1); store(Y, 1, false); END
active PROCESS(receive) load(Y, false, a); full_fence(FENCE_2); load(X, false, b); END
NEVER(a == 1 && b == 0)

#elif defined(THROUGH_A_THIRD) /* what was acquired is released again */
#define PROCESSES 3
active PROCESS(send) store(X, 1, false); store(Y, 1, RELEASE); END
active PROCESS(pass_on)
  load(Y, ACQUIRE, a);
  if
  :: a == 1 -> store(Y, 2, true)
  :: else
  fi;
END
active PROCESS(receive) load(Y, true, b); load(X, false, c); END
NEVER(b == 2 && c == 0)

#elif defined(THROUGH_A_SWAP) /* a relaxed one: it goes on with the release sequence */
#define PROCESSES 3
active PROCESS(send) store(X, 1, false); store(Y, 1, RELEASE); END
active PROCESS(swap) compare_and_swap(Y, 1, 2, false, swapped); END
active PROCESS(receive) load(Y, ACQUIRE, b); load(X, false, c); END
NEVER(b == 2 && c == 0)

#elif defined(STORE_BUFFERING)
#define PROCESSES 2
active PROCESS(left) store(X, 1, false); full_fence(FENCE_1); load(Y, false, a); END
active PROCESS(right) store(Y, 1, false); full_fence(FENCE_2); load(X, false, b); END
NEVER(a == 0 && b == 0)

#elif defined(INDEPENDENT_READS) /* of independent writes */
#define PROCESSES 4
active PROCESS(store_x) store(X, 1, RELEASE); END
active PROCESS(store_y) store(Y, 1, RELEASE); END
active PROCESS(left) load(X, ACQUIRE, a); full_fence(FENCE_1); load(Y, ACQUIRE, b); END
active PROCESS(right) load(Y, ACQUIRE, c); full_fence(FENCE_2); load(X, ACQUIRE, d); END
NEVER(a == 1 && b == 0 && c == 1 && d == 0)

#elif defined(COHERENCE) /* nobody sees one word go back */
#define PROCESSES 2
active PROCESS(count) store(X, 1, false); store(X, 2, false); store(X, 3, false); END
active PROCESS(watch) load(X, false, a); load(X, false, b); END
NEVER(b < a)

#elif defined(OLD_VALUE) /* the last one stored is not always seen */
#define PROCESSES 2
active PROCESS(count) store(X, 1, false); store(X, 2, false); d = 1; END
active PROCESS(watch) d == 1; load(X, ACQUIRE, a); END
NEVER(a == VALUE)

#elif defined(SWAP) /* one of two wins */
#define PROCESSES 2
active PROCESS(left) compare_and_swap(X, 0, 1, false, swapped); a = swapped; END
active PROCESS(right) compare_and_swap(X, 0, 2, false, swapped); b = swapped; END
NEVER(a == b)
#endif
