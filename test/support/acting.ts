import { createServer } from 'node:http';
import * as client from 'openid-client';
import type { App } from '../../src/app.ts';
import { sha256 } from '../../src/kernel/crypto.ts';
import type { AidantId, OrganisationId, UsagerId } from '../../src/kernel/ids.ts';
import type { Days, Mandate } from '../../src/mandates/mandate.ts';
import { createMandates, type Mandates, type Narrower } from '../../src/mandates/mandates.ts';
import type { Theme } from '../../src/organisations/theme.ts';
import { createMandateStore } from '../../src/persistence/mandates.ts';
import { franceConnectSub, PERSONS } from '../../src/practice/identities.ts';
import { formOf, type Page, type Walker } from '../../src/practice/walker.ts';
import { authorize, type Request, signedInAidant, type TestService, type World } from './world.ts';

/** Shorter ways through the house, for tests that need many mandates, sessions or requests. None of them skips a check of the code. */

export interface Who {
  readonly aidantId: AidantId;
  readonly organisationId: OrganisationId;
}

const EMAIL = (id: string): string => `${id}@demonstration.example`;

/** An aidant of the demonstration, for one of the two structures. */
export const whoIs = async (world: World, identity = 'karim', structure: 'Thénac' | 'Saintes' = 'Thénac'): Promise<Who> => {
  const [staff] = await world.app.aidants.findByEmail('aidant', EMAIL(identity));
  const organisation = (await world.app.organisations.list()).find((each) => each.name.includes(structure));
  if (!staff || !organisation) throw new Error(`no ${identity} at ${structure}`);
  return { aidantId: staff.id as AidantId, organisationId: organisation.id };
};

/** A person of the demonstration, known to Relais as after a first sign-in; `claims` changes who FranceConnect says she is. */
export const personOf = async (world: World, identity: string, claims: Readonly<Record<string, unknown>> = {}): Promise<UsagerId> => {
  const person = PERSONS.find((each) => each.id === identity) ?? PERSONS[0];
  const found = await world.app.site.usagers.identify({
    iss: world.demonstration.franceconnect.issuer,
    sub: franceConnectSub(identity, 'relais-franceconnect'),
    acr: 'eidas1',
    claims: { ...person, ...claims },
  });
  if ('refused' in found) throw new Error(`${identity}: ${found.refused}`);
  return found.usager.id;
};

/** The real use cases of mandates over an instance, but for the second factor, which is taken as given: codes come one in thirty seconds. */
export const mandatesOf = (app: App, world: World, database = world.database): Mandates =>
  createMandates({
    transactions: database,
    store: createMandateStore(),
    attest: app.site.attestations.issue,
    journal: app.journal,
    clock: app.site.clock,
    endSessions: async (tx, which, reason, now) => ({ ended: (await app.site.sessions.endIn(tx, which, reason, now)).length }),
    acceptFactor: async () => ({ accepted: true, means: 'totp' }),
  });

/** A draft that the person has agreed to. */
export const consented = async (
  world: World,
  mandates: Mandates,
  who: Who,
  usager: UsagerId,
  themes: readonly Theme[],
  days: Days = 31,
  narrower?: Narrower,
) => {
  void world;
  const drafted = await mandates.draft(who, themes, days, narrower);
  if ('refused' in drafted) throw new Error(drafted.refused);
  const kept = new Map((await mandates.overlaps(drafted.draft, usager)).map(({ mandate }) => [mandate.id, 'keep'] as const));
  const given = await mandates.consent(who, drafted.draft.id, usager, { method: 'franceconnect', acr: 'eidas1', evidence: sha256('test') }, kept);
  if ('refused' in given) throw new Error(given.refused);
  const hash = given.draft.consent?.textHash;
  if (!hash) throw new Error('no hash');
  return { id: drafted.draft.id, hash };
};

/** A mandate with both wills. */
export const agreed = async (
  world: World,
  identity: string,
  themes: readonly Theme[] = ['logement'],
  days: Days = 31,
  who?: Who,
  mandates: Mandates = mandatesOf(world.app, world),
  narrower?: Narrower,
): Promise<Mandate> => {
  const by = who ?? (await whoIs(world));
  const { id, hash } = await consented(world, mandates, by, await personOf(world, identity), themes, days, narrower);
  const done = await mandates.accept(by, id, hash, '');
  if ('refused' in done) throw new Error(done.refused);
  return done.mandate;
};

/** Inès, who works for both structures, signed in for one of them. */
export const inesAt = async (world: World, structure: 'Thénac' | 'Saintes'): Promise<Walker> => {
  const walker = await signedInAidant(world, 'ines', 'Inès Moreau');
  await selectStructure(world, walker, structure);
  return walker;
};

export const selectStructure = async (world: World, walker: Walker, structure: 'Thénac' | 'Saintes'): Promise<Page> => {
  const { organisationId } = await whoIs(world, 'ines', structure);
  await walker.open(`${world.places.relais}/aidant/structures`);
  return walker.send('organisation', { organisation: organisationId });
};

/** The form token of a browser's session, read on one of its pages. */
export const csrfOf = async (world: World, walker: Walker, path = '/aidant'): Promise<string> =>
  formOf(await walker.open(new URL(path, world.places.relais)), 'sign-out').fields['_csrf'] ?? '';

/** A form sent to either instance as our own page would. */
export const post = (world: World, walker: Walker, path: string, fields: Readonly<Record<string, string | readonly string[]>>, origin?: string) =>
  walker.ask(new URL(path, origin ?? world.places.relais), fields, { origin: world.places.relais });

export interface Begun {
  readonly request: Request;
  readonly uid: string;
}

/** Sends the browser to Relais as a service does, up to the interaction's address (not opened). */
export const begin = async (walker: Walker, service: TestService, scope = 'openid dlg:logement', origin?: string): Promise<Begun> => {
  const request = await authorize(service, scope);
  const url = origin ? new URL(request.url.pathname + request.url.search, origin) : request.url;
  const answer = await walker.ask(url);
  await answer.body?.cancel();
  const uid = /\/interaction\/([^/?]+)/.exec(answer.headers.get('location') ?? '')?.[1];
  if (!uid) throw new Error(`no interaction: ${answer.status} ${answer.headers.get('location')}`);
  return { request, uid };
};

export const confirmation = (mandate: Mandate, theme: Theme, csrf: string) => ({
  _csrf: csrf,
  person: mandate.id,
  theme,
  organisation: mandate.organisationId,
});

/** Confirms without looking at the pages; the answer is a redirect to the library, or a page that refuses. */
export const confirm = (world: World, walker: Walker, begun: Begun, fields: Readonly<Record<string, string>>, origin?: string) =>
  post(world, walker, `/interaction/${begun.uid}/confirmer`, fields, origin);

/** From the answer of `confirm` to the service's callback; undefined when there is none. */
export const resume = async (walker: Walker, confirmed: Response, service: TestService, origin?: string): Promise<URL | undefined> => {
  await confirmed.body?.cancel();
  const to = confirmed.headers.get('location');
  if (!to) return undefined;
  const target = new URL(to, confirmed.url);
  const answer = await walker.ask(origin ? new URL(target.pathname + target.search, origin) : target);
  await answer.body?.cancel();
  const back = answer.headers.get('location');
  return back?.startsWith(service.redirectUri) ? new URL(back) : undefined;
};

/** The token endpoint, spoken to plainly, at either instance. */
export const redeemAt = async (world: World, service: TestService, request: Request, callback: URL, origin?: string) => {
  const answer = await fetch(`${origin ?? world.places.relais}/oidc/token`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`${encodeURIComponent(service.id)}:${encodeURIComponent(service.secret)}`).toString('base64')}`,
    },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: callback.searchParams.get('code') ?? '',
      redirect_uri: service.redirectUri,
      code_verifier: request.verifier,
    }),
  });
  return { status: answer.status, body: (await answer.json()) as { access_token?: string; id_token?: string; error?: string } };
};

export const introspectAt = async (
  world: World,
  service: TestService,
  token: string,
  origin?: string,
): Promise<{ active: boolean; session?: string }> => {
  const answer = await fetch(`${origin ?? world.places.relais}/oidc/introspection`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`${encodeURIComponent(service.id)}:${encodeURIComponent(service.secret)}`).toString('base64')}`,
    },
    body: new URLSearchParams({ token }),
  });
  return (await answer.json()) as { active: boolean; session?: string };
};

export const userinfoAt = async (world: World, token: string, origin?: string): Promise<number> => {
  const answer = await fetch(`${origin ?? world.places.relais}/oidc/userinfo`, { headers: { authorization: `Bearer ${token}` } });
  await answer.body?.cancel();
  return answer.status;
};

/** One event as a service would write it. */
export const eventOf = (service: { readonly id: string }, session: string, id: string, more: Readonly<Record<string, unknown>> = {}) => {
  const { time, demarche, verb, outcome, reference, ...rest } = more;
  return {
    specversion: '1.0',
    id,
    source: `http://localhost:9/${service.id}`,
    type: 'fr.relais.action.v1',
    time: time ?? new Date().toISOString(),
    data: {
      session,
      verb: verb ?? 'send',
      demarche: demarche ?? `${service.id}.logement`,
      outcome: outcome ?? 'success',
      ...(reference === undefined ? {} : { reference }),
    },
    ...rest,
  };
};

export interface Reported {
  readonly status: number;
  readonly body: { index?: number; leaf?: string; code?: string; detail?: string; receipt?: { index: number }; events?: Record<string, unknown>[] };
}

/** Reports to either instance; an array is a batch, a text is sent as it is. */
export const reportAt = async (world: World, token: string, events: object | readonly object[] | string, origin?: string): Promise<Reported> => {
  const answer = await fetch(`${origin ?? world.places.relais}/api/v1/actions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': Array.isArray(events) ? 'application/cloudevents-batch+json' : 'application/cloudevents+json',
    },
    body: typeof events === 'string' ? events : JSON.stringify(events),
  });
  return { status: answer.status, body: (await answer.json().catch(() => ({}))) as Reported['body'] };
};

/** A token of the service itself, for what it must still say when the delegated one is dead. */
export const ownToken = async (service: TestService): Promise<string> =>
  (await client.clientCredentialsGrant(service.config, { scope: 'actions:write' })).access_token;

/** The session that a delegated token names. */
export const sessionOf = (claims: client.IDToken | undefined): string =>
  ((claims?.['authorization_details'] ?? []) as { session?: string }[])[0]?.session ?? '';

/** A service's back channel: what it received, and what it answers. */
export const backChannel = async () => {
  const received: { readonly path: string; readonly claims: Record<string, unknown> }[] = [];
  let status = 200;
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => {
      body += part.toString();
    });
    request.on('end', () => {
      const token = new URLSearchParams(body).get('logout_token') ?? '';
      received.push({
        path: request.url ?? '',
        claims: JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString() || '{}') as Record<string, unknown>,
      });
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const address = server.address();
  return {
    origin: `http://localhost:${typeof address === 'object' && address ? address.port : 0}`,
    received,
    answer: (code: number) => {
      status = code;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
};

/** Waits until something holds, and says whether it did. */
export const until = async (holds: () => boolean | Promise<boolean>, ms = 4000): Promise<boolean> => {
  for (const end = performance.now() + ms; performance.now() < end; await new Promise((resolve) => setTimeout(resolve, 15)))
    if (await holds()) return true;
  return holds();
};

/** Entries since a mark, oldest first, opened. */
export const entriesSince = async (world: World, mark: number) => {
  await world.app.flushJournal();
  return (await world.app.journal.read(world.database.auto, { limit: 500 })).filter((entry) => entry.index >= mark).reverse();
};

/** The same, but for what the house writes by itself meanwhile. */
export const writtenSince = async (world: World, mark: number) =>
  (await entriesSince(world, mark)).filter(({ type }) => !['log.heartbeat', 'revocation.delivered'].includes(type));

/** The number of entries so far: what comes after is at this index or above. */
export const mark = async (world: World): Promise<number> => {
  await world.app.flushJournal();
  const [head] = await world.sql('select size::int size from journal.head');
  return Number(head?.['size'] ?? 0);
};

/** Lines of the security log since a number of lines. */
export const securitySince = (world: World, from: number) => world.logged.slice(from).filter(({ line }) => line['event'] === 'security');

/**
 * Stops time at the next ten o'clock of a winter's morning: no step of a test is late, and none meets midnight in Paris by chance.
 * Less than a day from now whatever the hour of the run: what the database dates by its own clock is never a day old then.
 */
export const inTheMorning = (world: World): void => {
  const morning = new Date();
  morning.setUTCHours(morning.getUTCHours() < 9 ? 9 : 33, 0, 0, 0);
  world.advance(morning.getTime() - Date.now());
};
