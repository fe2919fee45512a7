import type { Details, EventType, Parties } from '../../src/journal/event.ts';
import type { StoredEntry } from '../../src/journal/journal.ts';

/** Writes a free text of a sample: itself for the gallery, a payload for the escaping test. */
export type Text = (value: string) => string;

let index = 0;
const entry = <T extends EventType>(type: T, at: string, detail: Details[T] | null, parties: Parties = {}): StoredEntry => {
  index += 1;
  return {
    index: 4711 + index,
    eventId: `0190-${index}`,
    at: new Date(at),
    type,
    leaf: 'q5Wc0m2VbFvY1m4mPqJz9tI7sL3uX8nEwKZrT6yHdaA',
    detail,
    ...parties,
  };
};

/** One entry of each kind that the usager is shown, and the variants that read differently; newest first. */
export const sampleEntries = (text: Text): StoredEntry[] => {
  const karim = { aidantName: text('Karim'), organisationName: text('Mairie de Thénac') };
  const caf = { ...karim, serviceName: text('la CAF') };
  const action = {
    demarcheLabel: text('votre demande d’aide au logement'),
    demarcheLabelEn: text('your housing benefit claim'),
    at: '2026-03-03T13:32:00Z',
    outsideMandate: false,
  };
  const party = { theme: 'logement', outcome: 'success' };
  return [
    entry('revocation.delivered', '2026-03-03T14:31:02Z', { serviceName: text('la CAF'), acknowledgedAt: '2026-03-03T14:31:02Z', attempts: 1 }),
    entry('mandate.revoked', '2026-03-03T14:31:01Z', { ...karim, by: 'usager', themes: ['logement', 'famille'], left: [], sessions: 1 }),
    entry('action.reported', '2026-03-03T13:32:00Z', { ...caf, ...action, reference: text('2026-11893') }, { ...party, verb: 'send' }),
    entry('action.reported', '2026-03-03T13:30:00Z', { ...caf, ...action }, { ...party, verb: 'send', outcome: 'failure' }),
    entry(
      'action.reported',
      '2026-03-03T13:25:00Z',
      { ...caf, ...action, demarcheLabel: text('Changer votre adresse'), outsideMandate: true },
      { ...party, verb: 'change' },
    ),
    entry('action.reported', '2026-03-03T13:24:00Z', { ...caf, ...action, signInAgain: true }, { ...party, verb: 'open' }),
    entry('action.reported', '2026-03-03T13:20:00Z', { ...caf, ...action, demarcheLabel: text('vos paiements') }, { ...party, verb: 'read' }),
    entry('action.error-declared', '2026-03-03T13:19:40Z', {
      ...caf,
      entry: 4714,
      event: 'x',
      demarcheLabel: text('vos paiements'),
      demarcheLabelEn: text('your payments'),
    }),
    entry('action.contested', '2026-03-03T13:19:20Z', {
      ...caf,
      entry: 4713,
      event: 'x',
      demarcheLabel: text('Changer votre adresse'),
      demarcheLabelEn: text('Change your address'),
    }),
    entry('action.contested', '2026-03-03T13:19:10Z', { ...caf, entry: 4712, event: 'x' }),
    entry(
      'session.opened',
      '2026-03-03T13:18:00Z',
      { ...caf, privileges: ['read', 'declare'], expiresAt: '2026-03-03T13:48:00Z' },
      { theme: 'logement' },
    ),
    entry(
      'session.opened',
      '2026-03-03T13:17:00Z',
      { ...caf, privileges: ['read', 'declare'], continues: true, expiresAt: '2026-03-03T13:48:00Z' },
      { theme: 'logement' },
    ),
    entry('journal.read', '2026-03-01T09:05:00Z', {
      administrationName: text('la CAF'),
      reason: text('vérification du dossier 2026-118'),
      entries: 2,
    }),
    entry(
      'session.opened',
      '2026-03-01T08:40:00Z',
      { ...karim, aidantName: text('Inès'), serviceName: text('les impôts'), privileges: ['read'], expiresAt: '2026-03-01T09:10:00Z' },
      { theme: 'argent' },
    ),
    entry('session.refused', '2026-03-01T08:39:00Z', { reason: 'theme_not_covered' }),
    entry('mandate.created', '2026-03-01T08:30:00Z', {
      ...karim,
      reference: text('M-7K4Q-2F9D'),
      themes: ['logement', 'famille'],
      endsAt: '2026-03-31T22:00:00Z',
      method: 'franceconnect',
      textHash: 'x',
    }),
    entry('mandate.consented', '2026-03-01T08:28:00Z', { ...karim, method: 'franceconnect', acr: 'eidas1', themes: ['logement', 'famille'] }),
    entry('mandate.consented', '2026-02-28T08:28:00Z', { ...karim, method: 'franceconnect', acr: 'eidas1', themes: ['logement'], kept: 1 }),
    entry('mandate.imported', '2026-02-20T08:29:00Z', {
      ...karim,
      reference: text('M-7K4Q-2F9E'),
      themes: ['logement'],
      signedOn: '2026-01-05',
      endsAt: '2026-07-05T22:00:00Z',
      witnessName: text('Inès'),
      textHash: 'x',
    }),
    entry('mandate.replaced', '2026-02-20T08:28:00Z', { ...karim, by: 'man_x', theme: 'logement' }),
    entry('consent.asked', '2026-02-20T08:27:50Z', { ...karim, method: 'sms', themes: ['logement'], days: 31 }),
    entry('paper.copy-read', '2026-02-20T08:27:49Z', { ...karim, reference: text('P-7K4Q-2F9D') }),
    entry('paper.copied', '2026-02-20T08:27:49Z', { ...karim, reference: text('P-7K4Q-2F9D') }),
    entry('consent.witnessed', '2026-02-20T08:27:48Z', { ...karim, aidantName: text('Inès'), reference: text('P-7K4Q-2F9D') }),
    entry('consent.asked', '2026-02-20T08:27:46Z', { ...karim, method: 'paper', themes: ['logement'], days: 31 }),
    entry('usager.entered', '2026-02-20T08:27:44Z', karim),
    entry('consent.asked', '2026-02-20T08:27:45Z', { ...karim, method: 'franceconnect', themes: ['logement'], days: 31 }),
    entry('consent.answered', '2026-02-20T08:27:42Z', { method: 'franceconnect', answer: 'no' }),
    entry('consent.answered', '2026-02-20T08:27:40Z', { method: 'sms', answer: 'no' }),
    entry('consent.answered', '2026-02-20T08:27:30Z', { method: 'sms', answer: 'expired' }),
    entry('channel.added', '2026-02-20T08:27:20Z', { kind: 'phone', by: 'usager' }),
    entry('channel.added', '2026-02-20T08:27:10Z', { ...karim, kind: 'phone', by: 'aidant' }),
    entry('mandate.refused', '2026-02-20T08:27:00Z', { reason: 'draft_expired' }),
    entry('mandate.revoked', '2026-02-20T08:26:00Z', { ...karim, by: 'operateur', themes: ['famille'], left: [], sessions: 0 }),
    entry('mandate.revoked', '2026-02-20T08:25:40Z', { ...karim, by: 'usager', themes: ['famille'], left: [], sessions: 0, through: 'sms' }),
    entry('mandate.revoked', '2026-02-20T08:25:20Z', {
      ...karim,
      by: 'usager',
      themes: ['famille'],
      left: [],
      sessions: 0,
      through: 'paper',
      receivedBy: text('Inès'),
      receivedAt: text('CCAS de Saintes'),
    }),
    entry('mandate.barred', '2026-02-20T08:25:10Z', {
      organisationName: karim.organisationName,
      administrationName: text('la CAF'),
      reason: text('usage suspect, dossier 2026-118'),
      sessions: 1,
    }),
    entry('mandate.checked', '2026-02-20T08:25:05Z', { ...caf, at: '2026-02-19T08:25:05Z', valid: true }),
    entry('mandate.checked', '2026-02-20T08:25:03Z', { ...caf, at: '2026-02-20T08:25:03Z', valid: false }),
    entry('mandate.renounced', '2026-02-20T08:25:00Z', { ...karim, themes: ['famille'], left: [], sessions: 0 }),
    entry('mandate.ended', '2026-02-20T08:24:00Z', { ...karim, reason: 'expired', themes: ['papiers'] }),
    entry('usager.linked', '2026-02-20T08:23:00Z', { acr: 'eidas1' }),
    entry('usager.identity-accepted', '2026-02-20T08:22:30Z', { traits: ['familyName', 'birthplace'], reason: text('livret de famille') }),
    entry('usager.signed-in', '2026-02-20T08:22:00Z', { acr: 'eidas1' }),
    entry('message.sent', '2026-02-20T08:21:56Z', { channel: 'sms', template: 'reminder' }),
    entry('message.failed', '2026-02-20T08:21:54Z', { channel: 'sms', template: 'consent', attempts: 9 }),
    entry('journal.exported', '2026-02-20T08:21:50Z', { what: 'own', entries: 12 }),
    entry('journal.exported', '2026-02-20T08:21:48Z', {
      what: 'csv',
      entries: 2,
      administrationName: text('la CAF'),
      reason: text('dossier 2026-118'),
    }),
    entry('proof.downloaded', '2026-02-20T08:21:46Z', { entry: 4713 }),
    entry('proof.downloaded', '2026-02-20T08:21:44Z', { entry: 4713, administrationName: text('la CAF') }),
    entry('statement.made', '2026-02-20T08:21:42Z', { from: '2026-01-01', to: '2026-01-31', entries: 12 }),
    entry('statement.made', '2026-02-20T08:21:40Z', { ...karim, from: '2026-01-01', to: '2026-01-31', entries: 12 }),
    entry('erasure.asked', '2026-02-20T08:21:30Z', { ground: 'request', scope: 'person' }),
    entry('erasure.executed', '2026-02-20T08:21:20Z', { ground: 'retention', scope: 'period', class: 'access', month: '2025-01', entries: 12 }),
    entry('erasure.refused', '2026-02-20T08:21:10Z', { ground: 'request', scope: 'person', reason: text('litige en cours') }),
    entry('session.opened', '2026-02-20T08:21:00Z', null),
  ];
};
