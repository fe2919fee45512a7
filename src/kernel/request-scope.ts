import { AsyncLocalStorage } from 'node:async_hooks';

/** What one request has already read, so that it is not read twice. It dies with the request: nothing in it outlives a revocation. */
const scope = new AsyncLocalStorage<Map<string, unknown>>();

/** Runs `work` as one request. */
export const inRequest = <T>(work: () => T): T => scope.run(new Map(), work);

/** Runs `work`, and all that it starts, as part of no request: what goes on after the answer must not read what the request had read. */
export const outsideRequest = <T>(work: () => T): T => scope.exit(work);

/** Keeps a value for the rest of the request; does nothing outside one, and says so. */
export const remember = (key: string, value: unknown): boolean => scope.getStore()?.set(key, value) !== undefined;

/** Gives back what `remember` kept under this key, or undefined. */
export const remembered = (key: string): unknown => scope.getStore()?.get(key);

/** Takes a kept value away, after it was given back: a second read goes to the database. */
export const forget = (key: string): void => {
  scope.getStore()?.delete(key);
};
