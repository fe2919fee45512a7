import { createActions } from './actions/actions.ts';
import { createContests } from './actions/contests.ts';
import { createExports } from './actions/exports.ts';
import { createStatements } from './actions/statement.ts';
import { createLosses } from './aidants/losses.ts';
import { partyOf } from './aidants/passkey.ts';
import { createPasskeys } from './aidants/passkeys.ts';
import { createRecovery, type Told } from './aidants/recovery.ts';
import { periodic } from './app-jobs.ts';
import { joinSignals } from './app-signals.ts';
import { createDomain, type Domain } from './cli/context.ts';
import type { Config } from './config/config.ts';
import { effectiveSettings } from './config/effective.ts';
import type { SigningName } from './config/keys.ts';
import { DEFAULT_LIMITS } from './config/witnessing.ts';
import { createSessions } from './delegation/sessions.ts';
import { startJobs } from './jobs/runner.ts';
import { whileConfirmed } from './journal/confirmed.ts';
import { createHeartbeat } from './journal/heartbeat.ts';
import type { KeyStore } from './journal/keys.ts';
import { readVkey } from './journal/note.ts';
import { createPublishedLog } from './journal/published.ts';
import type { SignerClient } from './journal/signer.ts';
import { createStamping } from './journal/stamping.ts';
import { verify } from './journal/verify.ts';
import type { Clock } from './kernel/clock.ts';
import { readPrivateKey, sha256, uuidFrom } from './kernel/crypto.ts';
import { Failure } from './kernel/failure.ts';
import { createAttestations } from './mandates/attestations.ts';
import { createBarring } from './mandates/barring.ts';
import type { EndSessions, TellEnd } from './mandates/ending.ts';
import { type AcceptFactor, createMandates } from './mandates/mandates.ts';
import { createPaperConsents } from './mandates/paper-consents.ts';
import { createPhoneLinks } from './mandates/phone-links.ts';
import { createRemoteConsents } from './mandates/remote-consents.ts';
import { createScans } from './mandates/scans.ts';
import { createStopping } from './mandates/stopping.ts';
import { createValidities } from './mandates/validity.ts';
import type { Deliveries, Message } from './notices/deliveries.ts';
import { createBarTelling } from './notices/ends.ts';
import { lossMail, meansMail, referentMail, suspendedMail } from './notices/means.ts';
import { createRemarkTelling } from './notices/remarks.ts';
import { actionStore } from './persistence/actions.ts';
import { aidantStore, meansStore } from './persistence/aidants.ts';
import { createArtefactStore } from './persistence/artefacts.ts';
import { attestationStore } from './persistence/attestations.ts';
import { barStore } from './persistence/barring.ts';
import { channelStore } from './persistence/channels.ts';
import { createClockWatch } from './persistence/clock-watch.ts';
import { contestStore } from './persistence/contests.ts';
import type { Database } from './persistence/database.ts';
import { tellings } from './persistence/deliveries.ts';
import { exportStore } from './persistence/exports.ts';
import { checkFingerprint } from './persistence/fingerprints.ts';
import { createJournal, readOrigin } from './persistence/journal.ts';
import { createConfirmed } from './persistence/journal-confirmed.ts';
import { evidenceStore } from './persistence/journal-evidence.ts';
import { openKeyStore } from './persistence/journal-keys.ts';
import { newestProof, proofTextOf } from './persistence/journal-proof.ts';
import { erasuresIn, logStore } from './persistence/journal-published.ts';
import { createScrubber } from './persistence/journal-scrub.ts';
import { startSealing } from './persistence/journal-sealing.ts';
import { startSequencer } from './persistence/journal-sequencer.ts';
import { journalSource, rotationsIn } from './persistence/journal-source.ts';
import { stampStore } from './persistence/journal-timestamps.ts';
import { watchReceipts } from './persistence/journal-watch.ts';
import { createWitnessing } from './persistence/journal-witnessing.ts';
import { lossStore } from './persistence/losses.ts';
import { createMandateStore } from './persistence/mandates.ts';
import { passkeyStore, recoveryStore } from './persistence/means.ts';
import { paperConsentStore } from './persistence/paper-consents.ts';
import { personalDataOf } from './persistence/personal-data.ts';
import { phoneLinkStore } from './persistence/phone-links.ts';
import { remoteConsentStore } from './persistence/remote-consents.ts';
import { requestStore } from './persistence/requests.ts';
import { scanStore } from './persistence/scans.ts';
import { createSessionStore } from './persistence/sessions.ts';
import { noteSettings } from './persistence/settings.ts';
import { signingKeyStore } from './persistence/signing-keys.ts';
import { createStoppingStore, referentsOf } from './persistence/stopping.ts';
import { createUsagerStore } from './persistence/usagers.ts';
import { validityStore } from './persistence/validity.ts';
import { aidantNamesOf, colleaguesOf, helpedNamesOf, lastSigned, referencesOf, runningUnder, unreportedAmong } from './persistence/views.ts';
import { webSessionStore } from './persistence/web-sessions.ts';
import type { KeySource } from './provider/key-set.ts';
import { createOpenIdProvider } from './provider/provider.ts';
import { createRequests } from './services/requests.ts';
import { createConnector } from './upstream/connector.ts';
import { createChannels } from './usagers/channels.ts';
import type { TellIdentity } from './usagers/reviews.ts';
import { createUsagers } from './usagers/usagers.ts';
import { codeOf, statusOf } from './web/error-handler.ts';
import { createHttp } from './web/http.ts';
import { createProviderPages } from './web/provider-pages.tsx';
import { createWebSessions, type WebSessionStore } from './web/session.ts';
import type { SecurityEvent, Site } from './web/site.ts';

export interface AppParts {
  readonly config: Config;
  readonly database: Database;
  /** Where the keys of sealed parts are, when apart. Whoever opened it closes it. */
  readonly keyDatabase?: Database | undefined;
  readonly clock: Clock;
  readonly signer: (origin: string) => SignerClient;
  /** How often the journal watches itself: clocks, and what it holds. Each minute; tests that move time ask for another. */
  readonly watchEveryMs?: number | undefined;
  readonly sendMessage: (kind: 'mail' | 'sms', message: Message) => Promise<void>;
  /** One line of the operator's log; fields are allow-listed by its callers. */
  readonly log: (level: 'info' | 'warn' | 'error', line: Readonly<Record<string, unknown>>) => void;
}

export interface App extends Domain {
  readonly http: Awaited<ReturnType<typeof createHttp>>;
  readonly site: Site;
  readonly deliveries: Deliveries;
  readonly origin: string;
  readonly keyStore: KeyStore;
  readonly flushJournal: () => Promise<void>;
  /** Stops answering "ready", so that a proxy sends nobody more. */
  drain(): void;
  /** Ends what runs: HTTP, jobs, sequencer, sealing. The database stays open: whoever opened it closes it. */
  close(): Promise<void>;
}

const FINGERPRINTS = ['journal-ed25519', 'pairwise', 'payload-kek'] as const;

/** Joins every part. Configuration in, an HTTP server that does not listen out. */
export const createApp = async (parts: AppParts): Promise<App> => {
  const { config, database, keyDatabase, clock, log } = parts;
  const { keys } = config;
  for (const name of FINGERPRINTS) if (keys.has(name)) await checkFingerprint(database.auto, name, keys.fingerprint(name));
  const origin = await readOrigin(database, config.journalHost);
  const { policy, ...limits } = config.witnessing ?? { policy: undefined, ...DEFAULT_LIMITS };
  if (policy && !policy.logs.some(({ verifier }) => verifier.name === origin))
    throw new Failure('policy_of_other_log', `RELAIS_WITNESS_POLICY has no log line for ${origin}`);
  const alarm = (alarmed: { kind: string }): void => log('error', { event: 'journal', ...alarmed });
  const macKey = keys.raw('journal-mac').reveal();
  const keyStore = await openKeyStore({
    database: keyDatabase ?? database,
    apart: keyDatabase !== undefined,
    kek: keys.raw('payload-kek').reveal(),
    clock,
    onAlarm: alarm,
  });
  const watchEveryMs = parts.watchEveryMs ?? 60_000;
  const clockWatch = createClockWatch(database.auto, clock, alarm);
  if (parts.watchEveryMs === undefined) await clockWatch.look();
  const sequencer = startSequencer({
    database,
    macKey,
    keys: keyStore,
    clock,
    name: `app ${process.pid}`,
    clockApart: clockWatch.apart,
    onAlarm: alarm,
  });
  const signer = parts.signer(origin);
  const confirmed = createConfirmed({ clock, origin, policy, ...limits, sealRefused: () => sealing.refused() });
  const witnessing = policy && createWitnessing({ policy, clock, onAlarm: alarm, onCosigned: confirmed.look });
  const refusals = new Set<string>();
  /** One entry a kind of refusal and hour, whoever leads: its id follows from them. */
  const noteRefusal = async (refused: string): Promise<void> => {
    const hour = clock.now().toISOString().slice(0, 13);
    const eventId = uuidFrom(sha256('relais/checkpoint-refused/v1\n', `${origin}\n${refused}\n${hour}`));
    if (refusals.has(eventId)) return;
    refusals.add(eventId);
    const size = (await lastSigned(database.auto))?.size ?? 0;
    await database.run((tx) => queued.record(tx, { type: 'checkpoint.refused', actor: 'system', detail: { refused, size } }, eventId));
  };
  const sealing = startSealing({
    database,
    sequencer,
    signer,
    clock,
    onAlarm: (alarmed) => {
      alarm(alarmed);
      if (alarmed.kind === 'seal_refused') void noteRefusal(alarmed.refused).catch(() => refusals.clear());
    },
    afterwards: async (tx, leading) => {
      await witnessing?.ask(tx, leading);
      await confirmed.look(tx);
    },
  });
  const queued = createJournal({
    transactions: database,
    clock,
    writer: 'app',
    origin,
    sequencer,
    keys: keyStore,
    macKey,
  });
  const journal = whileConfirmed(watchReceipts(queued, database, alarm), confirmed.blocked);
  const settings = effectiveSettings(config);
  await database.run(async (tx) => {
    const what = await noteSettings(tx, settings);
    const hash = sha256(...[...settings].flat()).toString('base64url');
    if (what.length) await queued.record(tx, { type: 'configuration.changed', actor: 'system', detail: { hash, what } });
  });
  const heartbeat = createHeartbeat({ transactions: database, journal, sequencer });
  const scrub = createScrubber({
    tx: database.auto,
    clock,
    leading: sequencer.leading,
    opened: () => database.dedicated('relais_sequencer'),
    verify: async (from) => {
      // Sealed first: a log that begins has no checkpoint yet to hold against it.
      const sealed = await sealing.seal();
      if ('size' in sealed && sealed.size === 0) return { faults: [], size: 0 };
      return verify({
        source: journalSource(database),
        origin,
        trusted: [readVkey(await signer.vkey())],
        keys: (asked) => keyStore.load(database.auto, asked),
        from,
        between: () => new Promise((resolve) => setImmediate(resolve)),
      });
    },
    onAlarm: alarm,
  });
  const common = { transactions: database, journal, clock };
  const sessions = createSessions({ ...common, store: createSessionStore(), pairwiseKey: keys.raw('pairwise').reveal() });
  const endMandateSessions: EndSessions = async (tx, which, reason, now) => ({ ended: (await sessions.endIn(tx, which, reason, now)).length });
  const lossUrl = (token: string): string => `${config.publicUrl}/connexion/perdu/${token}`;
  const told: Told = async (tx, staffId, news) => {
    const dossier = await aidantStore.findDossier(tx, staffId);
    if (dossier) await deliveries.queue(tx, 'mail', meansMail(news, dossier.staff, config.helpNumber, lossUrl(await losses.linkFor(tx, staffId))));
  };
  const tellEnd: TellEnd = (tx, news) => endTelling(tx, news);
  const tellIdentity: TellIdentity = async (tx, usagerId) => identityTelling?.(tx, usagerId);
  const domain = createDomain({
    database,
    keyDatabase,
    journal,
    clock,
    keys,
    allowLoopback: config.allowLoopback,
    told,
    endSessions: async (tx, whose, reason) => (await sessions.endIn(tx, whose, reason, clock.now())).length,
    endMandateSessions,
    tellEnd,
    tellIdentity,
  });
  const attestations = createAttestations({
    transactions: database,
    clock,
    store: attestationStore,
    key: readPrivateKey(keys.pem('attestation-ed25519').reveal()),
    kek: keys.raw('payload-kek'),
    former: keys.formerAttestation,
  });
  await attestations.start();
  const passkeys = createPasskeys({ ...common, store: passkeyStore, fresh: recoveryStore, party: partyOf(config.publicUrl), told });
  const recovery = createRecovery({ ...common, store: recoveryStore, means: meansStore, told });
  const acceptFactor: AcceptFactor = async (tx, aidantId, proof, textHash) => {
    if (typeof proof !== 'string') {
      const answer = await passkeys.verifyIn(tx, aidantId, proof.assertion, 'mandate', textHash);
      if ('accepted' in answer) return { accepted: true, means: 'passkey' };
      return { refused: answer.refused === 'passkey_expired' ? 'passkey_expired' : 'passkey_refused' };
    }
    const answer = await domain.means.verifyCodeIn(tx, aidantId, proof, 'mandate');
    if ('accepted' in answer) return { accepted: true, means: 'totp' };
    return { refused: answer.refused === 'no_factor' ? 'wrong_code' : answer.refused };
  };
  const mandates = createMandates({
    ...common,
    store: createMandateStore(),
    attest: attestations.issue,
    endSessions: endMandateSessions,
    tellEnd,
    acceptFactor,
  });
  const notice = (event: SecurityEvent): void => {
    const { fault, ...line } = event;
    const known =
      fault instanceof Error
        ? { fault: fault.name, code_fault: 'code' in fault ? String(fault.code) : undefined, at: fault.stack?.split('\n').slice(1, 4).join(' | ') }
        : {};
    log(fault ? 'error' : 'warn', { event: 'security', ...line, ...known });
  };
  const store = createArtefactStore({ transactions: database, journal, sessions: () => sessions });
  const signing = (...names: readonly SigningName[]): KeySource => ({
    keys: () => names.flatMap((name) => keys.signing(name)),
    times: () => signingKeyStore.all(database.auto),
    publish: (published) => signingKeyStore.publish(database.auto, published),
  });
  const provider = await createOpenIdProvider(
    {
      issuer: config.issuer,
      publicUrl: config.publicUrl,
      secure: config.publicUrl.startsWith('https:'),
      allowLoopback: config.allowLoopback,
      keys: {
        pairwise: keys.raw('pairwise'),
        cookies: keys.raw('cookies'),
        dpopNonce: keys.raw('dpop-nonce'),
      },
      signing: signing('op-es256', 'op-rs256'),
      store,
      services: (id) => domain.services.find(id),
      refused: async (entry) => {
        await database.run((tx) => journal.record(tx, entry));
        journal.nudge();
      },
      journal,
      clock,
      pages: createProviderPages(config),
      passes: (error) => error instanceof Error && statusOf(codeOf(error)) === 503,
      notice,
      tellLogout: async (serviceId, session) => {
        await database.run((tx) => deliveries.queueLogout(tx, serviceId, session));
        nudgeDeliveries();
      },
      endSession: async (id) => {
        await sessions.end({ id }, 'signed_out');
      },
    },
    () => origin,
  );
  const { deliveries, texting, smsKey, endTelling, identityTelling, reminders, tasks, watches, listen, streams, bell } = await joinSignals({
    ...common,
    config,
    logoutToken: provider.logoutToken,
    signing: signing('ssf-rs256'),
    administrationOf: async (tx, id) => (await domain.services.find(id, tx))?.administrationId,
    sendMessage: parts.sendMessage,
    notice,
    log,
  });
  const stopping = createStopping({ ...common, store: createStoppingStore(), endings: mandates });
  const consents = createRemoteConsents({ ...texting, store: remoteConsentStore, mandateStore: createMandateStore(), channelStore, mandates });
  const papers = createPaperConsents({
    ...common,
    store: paperConsentStore,
    usagerStore: createUsagerStore(),
    mandateStore: createMandateStore(),
    mandates,
    acceptFactor,
  });
  const losses = createLosses({
    ...common,
    store: lossStore,
    aidants: domain.aidants,
    kek: keys.raw('payload-kek'),
    key: keys.raw('cookies'),
    mails: {
      link: (tx, to, token) => deliveries.queue(tx, 'mail', lossMail(to, config.helpNumber, lossUrl(token))),
      suspended: (tx, to, ended) => deliveries.queue(tx, 'mail', suspendedMail(to, config.helpNumber, ended)),
      referent: (tx, to, who, ended) =>
        deliveries.queue(tx, 'mail', referentMail(to, `${who.givenName} ${who.familyName}`, config.helpNumber, ended)),
    },
    capped: (scope) => notice({ code: 'loss_capped', detail: scope }),
  });
  const scans = createScans({
    ...common,
    store: scanStore,
    paperStore: paperConsentStore,
    mandateStore: createMandateStore(),
    kek: keys.raw('payload-kek'),
  });
  const webSessions = createWebSessions({
    transactions: database,
    store: webSessionStore as WebSessionStore,
    clock,
    key: keys.raw('cookies').reveal(),
  });
  const stamping =
    config.tsa && createStamping({ tsa: config.tsa, store: stampStore(database), clock, leading: () => sequencer.leading(), onAlarm: alarm });
  const requests = createRequests({ ...common, store: requestStore });
  const noting = setInterval(() => void requests.flush().catch(() => undefined), 2000).unref();
  const jobs = startJobs(
    [
      ...tasks,
      ...watches,
      ...periodic({
        ...{ config, clock, log, watchEveryMs, domain, sessions, heartbeat, clockWatch, scrub, losses, mandates, consents, stopping, reminders },
        stamping: stamping || undefined,
        keySets: [provider, ...(streams ? [streams] : [])],
        purges: [
          requests.purge,
          ...(streams ? [streams.purge] : []),
          () => store.purge(clock.now()),
          webSessions.purge,
          passkeys.purge,
          losses.purge,
          domain.reviews.purge,
        ],
      }),
    ],
    (name, error) => log('error', { event: 'job', name, fault: error instanceof Error ? error.name : 'error' }),
  );
  const nudgeDeliveries = (): void => {
    bell.ring();
    for (const { name } of tasks) jobs.nudge(name);
  };
  const closeSignals = listen(nudgeDeliveries);
  const connector = (name: 'proconnect' | 'franceconnect') =>
    createConnector(
      {
        name,
        ...config[name],
        redirectUri: `${config.publicUrl}/connexion/${name}/retour`,
        postLogoutUri: `${config.publicUrl}/connexion/${name}/sortie`,
        allowHttp: config.mode === 'demonstration',
      },
      clock,
      (code, detail) => notice({ code, detail }),
    );
  let draining = false;
  const site: Site = {
    publicUrl: config.publicUrl,
    issuer: config.issuer,
    secure: config.publicUrl.startsWith('https:'),
    helpNumber: config.helpNumber,
    translations: config.translations,
    pairwiseKey: keys.raw('pairwise'),
    cookieKey: keys.raw('cookies'),
    clock,
    transactions: database,
    journal,
    webSessions,
    connectors: { proconnect: connector('proconnect'), franceconnect: connector('franceconnect') },
    aidants: domain.aidants,
    means: domain.means,
    passkeys,
    recovery,
    losses,
    usagers: createUsagers({ ...common, store: createUsagerStore(), reviews: domain.reviews }),
    mandates,
    phoneLinks: createPhoneLinks({
      ...common,
      store: phoneLinkStore,
      mandateStore: createMandateStore(),
      mandates,
      key: keys.raw('cookies').reveal(),
    }),
    sms: smsKey && { consents, channels: createChannels({ ...texting, store: channelStore, fresh: recoveryStore }), key: smsKey },
    papers,
    scans,
    stopping,
    barring: createBarring({
      ...common,
      store: barStore,
      endSessions: endMandateSessions,
      tell: createBarTelling({ deliveries, referents: referentsOf }),
    }),
    requests,
    validities: createValidities({ ...common, store: validityStore }),
    attestations,
    exports: createExports({ ...common, store: exportStore, approvals: domain.approvals, fresh: recoveryStore }),
    statements: createStatements({ key: readPrivateKey(keys.pem('attestation-ed25519').reveal()), former: keys.formerAttestation }),
    sessions,
    services: domain.services,
    actions: createActions({ ...common, store: actionStore }),
    contests: createContests({ ...common, store: contestStore, tell: createRemarkTelling({ deliveries, referents: referentsOf }) }),
    provider,
    origin: () => origin,
    checkpoint: () => lastSigned(database.auto),
    witnessed: confirmed.witnessed,
    witnessPolicy: policy?.text,
    logVkey: () => signer.vkey(),
    rotations: () => rotationsIn(database.auto),
    published: createPublishedLog(logStore(database.auto)),
    evidence: evidenceStore,
    mirrors: (config.mirrors ?? []).map(({ hash }) => hash),
    askedMirrors: (config.mirrors ?? []).flatMap(({ name, url }) => (url === undefined ? [] : [{ name, url }])),
    erasures: (before, limit) => erasuresIn(database.auto, before, limit),
    proof: (tx, index) => {
      const witnessed = confirmed.witnessed();
      return witnessed && witnessed.size > index ? proofTextOf(tx, index, witnessed) : newestProof(tx, index);
    },
    tellings: (id) => tellings(database.auto, id),
    personalData: personalDataOf,
    references: (ids) => referencesOf(database.auto, ids),
    runningServices: (id) => runningUnder(database.auto, id, clock.now()),
    aidantNames: (ids) => aidantNamesOf(database.auto, ids),
    helpedNames: (organisation, ids) => helpedNamesOf(database.auto, organisation, ids, clock.now()),
    colleagues: (organisation) => colleaguesOf(database.auto, organisation),
    withoutReport: (ids) => unreportedAmong(database.auto, ids),
    notice,
    nudgeDeliveries,
    deaf: deliveries.deaf,
    streams,
    bell,
    answered: deliveries.answered,
    untaken: deliveries.untaken,
    health: async () => {
      const reachable = await lastSigned(database.auto).then(
        () => true,
        () => false,
      );
      return { ready: reachable && !draining, checks: { database: reachable, draining } };
    },
  };
  const http = await createHttp(site, { trustedProxies: config.trustedProxies, log: (line) => log('info', { event: 'http', ...line }) });
  return {
    ...domain,
    http,
    site,
    deliveries,
    origin,
    keyStore,
    flushJournal: async () => {
      await sequencer.flush();
      await sealing.seal();
    },
    drain: () => {
      draining = true;
    },
    close: async () => {
      draining = true;
      await http.close();
      clearInterval(noting);
      await requests.flush().catch(() => undefined);
      await jobs.stop();
      await closeSignals();
      await sequencer.flush().catch(() => undefined);
      await sealing.seal().catch(() => undefined);
      await witnessing?.stop();
      await sealing.stop();
      await sequencer.stop();
      await signer.close();
    },
  };
};
