/**
 * A burst that calls `onAccess` before each of its words is read or written: a way to see what a ring
 * has published by then.
 */
export function watchedBurst(words: Uint32Array, onAccess: () => void): Uint32Array {
  return new Proxy(words, {
    get: (target, key) => {
      onAccess();
      return Reflect.get(target, key, target);
    },
    set: (target, key, value) => {
      onAccess();
      return Reflect.set(target, key, value, target);
    },
  });
}
