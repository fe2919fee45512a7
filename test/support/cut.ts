import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import pg from 'pg';
import { remember, remembered } from '../../src/kernel/request-scope.ts';

/**
 * Cuts the connection to PostgreSQL at one statement of the requests that follow: before it is sent, or once the database has done it and before anybody
 * knows (as a process killed there, or a network that breaks, leaves things). Begin and commit count as statements. Touched are the statements of HTTP
 * requests and of what `work` itself calls, no job's.
 */
export const openCutter = () => {
  const { prototype } = pg.Client as unknown as { prototype: { query(...given: unknown[]): unknown } };
  const real = prototype.query;
  const breakOff = async (stream: Duplex): Promise<never> => {
    const closed = once(stream, 'close');
    stream.destroy();
    await closed;
    throw new Error('the connection was cut');
  };
  const mine = new AsyncLocalStorage<true>();
  let plan: { readonly at: number; readonly when: 'before' | 'after' } | undefined;
  let seen = 0;
  let cut = false;
  prototype.query = function query(this: { connection: { stream: Duplex } }, ...given: unknown[]) {
    remember('in a request', true); // does nothing outside one
    if (!plan || !(remembered('in a request') || mine.getStore()) || ++seen !== plan.at) return Reflect.apply(real, this, given);
    cut = true;
    const { stream } = this.connection;
    if (plan.when === 'before') {
      return breakOff(stream);
    }
    return Promise.resolve(Reflect.apply(real, this, given)).then(() => {
      return breakOff(stream);
    });
  };
  return {
    /** Runs `work` with its nth statement cut; says whether there was an nth. */
    async around(at: number, when: 'before' | 'after', work: () => Promise<unknown>): Promise<boolean> {
      plan = { at, when };
      seen = 0;
      cut = false;
      try {
        await mine.run(true, work);
      } finally {
        plan = undefined;
      }
      return cut;
    },
    close: () => {
      prototype.query = real;
    },
  };
};
