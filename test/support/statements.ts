import pg from 'pg';
import { remember, remembered } from '../../src/kernel/request-scope.ts';

/**
 * Counts the SQL statements that HTTP requests send in this process, and those alone: `database.statistics` also counts the sequencer and the
 * jobs, which poll. A request is known by its scope.
 */
export const countStatements = (): { readonly total: () => number; stop(): void } => {
  const { prototype } = pg.Client as unknown as { prototype: { query(...given: unknown[]): unknown } };
  const real = prototype.query;
  let total = 0;
  prototype.query = function query(this: unknown, ...given: unknown[]) {
    remember('in a request', true); // does nothing outside one
    if (remembered('in a request')) total++;
    return Reflect.apply(real, this, given);
  };
  return {
    total: () => total,
    stop: () => {
      prototype.query = real;
    },
  };
};
