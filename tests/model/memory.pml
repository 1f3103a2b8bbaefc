/*
 * Memory with the orderings of C++20, for the other models to include.
 *
 * A word is the list of all stores to it, oldest first. What a process has seen is a set of events,
 * one bit each. A load may return any store but those older than one to this word that the process
 * has seen: the younger ones may still be on their way (a store buffer that drains in any order),
 * or the load was done early (reordered). Then
 *
 *   release           a store carries what its process has seen; without, it carries nothing
 *   acquire           the process has seen what the store carries that it loads
 *   compare-and-swap  loads the newest store, and carries what that carries (release sequence)
 *   full fence        the process has seen what fences before have gathered, and adds what it has
 *                     seen; loads before it acquire now, stores after it release what was seen here
 *
 * The model that includes this says before how many WORDS there are, of which those from LISTED on
 * are only loaded to be compared and swapped; how many STORES there are to one word; and FENCES if
 * it has any.
 */

#ifndef LISTED
#define LISTED WORDS
#endif
#ifndef WIDTH /* bits for stores to a word, and the bits below them */
#define WIDTH(w) STORES
#define BELOW(w) ((w) * STORES)
#endif

typedef Word {
  byte newest;
  byte value[STORES + 1];
  int carries[STORES + 1]
};

Word word[WORDS];

/* Each process begins with this. */
#ifdef FENCES
int gathered; /* by fences */
#define VIEW int seen, at_fence, loaded; byte chosen
#else
#define VIEW int seen; byte chosen
#define at_fence 0
#endif

/* Store 0 is what was there at first: all have seen it, and it has no bit. */
#define UP_TO(w, k) ((w) < LISTED -> ((1 << (k)) - 1) << BELOW(w) : 0)
#define AFTER(w, k) (((1 << (WIDTH(w) - (k))) - 1) << (BELOW(w) + (k)))
#define MAY_LOAD(w, k) ((k) <= word[w].newest && !(seen & AFTER(w, k)))
#define NEWEST(w) word[w].value[word[w].newest]

/*
 * Stores to a word come one after the other in all models: each storer has loaded the one before,
 * or made it.
 */
inline store(w, what, releases) {
  d_step {
    assert(word[w].newest < STORES && (w >= LISTED || word[w].newest < WIDTH(w)));
    word[w].newest++;
    seen = seen | UP_TO(w, word[w].newest);
    NEWEST(w) = what;
    word[w].carries[word[w].newest] = (releases -> seen : at_fence);
    printf("%d: %e = %d\n", _pid, w + 1, NEWEST(w))
  }
}

inline load_chosen(w, acquires, result) {
  d_step {
    seen = seen | UP_TO(w, chosen) | (acquires -> word[w].carries[chosen] : 0);
#ifdef FENCES
    loaded = loaded | word[w].carries[chosen];
#endif
    result = word[w].value[chosen];
    printf("%d: loads %e: %d, %d newer\n", _pid, w + 1, result, word[w].newest - chosen);
    chosen = 0
  }
}

inline load(w, acquires, result) {
  atomic {
    chosen = word[w].newest;
    do
    :: chosen > 0 && MAY_LOAD(w, chosen - 1) -> chosen--
    :: break
    od;
    skip; /* Spin lets no loop end at a d_step */
    load_chosen(w, acquires, result)
  }
}

/*
 * Options of an `if`: choose a store that may be loaded and whose value is USEFUL(). There is no
 * need to load others and try again, as programs do: that only adds to what was seen, so allows
 * less.
 */
#define CHOOSE(w, USEFUL) \
  TRY(w, 0, USEFUL) TRY(w, 1, USEFUL) TRY(w, 2, USEFUL) TRY(w, 3, USEFUL) TRY(w, 4, USEFUL) \
  TRY(w, 5, USEFUL) TRY(w, 6, USEFUL) TRY(w, 7, USEFUL) TRY(w, 8, USEFUL) TRY(w, 9, USEFUL)
#define TRY(w, k, USEFUL) :: MAY_LOAD(w, k) && USEFUL(word[w].value[k]) -> chosen = k
#define CHOICES 10

/* Of a word to be compared and swapped: the swap would fail with any older value. */
inline load_newest(w, acquires, result) {
  d_step {
    chosen = word[w].newest;
    load_chosen(w, acquires, result)
  }
}

inline compare_and_swap(w, expected, desired, releases, success) {
  d_step {
    success = NEWEST(w) == expected;
    if
    :: success ->
      store(w, desired, releases);
      word[w].carries[word[w].newest] =
        word[w].carries[word[w].newest] | word[w].carries[word[w].newest - 1]
    :: else
    fi
  }
}

#ifdef FENCES
inline full_fence(is_there) {
  d_step {
    if
    :: is_there ->
      gathered = gathered | seen | loaded;
      seen = gathered;
      at_fence = seen;
      loaded = 0;
      printf("%d: full fence\n", _pid)
    :: else
    fi
  }
}
#endif
