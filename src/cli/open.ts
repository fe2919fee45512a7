import { type Keys, nextJournalKey, readKeys } from '../config/keys.ts';
import { createSessions } from '../delegation/sessions.ts';
import { type Unconfirmed, whileConfirmed } from '../journal/confirmed.ts';
import type { KeyStore } from '../journal/keys.ts';
import { openSigner, type SignerClient } from '../journal/signer.ts';
import { connectSigner } from '../journal/signer-client.ts';
import { readIfThere } from '../journal/signer-state.ts';
import { systemClock } from '../kernel/clock.ts';
import { createOutbox, type Deliveries } from '../notices/deliveries.ts';
import { createEndTelling } from '../notices/ends.ts';
import { createIdentityTelling } from '../notices/identity.ts';
import { createTexting } from '../notices/sms.ts';
import { channelStore, smsQuotaStore } from '../persistence/channels.ts';
import { type Database, openPglite, openPostgres } from '../persistence/database.ts';
import { deliveryStore } from '../persistence/deliveries.ts';
import { journalState } from '../persistence/inspection.ts';
import { createJournal, readOrigin } from '../persistence/journal.ts';
import { createConfirmed } from '../persistence/journal-confirmed.ts';
import { openKeyStore } from '../persistence/journal-keys.ts';
import { startSealing } from '../persistence/journal-sealing.ts';
import { startSequencer } from '../persistence/journal-sequencer.ts';
import { createSessionStore } from '../persistence/sessions.ts';
import { referentsOf } from '../persistence/stopping.ts';
import { smsTexts } from '../web/i18n/sms.ts';
import { type CommandContext, createDomain, type Domain } from './context.ts';
import { signerFolder } from './journal.ts';
import type { Settings } from './settings.ts';

/** Opening the database oneself, when no process holds it. */

const clock = systemClock;

/** What a command may not give while the journal is unconfirmed: the limits of the instances hold here too. The demonstration has no instance to wait for. */
const blockedNow = async (settings: Settings, database: Database, origin: string): Promise<Unconfirmed | undefined> => {
  if (settings.mode !== 'production' || !settings.witnessing) return undefined;
  const { policy, ...limits } = settings.witnessing;
  const confirmed = createConfirmed({ clock, origin, policy, ...limits, sealRefused: () => false, certainMs: 0 });
  await confirmed.look(database.auto);
  return confirmed.blocked();
};

/** What a command tells people of, as an instance would: it queues, the instances send. */
const tellers = (deliveries: Pick<Deliveries, 'queue'>, { helpNumber, sms }: { helpNumber: string; sms: boolean }) => {
  const texts = smsTexts(helpNumber);
  const queueSms = sms ? createTexting({ deliveries, quota: smsQuotaStore, clock, capped: () => undefined }) : undefined;
  return {
    tellEnd: createEndTelling({ deliveries, queueSms, channels: channelStore, referents: referentsOf, texts, clock }),
    ...(queueSms ? { tellIdentity: createIdentityTelling({ queueSms, channels: channelStore, texts }) } : {}),
  };
};

const openDomain = async (
  settings: Settings,
  database: Database,
  keyDatabase: Database | undefined,
  keys: Keys,
  keyStore: KeyStore,
  origin: string,
): Promise<Domain> => {
  const blocked = await blockedNow(settings, database, origin);
  const queued = createJournal({
    transactions: database,
    clock,
    writer: 'cli',
    origin,
    keys: keyStore,
    macKey: keys.raw('journal-mac').reveal(),
  });
  const journal = whileConfirmed(queued, () => blocked);
  const sessions = createSessions({
    transactions: database,
    store: createSessionStore(),
    journal,
    clock,
    pairwiseKey: keys.raw('pairwise').reveal(),
  });
  const outbox = createOutbox({ store: deliveryStore, journal, clock, kek: keys.raw('payload-kek') });
  // The demonstration has no help number here: its own process tells people.
  const told = settings.helpNumber === undefined ? {} : tellers(outbox, { helpNumber: settings.helpNumber, sms: settings.sms === true });
  return createDomain({
    database,
    keyDatabase,
    journal,
    clock,
    keys,
    allowLoopback: settings.mode === 'demonstration',
    endSessions: async (tx, whose, reason) => (await sessions.endIn(tx, whose, reason, clock.now())).length,
    endMandateSessions: async (tx, which, reason, now) => ({ ended: (await sessions.endIn(tx, which, reason, now)).length }),
    ...told,
  });
};

/** Puts in sequence and seals what the command wrote: on the embedded database no other process will before the next start. */
const settle = async (settings: Settings, database: Database, keys: Keys, keyStore: KeyStore): Promise<void> => {
  const state = await journalState(database.auto);
  if (!state?.waiting && state?.size === state?.sealed) return;
  const origin = await readOrigin(database, settings.journalHost);
  const signer = openSigner({
    folder: signerFolder(settings.varFolder),
    privateKeyPem: keys.pem('journal-ed25519').reveal(),
    nextKeyPem: readIfThere(nextJournalKey(keys.folder)),
  });
  const client: SignerClient = {
    sign: async (request) => signer.sign(origin, request),
    vkey: async () => signer.vkey(origin),
    close: async () => undefined,
  };
  const sequencer = startSequencer({ database, macKey: keys.raw('journal-mac').reveal(), keys: keyStore, clock, name: 'cli' });
  const sealing = startSealing({ database, sequencer, signer: client, clock, everyMs: 60_000 });
  try {
    await sequencer.flush();
    await sealing.seal();
  } finally {
    await sealing.stop();
    await sequencer.stop();
  }
};

export interface OpenedContext {
  readonly context: CommandContext;
  close(): Promise<void>;
}

/** Opens the database of the settings for one command: PostgreSQL, or the embedded one in the var folder, which it locks. */
export const openContext = async (settings: Settings): Promise<OpenedContext> => {
  const { databaseUrl, varFolder, mode, publicUrl, journalHost, signerSocket } = settings;
  const database = databaseUrl === undefined ? await openPglite(varFolder) : await openPostgres(databaseUrl, { max: 3 });
  const keyDatabase = settings.journalKeysUrl === undefined ? undefined : await openPostgres(settings.journalKeysUrl, { max: 3 });
  let keys: Keys | undefined;
  let keyStore: Promise<KeyStore> | undefined;
  let domain: Promise<Domain> | undefined;
  const readOnce = (): Keys => {
    keys ??= readKeys(settings.keysFolder, { signerApart: settings.signerSocket !== undefined });
    return keys;
  };
  const store = (): Promise<KeyStore> => {
    keyStore ??= openKeyStore({
      database: keyDatabase ?? database,
      apart: keyDatabase !== undefined,
      kek: readOnce().raw('payload-kek').reveal(),
      clock,
    });
    return keyStore;
  };
  const context: CommandContext = {
    mode,
    publicUrl,
    varFolder,
    journalHost,
    witnessing: settings.witnessing,
    database,
    keyDatabase,
    clock,
    keys: readOnce,
    keyStore: store,
    domain: () => {
      domain ??= readOrigin(database, journalHost).then(async (origin) =>
        openDomain(settings, database, keyDatabase, readOnce(), await store(), origin),
      );
      return domain;
    },
    enrolmentUrl: (token) => `${publicUrl}/inscription/${token}`,
    ...(signerSocket === undefined
      ? {}
      : {
          signerVkey: (origin) => connectSigner({ path: signerSocket, origin }).vkey(),
          rotateSigner: (origin, fingerprint) => connectSigner({ path: signerSocket, origin }).rotate(fingerprint),
        }),
  };
  return {
    context,
    close: async () => {
      try {
        const opened = await domain?.catch(() => undefined); // its failure was told when it was asked for
        if (database.kind === 'pglite' && opened && keys) await settle(settings, database, keys, await store());
      } finally {
        await database.close();
        await keyDatabase?.close();
      }
    },
  };
};
