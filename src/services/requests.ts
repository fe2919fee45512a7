import type { Clock } from '../kernel/clock.ts';
import { remember, remembered } from '../kernel/request-scope.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';

/** One request of a service, as its integrator may read it: no value, no person, no address. */
export interface Requested {
  readonly serviceId: string;
  readonly at: Date;
  /** `token`, `auth`, `actions`, `validity`… */
  readonly endpoint: string;
  /** `ok`, or the code of the error as the service received it. */
  readonly code: string;
  readonly status: number;
}

/** One notice that a service was to be told, as its integrator may read it. */
export interface Told {
  readonly at: Date;
  /** `logout`, or the event of a Shared Signals stream. */
  readonly what: string;
  readonly attempts: number;
  readonly acknowledgedAt: Date | null;
  /** Nothing more is tried. */
  readonly over: boolean;
}

export interface RequestStore {
  add(tx: Transaction, requests: readonly Requested[]): Promise<void>;
  /** Keeps the newest of each of these services. */
  trim(tx: Transaction, serviceIds: readonly string[], most: number): Promise<void>;
  recent(tx: Transaction, serviceId: string, limit: number): Promise<Requested[]>;
  purge(tx: Transaction, before: Date): Promise<number>;
  told(tx: Transaction, serviceId: string, limit: number): Promise<Told[]>;
}

/** What the request under way turns out to be. */
interface Asked {
  service?: string;
  code?: string;
}
const ASKED = 'asked';

/** Begins to look at the request under way. */
export const watchRequest = (): Asked => {
  const asked: Asked = {};
  remember(ASKED, asked);
  return asked;
};

/** Says which service asks, once it is known. */
export const askedBy = (service: string | undefined): void => {
  const asked = remembered(ASKED) as Asked | undefined;
  if (asked && service !== undefined) asked.service ??= service;
};

/** Says with what code the request is refused: the first that is said stands. */
export const refusedWith = (code: unknown): void => {
  const asked = remembered(ASKED) as Asked | undefined;
  if (asked && typeof code === 'string' && /^[a-z0-9_]{1,60}$/.test(code)) asked.code ??= code;
};

const ENDPOINT =
  /^\/(?:oidc\/(auth|token|userinfo|introspection|revocation|par|session\/end)|api\/v1\/(actions)|api\/v1\/mandates\/[^/]+\/(validity)|(ssf))(?:[/?]|$)/;

/** How many lines wait in memory, how many are kept, and for how long. */
const WAIT = 200;
const KEPT = 300;
const DAYS = 7;
const SHOWN = 30;

export interface Requests {
  /** Notes a request that was answered, if a service asked it; never waits. */
  note(url: string, asked: Asked, status: number): void;
  /** Writes what waits. */
  flush(): Promise<void>;
  recent(serviceId: string): Promise<Requested[]>;
  /** What it was told lately, newest first. */
  told(serviceId: string): Promise<Told[]>;
  purge(): Promise<number>;
}

/** Keeps the last requests of each service. What is lost by a crash, or beyond what waits, is lost: nothing depends on it. */
export const createRequests = (parts: { transactions: Transactions; store: RequestStore; clock: Clock }): Requests => {
  const { transactions, store, clock } = parts;
  const waiting = new Map<string, Requested[]>();
  return {
    note(url, { service, code }, status) {
      const endpoint = ENDPOINT.exec(url)?.slice(1).find(Boolean);
      if (!service || !endpoint) return;
      const lines = waiting.get(service) ?? [];
      if (lines.length >= WAIT) lines.shift();
      lines.push({ serviceId: service, at: clock.now(), endpoint, code: code ?? (status < 400 ? 'ok' : `http_${status}`), status });
      waiting.set(service, lines);
    },
    async flush() {
      if (!waiting.size) return;
      const [services, lines] = [[...waiting.keys()], [...waiting.values()].flat()];
      waiting.clear();
      await store.add(transactions.auto, lines);
      await store.trim(transactions.auto, services, KEPT);
    },
    recent: (serviceId) => store.recent(transactions.auto, serviceId, SHOWN),
    told: (serviceId) => store.told(transactions.auto, serviceId, SHOWN),
    purge: () => store.purge(transactions.auto, new Date(clock.now().getTime() - DAYS * 86_400_000)),
  };
};
