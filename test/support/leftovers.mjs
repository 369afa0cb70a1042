// What a process has still of all that it began, as Node tells it: `process.getActiveResourcesInfo()` leaves out what does not keep a
// process (timers with `unref`), and nobody lists who listens to an AbortSignal.
import { createHook } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Notes from now on what is begun; `Connection`: the class of what nodes have of their boxes. */
export function noteLeftovers(Connection) {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  const timers = new Set();
  createHook({ init: (id, type) => void (type === 'Timeout' && timers.add(id)), destroy: (id) => void timers.delete(id) }).enable();

  const signals = new Map();
  const gone = new FinalizationRegistry((id) => signals.delete(id));
  const known = new WeakSet();
  let lastId = 0;
  AbortSignal.prototype.addEventListener = function addEventListener(...args) {
    if (!known.has(this)) {
      known.add(this);
      signals.set(++lastId, new WeakRef(this));
      gone.register(this, lastId);
    }
    return EventTarget.prototype.addEventListener.apply(this, args);
  };

  let watching = 0;
  let inside = 0;
  const counted = (method, add) => {
    const real = Connection.prototype[method];
    Connection.prototype[method] = function begin(...args) {
      add(1);
      const end = real.apply(this, args);
      let ended = false;
      return () => {
        if (!ended) add(-1);
        ended = true;
        return end();
      };
    };
  };
  counted('watch', (n) => { watching += n; });
  counted('enter', (n) => { inside += n; });

  return {
    async count() {
      // What was let go of is told a turn later, and what nobody has any more is not listened to.
      for (let turn = 0; turn < 3; turn++) {
        await nextTurn();
        collect();
      }
      await nextTurn();
      const living = [...signals.values()].flatMap((ref) => ref.deref() ?? []);
      return {
        resources: process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate').length,
        timers: timers.size,
        'listeners of signals': living.reduce((sum, signal) => sum + getEventListeners(signal, 'abort').length, 0),
        'watchers of boxes': watching,
        'users of boxes': inside,
      };
    },
  };
}
