import './guard.ts';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNextUnusedCode } from '../aidants/next-code.ts';
import { type App, createApp } from '../app.ts';
import { startCommandServer } from '../cli/socket.ts'; // the holder of the folder runs the commands that it is sent
import type { Config } from '../config/config.ts';
import { makeMissingKeys, nextJournalKey, readKeys } from '../config/keys.ts';
import { readMirrors } from '../config/mirrors.ts';
import { DEFAULT_LIMITS } from '../config/witnessing.ts';
import { verifierOf } from '../journal/note.ts';
import { startSignerWorker } from '../journal/signer-client.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { publicKeyOf, readPrivateKey } from '../kernel/crypto.ts';
import { Secret } from '../kernel/secret.ts';
import { createMandates } from '../mandates/mandates.ts';
import type { Message as Notice } from '../notices/deliveries.ts';
import { meansStore } from '../persistence/aidants.ts';
import { type Database, openPglite, openPostgres } from '../persistence/database.ts';
import { readOrigin } from '../persistence/journal.ts';
import { createMandateStore } from '../persistence/mandates.ts';
import { migrate } from '../persistence/migrate.ts';
import { readTranslations } from '../web/translations.ts';
import { ALLOWANCES } from './allowances.ts';
import { startFranceConnect } from './franceconnect.ts';
import { startFrontFranceConnect } from './front-franceconnect.ts';
import { franceConnectSub } from './identities.ts';
import { practiceSecrets } from './keep.ts';
import { type Code, type Message, startMessages } from './messages.ts';
import { startMirror } from './mirror.ts';
import { practicePorts } from './ports.ts';
import { startProConnect } from './proconnect.ts';
import { ensureService, seed, staffIds } from './seed.ts';
import { originFor } from './server.ts';
import { type SmsGateway, startSmsGateway } from './sms-gateway.ts';
import { TAXES } from './taxes.ts';
import { type PracticeWitnesses, startWitnesses } from './witnesses.ts';

const TRANSLATIONS = new URL('../../translations/', import.meta.url).pathname;

export interface DemonstrationOptions {
  /** An open and migrated database, which stays open at the end; otherwise `databaseUrl`, otherwise the embedded one in `varFolder`. */
  readonly database?: Database;
  readonly databaseUrl?: string | undefined;
  /** An open and migrated database for the keys of the journal's sealed parts; otherwise they are in the other. */
  readonly keyDatabase?: Database;
  readonly varFolder: string;
  readonly keysFolder: string;
  /** 8400 by default; 0 takes any free port for each program. */
  readonly port: number;
  readonly clock?: Clock;
  readonly log?: (level: 'info' | 'warn' | 'error', line: Readonly<Record<string, unknown>>) => void;
  /** Those who may copy the leaves of the journal (docs/journal.md); nobody by default. */
  readonly mirrorsFile?: string | undefined;
  /** Without witnesses of the journal: tests of other things. */
  readonly unwitnessed?: boolean;
  /** Seconds after which the mandate of the person "arrêté pendant la démarche" is stopped. */
  readonly stopAfterSeconds?: number;
  /** With FranceConnect in front, as a client of Relais. */
  readonly front?: boolean;
  /** See `AppParts.watchEveryMs`. */
  readonly watchEveryMs?: number;
}

export interface Demonstration {
  readonly app: App;
  readonly config: Config;
  readonly database: Database;
  readonly addresses: {
    readonly relais: string;
    readonly proconnect: string;
    readonly franceconnect: string;
    readonly allowances: string;
    readonly taxes: string;
    readonly messages: string;
    readonly sms: string;
    readonly witnesses: readonly string[];
    readonly front: string | undefined;
  };
  readonly sms: SmsGateway;
  readonly witnesses: PracticeWitnesses | undefined;
  readonly proconnect: Awaited<ReturnType<typeof startProConnect>>;
  readonly franceconnect: Awaited<ReturnType<typeof startFranceConnect>>;
  readonly mirrors: { readonly allowances: Awaited<ReturnType<typeof startMirror>>; readonly taxes: Awaited<ReturnType<typeof startMirror>> };
  /** The next one-time code of a test identity, by e-mail. */
  readonly nextCode: (email: string) => Promise<{ code: string; from: Date } | undefined>;
  readonly messages: () => readonly Message[];
  close(): Promise<void>;
}

const RELAIS_AT = { proconnect: 'relais-proconnect', franceconnect: 'relais-franceconnect' } as const;

/** Messages that would have left, kept across restarts in a file of the var folder. */
const createOutbox = (folder: string) => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'messages.jsonl');
  const messages: Message[] = existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => {
          const kept = JSON.parse(line) as Omit<Message, 'at'> & { at: string }; // written below
          return { ...kept, at: new Date(kept.at) };
        })
    : [];
  return {
    list: (): readonly Message[] => messages,
    send: async (channel: 'mail' | 'sms', message: Notice, at: Date): Promise<void> => {
      const kept: Message = { at, channel, to: message.to, subject: message.subject, text: message.text };
      messages.push(kept);
      appendFileSync(file, `${JSON.stringify(kept)}\n`, { mode: 0o600 });
    },
  };
};

const configOf = (
  options: DemonstrationOptions,
  origins: { relais: string; proconnect: string; franceconnect: string; sms: string },
  secrets: { proconnect: string; franceconnect: string },
): Config => ({
  mode: 'demonstration',
  publicUrl: origins.relais,
  issuer: `${origins.relais}/oidc`,
  host: 'localhost',
  port: Number(new URL(origins.relais).port),
  databaseUrl: options.databaseUrl,
  varFolder: options.varFolder,
  journalHost: 'localhost',
  signerSocket: undefined,
  proconnect: { issuer: origins.proconnect, clientId: RELAIS_AT.proconnect, clientSecret: new Secret(secrets.proconnect) },
  franceconnect: { issuer: origins.franceconnect, clientId: RELAIS_AT.franceconnect, clientSecret: new Secret(secrets.franceconnect) },
  smtpUrl: undefined,
  smsUrl: origins.sms,
  mailFrom: 'relais@demonstration.example',
  helpNumber: '0 800 00 00 00',
  translations: readTranslations(TRANSLATIONS),
  mirrors: options.mirrorsFile ? readMirrors(options.mirrorsFile, { loopback: true }) : [],
  trustedProxies: [],
  allowLoopback: true,
  logLevel: 'warn',
  keys: readKeys(options.keysFolder),
});

/** Starts everything that `npm start` shows: Relais, both federations, two public services, the messages. */
export const startDemonstration = async (options: DemonstrationOptions): Promise<Demonstration> => {
  const clock = options.clock ?? systemClock;
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    return await start(options, clock, closers, close);
  } catch (error) {
    await close().catch(() => undefined);
    throw error;
  }
};

const start = async (
  options: DemonstrationOptions,
  clock: Clock,
  closers: (() => Promise<unknown>)[],
  close: () => Promise<void>,
): Promise<Demonstration> => {
  const ports = practicePorts(options.port);
  mkdirSync(options.varFolder, { recursive: true, mode: 0o700 });
  const made = makeMissingKeys(options.keysFolder);
  const secrets = practiceSecrets(join(options.varFolder, 'practice'));
  const database = options.database ?? (options.databaseUrl ? await openPostgres(options.databaseUrl) : await openPglite(options.varFolder));
  if (!options.database) closers.push(() => database.close());
  await migrate(database);
  const relais = await originFor(ports.relais);
  const client = (name: 'proconnect' | 'franceconnect') => ({
    id: RELAIS_AT[name],
    name: 'Relais',
    secret: secrets[name],
    redirectUris: [`${relais}/connexion/${name}/retour`],
    postLogoutRedirectUris: [`${relais}/connexion/${name}/sortie`],
  });
  const [proconnect, franceconnect] = await Promise.all([
    startProConnect({ port: ports.proconnect, clients: [client('proconnect')] }),
    startFranceConnect({ port: ports.franceconnect, clients: [client('franceconnect')] }),
  ]);
  closers.push(
    () => proconnect.close(),
    () => franceconnect.close(),
  );
  const outbox = createOutbox(join(options.varFolder, 'practice'));
  const sms = await startSmsGateway({
    port: ports.sms,
    folder: join(options.varFolder, 'practice'),
    key: readKeys(options.keysFolder).raw('sms-gateway').reveal(),
    relais,
    now: () => clock.now(),
  });
  closers.push(() => sms.close());
  const settings = configOf(options, { relais, proconnect: proconnect.issuer, franceconnect: franceconnect.issuer, sms: sms.url }, secrets);
  const witnesses = options.unwitnessed
    ? undefined
    : await startWitnesses({
        folder: join(options.varFolder, 'witnesses'),
        ports: [ports.witness1, ports.witness2],
        log: verifierOf(await readOrigin(database, settings.journalHost), publicKeyOf(readPrivateKey(settings.keys.pem('journal-ed25519').reveal()))),
        clock,
      });
  if (witnesses) closers.push(() => witnesses.close());
  const config: Config = { ...settings, witnessing: { ...DEFAULT_LIMITS, policy: witnesses?.policy } };
  let signer: ReturnType<typeof startSignerWorker> | undefined;
  const signerAt = (origin: string): ReturnType<typeof startSignerWorker> => {
    signer ??= startSignerWorker({
      folder: join(options.varFolder, 'signer'),
      privateKeyPem: config.keys.pem('journal-ed25519').reveal(),
      nextKeyFile: nextJournalKey(config.keys.folder),
      origin,
    });
    return signer;
  };
  const app = await createApp({
    config,
    database,
    keyDatabase: options.keyDatabase,
    clock,
    log: options.log ?? (() => undefined),
    signer: signerAt,
    sendMessage: (kind, message) => outbox.send(kind, message, clock.now()),
    watchEveryMs: options.watchEveryMs,
  });
  closers.push(() => app.close());
  if (made.length) await database.run((tx) => app.journal.record(tx, { type: 'keys.made', detail: { names: made } }));
  const past = (days: number) =>
    createMandates({
      transactions: database,
      store: createMandateStore(),
      attest: app.site.attestations.issue,
      journal: app.journal,
      clock: { now: () => new Date(clock.now().getTime() - days * 86_400_000) },
      endSessions: async () => ({ ended: 0 }),
      acceptFactor: async () => ({ accepted: true, means: 'totp' }),
    });
  await seed({
    app,
    clock,
    past,
    issuers: { proconnect: proconnect.issuer, franceconnect: franceconnect.issuer },
    franceconnectClient: RELAIS_AT.franceconnect,
  });
  const mirrorOf = { relaisIssuer: config.issuer, relaisOrigin: relais };
  const allowances = await startMirror(ALLOWANCES, {
    ...mirrorOf,
    port: ports.allowances,
    ...(secrets.allowances ? { credentials: { secret: secrets.allowances } } : {}),
  });
  const taxes = await startMirror(TAXES, { ...mirrorOf, port: ports.taxes, credentials: { privateKeyPem: secrets.taxesKeyPem } });
  closers.push(
    () => allowances.close(),
    () => taxes.close(),
  );
  const drawn = await ensureService(app, allowances.clientMetadata, 'Allocations de démonstration', secrets.allowances !== undefined);
  if (drawn) {
    secrets.saveAllowances(drawn);
    allowances.useSecret(drawn);
  }
  await ensureService(app, taxes.clientMetadata, 'Impôts de démonstration', true);
  const front = options.front ? await startFrontFranceConnect({ port: ports.front, relaisIssuer: config.issuer }) : undefined;
  if (front) {
    closers.push(() => front.close());
    front.useSecret((await ensureService(app, front.metadata, 'Impôts de démonstration', false)) ?? '');
  }
  const codeOf = createNextUnusedCode({ transactions: database, store: meansStore, clock, kek: config.keys.raw('totp-kek') });
  const codes = async (): Promise<Code[]> =>
    (await Promise.all((await staffIds(app)).map(async ({ id, who }) => ({ who, next: await codeOf(id) })))).flatMap(({ who, next }) =>
      next ? [{ who, code: next.code, note: next.from > clock.now() ? 'accepté dans moins de 30 secondes' : 'accepté maintenant' }] : [],
    );
  const messages = await startMessages({ port: ports.messages, list: async () => outbox.list(), codes });
  closers.push(() => messages.close());
  const stop = stopDuringTheAct(app, clock, franceconnect.issuer, options.stopAfterSeconds ?? 20);
  closers.push(async () => clearInterval(stop));
  if (database.kind === 'pglite' && !options.database) {
    const server = await startCommandServer(join(options.varFolder, 'relais.sock'), {
      mode: 'demonstration',
      publicUrl: relais,
      varFolder: options.varFolder,
      journalHost: config.journalHost,
      witnessing: config.witnessing,
      database,
      clock,
      keys: () => config.keys,
      keyStore: async () => app.keyStore,
      domain: async () => app,
      rotateSigner: (origin, fingerprint) => signerAt(origin).rotate(fingerprint),
      enrolmentUrl: (token) => `${relais}/inscription/${token}`,
    });
    closers.push(() => server.close());
  }
  await app.http.listen({ host: 'localhost', port: config.port });
  return {
    app,
    config,
    database,
    proconnect,
    franceconnect,
    mirrors: { allowances, taxes },
    close,
    messages: outbox.list,
    witnesses,
    sms,
    addresses: {
      relais,
      proconnect: proconnect.origin,
      franceconnect: franceconnect.origin,
      allowances: allowances.origin,
      taxes: taxes.origin,
      messages: messages.origin,
      sms: sms.origin,
      witnesses: witnesses?.origins ?? [],
      front: front?.origin,
    },
    nextCode: async (email) => {
      for (const kind of ['aidant', 'agent', 'operateur'] as const) {
        const [found] = await app.aidants.findByEmail(kind, email);
        if (found) return codeOf(found.id);
      }
      return undefined;
    },
  };
};

/** Plays the person named "Mandat arrêté pendant la démarche": she stops her mandate a moment after somebody begins to act for her. */
const stopDuringTheAct = (app: App, clock: Clock, issuer: string, afterSeconds: number): NodeJS.Timeout => {
  const { site } = app;
  const look = async (): Promise<void> => {
    const person = await site.usagers.findByIdentity(issuer, franceConnectSub('revoquee', RELAIS_AT.franceconnect));
    if (!person) return;
    const [opened] = await site.journal.read(site.transactions.auto, { usager: person.id, types: ['session.opened'], limit: 1 });
    if (!opened || clock.now().getTime() - opened.at.getTime() < afterSeconds * 1000) return;
    for (const mandate of await site.mandates.ofUsager(person.id))
      if (mandate.state.kind === 'active' && opened.mandate === mandate.id) await site.mandates.revokeByUsager(person.id, mandate.id);
    site.nudgeDeliveries();
  };
  return setInterval(() => void look().catch(() => undefined), 5_000).unref();
};
