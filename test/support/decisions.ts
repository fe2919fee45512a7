import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';

/**
 * Watches what the application commits, in every test that opens a world: a transaction that changes a table where decisions are kept writes to
 * the journal's queue too (claims J1, J2). One that does not fails its test file.
 */

/** Tables that only help the others: a change of their rows decides nothing, or is told by a row of another. */
export const HELPING: Readonly<Record<string, string>> = {
  attestation_key: 'keys.made says it',
  delivery: 'message.sent and message.delivered say it of messages, revocation.delivered of services',
  key_fingerprint: 'configuration.changed says it',
  loss_quota: 'a counter',
  oidc_artefact: 'token.issued and session.opened say what counts; the rest is a request under way',
  passkey_challenge: 'a question to a browser',
  replay: 'a request that was seen',
  sms_callback: 'a call that was seen',
  sms_quota: 'a counter',
  stop_try: 'a counter',
  web_session: 'signing in, out and switching have their entries; the rest is a browser that comes back',
};

/** Statements on the other tables that decide nothing, each with why. */
const ALLOWED: readonly (readonly [pattern: RegExp, why: string])[] = [
  [/insert into loss_report|delete from loss_report/, 'anybody may type an address: loss.reported follows when it is somebody’s'],
  [/(insert into|delete from) loss_link/, 'a link in a mail, or one of thirty days ago: message.sent says it'],
  [/update phone_link set (refusal|started_at)/, 'a try that is not over: whoever ends it writes mandate.refused or mandate.consented'],
  [/update remote_consent set (later|unclear) = /, 'an answer that is none: it is counted, and asked again'],
  [/update (totp|channel) set failures = /, 'a counter; factor.refused says it of a factor'],
  [/update passkey set (counter|sign_count|last_used)/, 'factor.accepted says it'],
];

const WRITES = /\b(?:insert\s+into|update|delete\s+from)\s+(?:only\s+)?(?!set\b|skip\b|of\b)([a-z_]+)\b(?!\.)/gi;
const tablesIn = (text: string): string[] => [...text.matchAll(WRITES)].map(([, table = '']) => table.toLowerCase());

interface Watched {
  owner: boolean;
  open: boolean;
  found: { readonly table: string; readonly text: string }[];
  entry: boolean;
}

type Query = (...given: unknown[]) => unknown;
const hand = new AsyncLocalStorage<true>();
/** Runs what a test does in the application's place, through a store of its own: no decision of the application. */
export const byHand = <T>(work: () => Promise<T>): Promise<T> => hand.run(true, work);

/** Says which of these tables this transaction wrote rows of. */
const changedAmong = (tables: readonly string[]): string =>
  tables
    .map(
      (table) =>
        `select '${table}' name where exists (select 1 from ${table} where xmin::text::bigint = pg_current_xact_id()::text::bigint % 4294967296)`,
    )
    .join(' union all ');

/** Whether this connection speaks for the owner of the database rather than for the application: tests do, to look and to tamper. */
const isOwner = (client: object): boolean => {
  const { connectionParameters } = client as { connectionParameters?: { options?: string } };
  const options = connectionParameters?.options;
  return options !== undefined && !options.includes('role=relais_app');
};

/** Watches this process until `stop`. What was committed without its entry is printed, and with RELAIS_TEST_STRICT the file fails once it has run. */
export const watchDecisions = (): { stop(): void } => {
  const { prototype } = pg.Client as unknown as { prototype: { query: Query } };
  const real = prototype.query;
  const clients = new WeakMap<object, Watched>();
  const silent = new Set<string>();
  const stateOf = (client: object): Watched => {
    const one = clients.get(client) ?? { owner: isOwner(client), open: false, found: [], entry: false };
    clients.set(client, one);
    return one;
  };
  const start = (one: Watched, open: boolean): void => void Object.assign(one, { open, found: [], entry: false });
  const note = (one: Watched, text: string, count: number): void => {
    if (/\bjournal\.queue\b/.test(text)) one.entry = true;
    if (count === 0 || ALLOWED.some(([pattern]) => pattern.test(text))) return;
    for (const table of tablesIn(text)) if (!Object.hasOwn(HELPING, table)) one.found.push({ table, text });
  };
  const settle = (one: Watched, changed: (table: string) => boolean): void => {
    for (const { table, text } of one.entry ? [] : one.found)
      if (changed(table)) silent.add(`${table}: ${text.replace(/\s+/g, ' ').trim().slice(0, 200)}`);
  };
  const after = (one: Watched, text: string, count: number): void => {
    if (/^reset role/i.test(text)) one.owner = true;
    else if (/^set role/i.test(text)) one.owner = false;
    else if (one.owner) return;
    else if (/^begin/i.test(text)) start(one, true);
    else if (/^(commit|rollback)/i.test(text)) start(one, false);
    else {
      note(one, text, count);
      if (one.open) return;
      settle(one, () => true);
      start(one, false);
    }
  };
  prototype.query = function query(this: object, ...given: unknown[]) {
    const [first] = given;
    const text = typeof first === 'string' ? first : String((first as { text?: unknown } | undefined)?.text ?? '');
    if (hand.getStore()) return Reflect.apply(real, this, given);
    const one = stateOf(this);
    const send = (): unknown => Reflect.apply(real, this, given);
    // The words of a statement say what it may change; the database says, before the commit, what it did.
    const asked = !one.owner && one.open && !one.entry && one.found.length > 0 && /^commit/i.test(text);
    const answer = asked
      ? (Reflect.apply(real, this, [changedAmong([...new Set(one.found.map(({ table }) => table))])]) as Promise<{ rows: { name: string }[] }>).then(
          ({ rows }) => {
            const changed = new Set(rows.map(({ name }) => name));
            settle(one, (table) => changed.has(table));
            return send();
          },
        )
      : send();
    if (!(answer instanceof Promise)) return answer;
    return answer.then((result: unknown) => {
      after(one, text, (result as { rowCount?: number | null }).rowCount ?? 1);
      return result;
    });
  };
  return {
    stop: () => {
      prototype.query = real;
      if (!silent.size) return;
      process.stderr.write(`J1 a decision without its entry:\n${[...silent].map((one) => `  ${one}\n`).join('')}`);
      if (process.env['RELAIS_TEST_STRICT'])
        process.once('exit', () => {
          process.exitCode = 1;
        });
    },
  };
};
