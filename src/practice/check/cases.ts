import '../guard.ts';
import type { Authority, Lie } from './authority.ts';
import type { Contract } from './contract.ts';
import type { Visit, Visits } from './visit.ts';

/** One thing that must be true of a service. `id` never changes: reports are compared by it. */
export interface Case {
  readonly id: string;
  readonly title: string;
  /** What is wrong, in one sentence; undefined when nothing is. */
  readonly play: (parts: Parts) => Promise<string | undefined>;
}

interface Parts {
  readonly authority: Authority;
  readonly contract: Contract;
  readonly visits: Visits;
}

class Stopped extends Error {}
const must = (holds: boolean, what: string): void => {
  if (!holds) throw new Stopped(what);
};

/** Says what is wrong: what `must` found, or a fault on the way, which is one too. */
const finding = async (work: () => Promise<void>): Promise<string | undefined> => {
  try {
    await work();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

const made = (id: string, title: string, work: (parts: Parts) => Promise<void>): Case => ({ id, title, play: (parts) => finding(() => work(parts)) });

const until = async (holds: () => boolean | Promise<boolean>, ms: number): Promise<boolean> => {
  for (const end = performance.now() + ms; performance.now() < end; await new Promise((resume) => setTimeout(resume, 50)))
    if (await holds()) return true;
  return holds();
};

const showsSomething = async ({ visits }: Parts, visit: Visit): Promise<boolean> =>
  (await visits.shown(visit)).some(({ organisation, person }) => organisation || person);

const signedIn = async (parts: Parts): Promise<Visit & { opened: NonNullable<Visit['opened']> }> => {
  const visit = await parts.visits.signIn();
  const { opened } = visit;
  if (!opened) throw new Stopped(`${parts.contract.sign_in} did not lead to the authority with a dlg: scope or a mandate detail`);
  must(await showsSomething(parts, visit), 'a right sign-in did not open a session: no page shows who acts, nor for whom');
  return { ...visit, opened };
};

const prepared = async ({ visits, contract }: Parts, visit: Visit): Promise<Readonly<Record<string, string>>> => {
  const fields = await visits.prepare(visit);
  if (!fields) throw new Stopped(`${contract.write.page ?? ''} holds no form to ${contract.write.action}`);
  return fields;
};

/** Posts an act that must not be done, and compares what is stored and reported before and after. */
const refused = async (parts: Parts, visit: Visit, fields: Readonly<Record<string, string>>): Promise<void> => {
  const { visits, authority } = parts;
  const [stored, reports] = [(await visits.acts()).length, authority.reports.length];
  const status = await visits.send(visit, fields);
  must((await visits.acts()).length === stored, `the act was stored (the answer was ${status})`);
  must(authority.reports.length === reports, 'the act was reported');
  must(status >= 300, `the answer was ${status}, as for an act that was done`);
};

const BANNER = made('banner', 'each page says who acts (the structure) and for whom', async (parts) => {
  const visit = await signedIn(parts);
  for (const { page, organisation, person } of await parts.visits.shown(visit)) {
    must(organisation, `${page} does not name the structure`);
    must(person, `${page} does not name the person`);
  }
});

const STORED = made('act-stored', 'what is stored with an act names the aidant, the mandate and the session', async (parts) => {
  const visit = await signedIn(parts);
  const stored = (await parts.visits.acts()).length;
  const status = await parts.visits.send(visit, await prepared(parts, visit));
  must(status < 400, `the act was answered ${status}`);
  const acts = await parts.visits.acts();
  must(acts.length === stored + 1, `${acts.length - stored} acts were stored instead of one`);
  const last = acts.at(-1);
  must(last?.act?.sub === visit.opened.actor, '`act.sub` is not the aidant of the ID token');
  must(last?.identifier === visit.opened.identifier, '`identifier` is not the mandate of the ID token');
  must(last?.session === visit.opened.id, '`session` is not the delegated session of the ID token');
});

const REPORTED = made('reported', 'an act is reported to Relais', async (parts) => {
  const { authority, contract, visits } = parts;
  const visit = await signedIn(parts);
  const fields = await prepared(parts, visit);
  const from = authority.reports.length;
  await visits.send(visit, fields);
  const found = () =>
    authority.reports
      .slice(from)
      .some(
        ({ session, verb, demarche, outcome }) =>
          session === visit.opened.id && verb === contract.write.verb && demarche === contract.write.demarche && outcome === 'success',
      );
  must(await until(found, 3000), `no report of "${contract.write.verb}" of ${contract.write.demarche} for this session came within 3 seconds`);
});

/** A sign-in of which one thing is wrong must open nothing. */
const lied = (id: string, title: string, fault: Lie): Case =>
  made(id, title, async (parts) => {
    parts.authority.lie(fault);
    try {
      const visit = await parts.visits.signIn();
      must(visit.opened !== undefined, `${parts.contract.sign_in} did not lead to the authority`);
      must(!(await showsSomething(parts, visit)), 'a session was opened all the same');
    } finally {
      parts.authority.lie(undefined);
    }
  });

const SIGN_IN: readonly Case[] = [
  lied('id-token-iss', 'an ID token of another issuer is refused', 'wrong-iss'),
  lied('id-token-nonce', 'an ID token with another nonce is refused', 'wrong-nonce'),
  lied('id-token-aud', 'an ID token for another service is refused', 'wrong-aud'),
  lied('id-token-alg-none', 'an ID token without signature (alg none) is refused', 'none-alg'),
  lied('id-token-alg-hs256', 'an ID token signed with a secret (HS256) is refused', 'hs256'),
  lied('id-token-key', 'an ID token signed by a stranger is refused', 'bad-signature'),
  lied('id-token-expired', 'an ID token that has expired is refused', 'expired'),
  lied('callback-iss', 'an authorization response of another issuer is refused (RFC 9207)', 'wrong-callback-iss'),
  lied('no-actor', 'a delegated sign-in without `act` is refused: the aidant is not taken for the person', 'no-actor'),
  lied('plain-acr', 'a delegated sign-in whose `acr` is not a delegated one is refused', 'low-acr'),
];

const LOGOUT = made('logout', 'a logout token ends the session of the browser, and the next write is refused', async (parts) => {
  const { authority, visits } = parts;
  const [visit, other] = [await signedIn(parts), await signedIn(parts)];
  const fields = await prepared(parts, visit);
  const status = await visits.tell(await authority.logoutToken(visit.opened.id));
  must(status === 200 || status === 204, `the logout token was answered ${status} instead of 200 or 204`);
  must(await until(async () => !(await showsSomething(parts, visit)), 2000), 'the session of the browser goes on');
  authority.stop(visit.opened.id);
  await refused(parts, visit, fields);
  must(await showsSomething(parts, other), 'another session of the same person was ended as well');
});

type Wrong = Parameters<Authority['logoutToken']>;
const forged = (id: string, title: string, change: Wrong[1], header: Wrong[2] = {}): Case =>
  made(id, title, async (parts) => {
    const visit = await signedIn(parts);
    const status = await parts.visits.tell(await parts.authority.logoutToken(visit.opened.id, change, header));
    must(status >= 400 && status < 500, `it was answered ${status} instead of 400`);
    must(await showsSomething(parts, visit), 'it ended the session');
  });

const FORGED: readonly Case[] = [
  forged('logout-iss', 'a logout token of another issuer is refused', { iss: 'https://another-issuer.example' }),
  forged('logout-aud', 'a logout token for another service is refused', { aud: 'another-client' }),
  forged('logout-key', 'a logout token signed by a stranger is refused', {}, { stranger: true }),
  forged('logout-alg', 'a logout token signed with a secret (HS256) is refused', {}, { hmac: true }),
  forged('logout-nonce', 'an ID token in the place of a logout token is refused (`nonce`)', { nonce: 'n' }),
  forged('logout-event', 'a token without the logout event is refused', { events: {} }),
  forged('logout-expired', 'a logout token that has expired is refused', {
    iat: Math.floor(Date.now() / 1000) - 7200,
    exp: Math.floor(Date.now() / 1000) - 3600,
  }),
];

const WRITE_STOPPED = made(
  'write-stopped',
  'a write is refused as soon as introspection says inactive, without waiting for a logout token',
  async (parts) => {
    const visit = await signedIn(parts);
    const fields = await prepared(parts, visit);
    parts.authority.stop(visit.opened.id);
    await refused(parts, visit, fields);
  },
);

const WRITE_SILENT = made('write-unknown', 'a write is not done when introspection does not answer', async (parts) => {
  const visit = await signedIn(parts);
  const fields = await prepared(parts, visit);
  parts.authority.hush(true);
  try {
    await refused(parts, visit, fields);
  } finally {
    parts.authority.hush(false);
  }
});

/** An act that the mandate does not allow: refused by the server, and not only left out of its pages. */
const outside = (id: string, title: string, limits: Parameters<Authority['narrow']>[0]): Case =>
  made(id, title, async (parts) => {
    parts.authority.narrow(limits);
    try {
      const visit = await signedIn(parts);
      await refused(parts, visit, (await parts.visits.prepare(visit)) ?? parts.contract.write.fields);
    } finally {
      parts.authority.narrow();
    }
  });

const OUTSIDE: readonly Case[] = [
  outside('write-privileges', 'a write is refused when the mandate lets read alone', { privileges: ['read'] }),
  outside('write-demarche', 'a write is refused when the mandate names other démarches', { demarches: ['another-service.demarche'] }),
];

/** Those of every service, in the order in which they are played. */
export const CASES: readonly Case[] = [BANNER, STORED, REPORTED, ...SIGN_IN, LOGOUT, ...FORGED, WRITE_STOPPED, WRITE_SILENT, ...OUTSIDE];

const TAKEN = [200, 202, 204];

const SIGNAL = made('signal', 'a `session-revoked` event ends the session that it names, and no other', async (parts) => {
  const { authority, visits } = parts;
  const [visit, other] = [await signedIn(parts), await signedIn(parts)];
  const status = await visits.signal(await authority.signal(visit.opened.id));
  must(TAKEN.includes(status), `the event was answered ${status} instead of 202`);
  must(await until(async () => !(await showsSomething(parts, visit)), 2000), 'the session of the browser goes on');
  must(await showsSomething(parts, other), 'another session of the same person was ended as well');
});

const SIGNAL_AGAIN = made('signal-again', 'the same event again (`jti`) is accepted, and ends nothing more', async (parts) => {
  const { authority, visits } = parts;
  const set = await authority.signal((await signedIn(parts)).opened.id);
  const first = await visits.signal(set);
  must(TAKEN.includes(first), `the event was answered ${first} instead of 202`);
  const later = await signedIn(parts);
  const again = await visits.signal(set);
  must(TAKEN.includes(again), `the same event was answered ${again} instead of 202: Relais would send it for seven days`);
  must(await showsSomething(parts, later), 'it ended a session that began later');
});

const amiss = (id: string, title: string, change: Wrong[1], header: Wrong[2] = {}): Case =>
  made(id, title, async (parts) => {
    const visit = await signedIn(parts);
    const status = await parts.visits.signal(await parts.authority.signal(visit.opened.id, change, header));
    must(status >= 400 && status < 500, `it was answered ${status} instead of 400`);
    must(await showsSomething(parts, visit), 'it ended the session');
  });

/** Those of a service that takes signals by push. */
export const SIGNALS: readonly Case[] = [
  SIGNAL,
  SIGNAL_AGAIN,
  amiss('signal-iss', 'an event of another transmitter is refused', { iss: 'https://another-issuer.example' }),
  amiss('signal-aud', 'an event for another service is refused', { aud: 'another-client' }),
  amiss('signal-key', 'an event signed by a stranger is refused', {}, { stranger: true }),
  amiss('signal-alg', 'an event signed with a secret (HS256) is refused', {}, { hmac: true }),
  amiss('signal-typ', 'a token of another type in the place of an event is refused (`typ`)', {}, { typ: 'logout+jwt' }),
];
