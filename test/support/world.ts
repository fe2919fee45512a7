import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mock } from 'node:test';
import * as client from 'openid-client';
import { type App, createApp } from '../../src/app.ts';
import { verifierOf } from '../../src/journal/note.ts';
import { startSignerWorker } from '../../src/journal/signer-client.ts';
import { type Report, verify } from '../../src/journal/verify.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import type { Database } from '../../src/persistence/database.ts';
import { journalSource } from '../../src/persistence/journal-source.ts';
import { type Demonstration, startDemonstration } from '../../src/practice/demonstration.ts';
import { ensureService } from '../../src/practice/seed.ts';
import { confirmDelegation, prepareMandate, signInStaff, signMandate } from '../../src/practice/story.ts';
import { type Page, Walker } from '../../src/practice/walker.ts';
import { type DatabaseKind, type FreshDatabase, openSecond } from './database.ts';
import { watchDecisions } from './decisions.ts';

/** The whole house for one test file: a fresh database, both federations, two mirror services, and Relais, on free ports, over real HTTP. */
export interface World {
  readonly kind: 'pglite' | 'postgres';
  readonly demonstration: Demonstration;
  readonly app: App;
  readonly database: Database;
  readonly fresh: FreshDatabase;
  readonly places: Demonstration['addresses'];
  /** Lines of the operator's log so far. */
  readonly logged: { level: string; line: Readonly<Record<string, unknown>> }[];
  /** Moves every clock of this process (Relais, federations, services) forward. The first call freezes time. */
  advance(ms: number): void;
  /** A one-time code that has not been used, moving time if it must. */
  code(places: Demonstration['addresses'], who: string): Promise<string>;
  /** SQL as the database's owner, outside every role. */
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** A second instance of Relais on the same database (PostgreSQL); its own port, the same public address. */
  secondInstance(): Promise<{ app: App; origin: string }>;
  /** Registers a service of the test's own and configures openid-client for it. */
  service(id: string, more?: Partial<ServiceWish>): Promise<TestService>;
  verifyJournal(): Promise<Report>;
  close(): Promise<void>;
}

interface ServiceWish {
  readonly themes: readonly string[];
  readonly scopes: readonly string[];
  readonly delegation: boolean;
  readonly redirectUris: readonly string[];
  readonly backchannelLogoutUri: string;
  readonly resources?: readonly string[];
  readonly effect?: 'read' | 'declare' | 'change';
  /** Beside one of each theme that declares. */
  readonly demarches?: readonly { code: string; label_fr: string; label_en: string; themes: string[]; effect: 'read' | 'declare' | 'change' }[];
}

export interface TestService {
  readonly id: string;
  readonly secret: string;
  readonly redirectUri: string;
  readonly config: client.Configuration;
}

const FOLDER = join(tmpdir(), `relais-test-keys-${process.getuid?.() ?? 0}`);

const EMAILS: Readonly<Record<string, string>> = {
  'Karim Benali': 'karim',
  'Inès Moreau': 'ines',
  'Nora Lefèvre': 'nora',
  'Hugo Roux': 'hugo',
  'Camille Courrier': 'courriel',
  'Alice Fontaine': 'alice',
  'Marc Dubreuil': 'marc',
  'Sofia Marchand': 'sofia',
};

interface WorldOptions {
  readonly witnessed?: boolean;
  readonly watchEveryMs?: number;
  readonly keyDatabase?: Database;
  readonly mirrorsFile?: string;
  /** Where its keys are: the same for every world unless one must be a house of its own. */
  readonly keysFolder?: string;
}

/** Opens a world on a kind of database. Close it in `after`; one that does not open leaves nothing open. */
export const openWorld = async (kind: DatabaseKind, options: WorldOptions = {}): Promise<World> => {
  const fresh = await kind.fresh();
  return openOn(fresh, kind, options).catch(async (error: unknown) => {
    await fresh.drop().catch(() => undefined);
    throw error;
  });
};

const openOn = async (fresh: FreshDatabase, kind: DatabaseKind, options: WorldOptions): Promise<World> => {
  const watched = watchDecisions();
  const { database } = fresh;
  const folder = mkdtempSync(join(tmpdir(), 'relais-world-'));
  const logged: World['logged'] = [];
  // Tests move the clock of this process, not the database's: who wants to see that noticed asks for it.
  const { watchEveryMs = 2_000_000_000 } = options;
  const log = (level: string, line: Readonly<Record<string, unknown>>): void => void logged.push({ level, line });
  const demonstration = await startDemonstration({
    database,
    varFolder: join(folder, 'var'),
    keysFolder: options.keysFolder ?? FOLDER,
    port: 0,
    log,
    stopAfterSeconds: 86_400,
    watchEveryMs,
    ...(options.keyDatabase ? { keyDatabase: options.keyDatabase } : {}),
    ...(options.mirrorsFile ? { mirrorsFile: options.mirrorsFile } : {}),
    unwitnessed: !options.witnessed,
  });
  const { app, addresses: places, config } = demonstration;
  // What the demonstration's people were sent at its start has left: no row of it changes under a test that compares rows.
  const waits = () => database.asOwner((query) => query('select 1 from delivery where done_at is null'));
  for (let tries = 0; tries < 100 && (await waits()).length; tries++) await new Promise((resume) => setTimeout(resume, 20));
  const others: App[] = [];
  const seconds: Database[] = [];
  let frozen = false;

  const advance = (ms: number): void => {
    if (!frozen) mock.timers.enable({ apis: ['Date'], now: Date.now() });
    frozen = true;
    mock.timers.setTime(Date.now() + ms);
  };

  return {
    kind: kind.kind,
    demonstration,
    app,
    database,
    fresh,
    places,
    logged,
    advance,
    async code(_places, who) {
      const next = await demonstration.nextCode(`${EMAILS[who] ?? who}@demonstration.example`);
      if (!next) throw new Error(`no code for ${who}`);
      const wait = next.from.getTime() - Date.now();
      if (wait > 0) advance(wait + 1000);
      return next.code;
    },
    sql: (text, values) => database.asOwner((query) => query(text, values)),
    async secondInstance() {
      if (!fresh.url) throw new Error('two instances need PostgreSQL');
      const second = await openSecond(fresh.url);
      seconds.push(second);
      const other = await createApp({
        config,
        database: second,
        clock: systemClock,
        log,
        signer: (origin) =>
          startSignerWorker({ folder: join(folder, 'var', 'signer'), privateKeyPem: config.keys.pem('journal-ed25519').reveal(), origin }),
        sendMessage: async () => undefined,
        watchEveryMs,
      });
      others.push(other);
      const address = await other.http.listen({ host: 'localhost', port: 0 });
      return { app: other, origin: address.replace(/127\.0\.0\.1|\[::1\]/, 'localhost') };
    },
    async service(id, more = {}) {
      const wish: ServiceWish = {
        themes: ['logement', 'famille'],
        scopes: ['given_name', 'family_name'],
        delegation: true,
        redirectUris: [`http://localhost:9/${id}/retour`],
        backchannelLogoutUri: `http://localhost:9/${id}/logout`,
        ...more,
      };
      const secret = await ensureService(
        app,
        {
          id,
          name: `Service ${id}`,
          profile: 'standard',
          redirect_uris: wish.redirectUris,
          post_logout_redirect_uris: [`http://localhost:9/${id}/bye`],
          backchannel_logout_uri: wish.backchannelLogoutUri,
          backchannel_logout_session_required: true,
          initiate_login_uri: `http://localhost:9/${id}/connexion`,
          token_endpoint_auth_method: 'client_secret_basic',
          id_token_signed_response_alg: 'ES256',
          scopes: wish.scopes,
          ...(wish.resources ? { resources: wish.resources } : {}),
          themes: wish.themes,
          delegation_supported: wish.delegation as true,
          demarches: wish.delegation
            ? [
                ...wish.themes.map((theme) => ({
                  code: `${id}.${theme}`,
                  label_fr: `votre demande ${theme}`,
                  label_en: `your ${theme} request`,
                  themes: [theme],
                  effect: wish.effect ?? ('declare' as const),
                })),
                ...(wish.demarches ?? []),
              ]
            : [],
        },
        'Allocations de démonstration',
        false,
      );
      const config = await client.discovery(
        new URL(app.site.issuer),
        id,
        { client_secret: secret ?? '', id_token_signed_response_alg: 'ES256' },
        client.ClientSecretBasic(secret ?? ''),
        { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
      );
      return { id, secret: secret ?? '', redirectUri: wish.redirectUris[0] ?? '', config };
    },
    async verifyJournal() {
      await app.flushJournal();
      return verify({
        source: journalSource(database),
        origin: app.origin,
        trusted: [verifierOf(app.origin, publicKeyOf(readPrivateKey(config.keys.pem('journal-ed25519').reveal())))],
        keys: (asked) => app.keyStore.load(database.auto, asked),
      });
    },
    async close() {
      if (frozen) mock.timers.reset();
      for (const other of others) await other.close();
      for (const second of seconds) await second.close();
      await demonstration.close();
      await fresh.drop();
      rmSync(folder, { recursive: true, force: true });
      watched.stop();
    },
  };
};

/** An aidant of the demonstration, signed in with both factors, on their own page. */
export const signedInAidant = async (world: World, identity = 'karim', who = 'Karim Benali'): Promise<Walker> => {
  const walker = new Walker();
  await signInStaff(walker, world.places, identity, who, '/connexion/proconnect?vers=/aidant', (places, name) => world.code(places, name));
  return walker;
};

/** Makes a mandate through the pages; returns its id. */
export const mandateByPages = async (
  world: World,
  walker: Walker,
  person: string,
  themes: readonly string[],
  days = '31',
  who = 'Karim Benali',
): Promise<string> => {
  await prepareMandate(walker, world.places, { person, themes, days });
  const done = await signMandate(walker, world.places, who, (places, name) => world.code(places, name));
  const id = /\/aidant\/mandats\/(man_[a-z0-9]+)\/cree/.exec(done.url.pathname)?.[1];
  if (!id) throw new Error(`no mandate: ${done.url.pathname} ${done.status}`);
  return id;
};

/** What an authorization request of a test service needs, and what its answer must match. */
export interface Request {
  readonly url: URL;
  readonly verifier: string;
  readonly state: string;
  readonly nonce: string;
}

export const authorize = async (service: TestService, scope: string, more: Readonly<Record<string, string>> = {}): Promise<Request> => {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const nonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(service.config, {
    redirect_uri: service.redirectUri,
    scope,
    state,
    nonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  });
  return { url, verifier, state, nonce };
};

/** Redeems the code of a callback with every check of openid-client. */
export const redeem = (service: TestService, request: Request, callback: URL) =>
  client.authorizationCodeGrant(service.config, callback, {
    pkceCodeVerifier: request.verifier,
    expectedState: request.state,
    expectedNonce: request.nonce,
    idTokenExpected: true,
  });

/** Takes a signed-in aidant through a service's request, up to the callback (not opened). */
export const actFor = async (walker: Walker, service: TestService, request: Request, personName: string, theme?: string): Promise<Page> =>
  confirmDelegation(walker, await walker.open(request.url, undefined, service.redirectUri), personName, service.redirectUri, theme);

/** A delegated session from sign-in to tokens, in one call. */
export const delegatedTokens = async (
  world: World,
  walker: Walker,
  service: TestService,
  personName: string,
  scope = 'openid given_name dlg:logement',
  theme?: string,
) => {
  const request = await authorize(service, scope);
  const page = await actFor(walker, service, request, personName, theme);
  const tokens = await redeem(service, request, page.url);
  void world;
  return { tokens, request, callback: page.url, claims: tokens.claims() };
};

/** How many entries of a kind the journal holds, once all that waits is sequenced. */
export const entriesOf = async (world: World, type: string): Promise<number> => {
  await world.app.flushJournal();
  const [found] = await world.sql('select count(*)::int n from journal.projection where type = $1', [type]);
  return Number(found?.['n'] ?? 0);
};
