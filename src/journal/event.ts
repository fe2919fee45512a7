import {
  administration,
  checkFields,
  choice,
  type DetailOf,
  day,
  decider,
  everybody,
  type Fields,
  flag,
  instant,
  list,
  month,
  number,
  optional,
  organisation,
  text,
  type Viewer,
} from './schema.ts';

/**
 * What the journal records: a closed set, one member a kind of decision (journal.md §1): how long its sealed part is kept, whether the usager
 * reads it, which other views read it, and the fields of its detail with who sees each. The identifiers of `Parties` go to the projection, for
 * search; `detail` is sealed with them and is what a person reads. `docs/journal-entries.md` is made from this file (`npm run docs:entries`).
 */

export interface Parties {
  readonly usager?: string | undefined;
  readonly aidant?: string | undefined;
  readonly organisation?: string | undefined;
  readonly mandate?: string | undefined;
  readonly session?: string | undefined;
  readonly service?: string | undefined;
  readonly administration?: string | undefined;
  readonly theme?: string | undefined;
  readonly demarche?: string | undefined;
  readonly verb?: string | undefined;
  readonly outcome?: string | undefined;
  /** Whoever decided when it is none of the above: an agent, an opérateur, `cli`, `system`. */
  readonly actor?: string | undefined;
}

/** Each party with the views that see it. The aidant is another pseudonym at each service; the usager, to an organisation, only while a mandate lives. */
export const PARTY_VIEWS = {
  usager: ['usager', 'organisation'],
  aidant: ['administration', 'organisation'],
  organisation: ['usager', 'administration', 'organisation'],
  mandate: ['usager', 'administration', 'organisation'],
  session: ['usager', 'administration', 'organisation'],
  service: ['usager', 'administration', 'organisation'],
  administration: ['usager', 'administration', 'organisation'],
  theme: ['usager', 'administration', 'organisation'],
  demarche: ['usager', 'administration'],
  verb: ['usager', 'administration'],
  outcome: ['usager', 'administration'],
  actor: [],
} as const satisfies Record<keyof Parties, readonly Viewer[]>;

export const PARTIES = Object.keys(PARTY_VIEWS) as readonly (keyof typeof PARTY_VIEWS)[];

/** How long the sealed part is kept: `access` 12 months, `mandate` the mandate's end + 5 years, `staff` 3 years, `log` with the log. */
export type Retention = 'access' | 'mandate' | 'staff' | 'log';

/** `true`: the usager reads it in *Ce qui a été fait pour vous*. Otherwise why she does not. */
type Shown = true | string;

export interface Kind {
  readonly retention: Retention;
  readonly shown: Shown;
  /** The views beside hers that have a row for it. */
  readonly readers: readonly Exclude<Viewer, 'usager'>[];
  readonly detail: Fields;
}

const kind = <F extends Fields>(retention: Retention, shown: Shown, readers: Kind['readers'], detail: F) => ({ retention, shown, readers, detail });

const NONE = [] as const;
const ADMINISTRATION = ['administration'] as const;
const ORGANISATION = ['organisation'] as const;
const BOTH = ['administration', 'organisation'] as const;
const NO_USAGER = 'concerns no usager';

/** Names as they were at the time, so that an old entry still reads when somebody has been renamed. */
const NAMES = {
  aidantName: optional(organisation(text)),
  organisationName: optional(everybody(text)),
  serviceName: optional(everybody(text)),
  administrationName: optional(everybody(text)),
};
/** How narrower than its themes a mandate is: absent members narrow nothing. Démarches by their codes. */
const HELD = { demarches: optional(organisation(list(text))), readOnly: optional(organisation(flag)), singleUse: optional(organisation(flag)) };
/** The entry at index `entry`, whose event is `event`. */
const ABOUT = {
  ...NAMES,
  entry: everybody(number),
  event: everybody(text),
  demarcheLabel: optional(administration(text)),
  demarcheLabelEn: optional(administration(text)),
};
const SIGN_IN = { acr: text, amr: list(text) };
const REASON = { reason: text };
const FACTOR = { kind: choice('totp', 'passkey', 'recovery') };
const THEMES = { themes: organisation(list(text)) };
const PAPER = { ...NAMES, reference: organisation(text) };
/** `left`: the themes that go on. */
const STOPPED = { ...NAMES, ...THEMES, left: organisation(list(text)), sessions: organisation(number) };
const APPROVAL = { kind: text, subject: text, hash: text };
/** `template`: which message, never its words. */
const MESSAGE = { channel: choice('mail', 'sms'), template: text };
/** What is sealed for one person, or for a class and a month. */
const SEALED = { scope: choice('person', 'period'), class: optional(text), month: optional(month) };
/** `ground`: the legal ground, a code. */
const ERASURE = { ...SEALED, ground: text };

/** The closed set. */
export const KINDS = {
  'aidant.signed-in': kind('access', NO_USAGER, NONE, SIGN_IN),
  'aidant.sign-in-refused': kind('access', NO_USAGER, NONE, REASON),
  'aidant.signed-out': kind('access', NO_USAGER, NONE, {}),
  'staff.signed-in': kind('access', NO_USAGER, NONE, SIGN_IN),
  'usager.signed-in': kind('access', true, NONE, { acr: text }),
  'usager.sign-in-refused': kind('access', 'concerns no usager that is known', NONE, REASON),
  'usager.identified': kind('access', 'mandate.consented or usager.signed-in says it', NONE, { acr: text, created: flag }),
  'usager.linked': kind('mandate', true, NONE, { acr: text }),
  /** A known upstream account came with other civil traits than ours: their names, never their values. */
  'usager.drifted': kind('mandate', 'who signed in may be somebody else: the opérateur looks first', NONE, { acr: text, traits: list(text) }),
  /** Two opérateurs compared the identity that came with what was known, and accepted it; `reason`: what the first one saw. */
  'usager.identity-accepted': kind('mandate', true, NONE, { traits: list(text), ...REASON }),
  /** Her identity was typed by an aidant, for a mandate on paper. */
  'usager.entered': kind('mandate', true, ORGANISATION, NAMES),
  'usager.protected': kind('mandate', 'mandate.ended says it', NONE, { protection: choice('death', 'guardianship') }),
  'factor.enrolled': kind('staff', NO_USAGER, NONE, FACTOR),
  'factor.revoked': kind('staff', NO_USAGER, NONE, FACTOR),
  'factor.accepted': kind('access', NO_USAGER, NONE, { ...FACTOR, purpose: text }),
  'factor.refused': kind('access', NO_USAGER, NONE, { ...FACTOR, ...REASON }),
  'organisation.habilitated': kind('staff', NO_USAGER, ORGANISATION, { ...THEMES, name: organisation(text) }),
  'organisation.suspended': kind('staff', NO_USAGER, ORGANISATION, { reason: organisation(text) }),
  'organisation.ended': kind('staff', 'mandate.ended says it to each', ORGANISATION, { reason: organisation(text), mandates: organisation(number) }),
  'aidant.habilitated': kind('staff', NO_USAGER, ORGANISATION, { ...THEMES, referent: organisation(flag) }),
  'aidant.removed': kind('staff', NO_USAGER, ORGANISATION, { reason: organisation(text) }),
  'organisation.switched': kind('access', NO_USAGER, ORGANISATION, { from: text }),
  'mandate.drafted': kind('access', 'nobody has agreed to anything yet', ORGANISATION, { ...HELD, ...THEMES, days: organisation(number) }),
  /** `kept`: how many mandates of other structures, for the same themes, go on beside this one (claim M22): no structure learns it. */
  'mandate.consented': kind('mandate', true, ORGANISATION, {
    ...NAMES,
    ...HELD,
    ...THEMES,
    method: organisation(text),
    acr: organisation(text),
    kept: optional(number),
  }),
  'mandate.refused': kind('access', true, ORGANISATION, { reason: organisation(text) }),
  /** A way to reach a person was entered: by herself once she proved that she reads it, or by an aidant. */
  'channel.added': kind('mandate', true, ORGANISATION, {
    ...NAMES,
    kind: organisation(choice('phone', 'mail')),
    by: organisation(choice('usager', 'aidant')),
  }),
  'number.declared': kind('staff', NO_USAGER, NONE, { holder: text }),
  /** By `franceconnect`, on the person's own telephone, nobody knows yet who is asked. */
  'consent.asked': kind('mandate', true, ORGANISATION, {
    ...NAMES,
    ...THEMES,
    days: organisation(number),
    method: organisation(choice('sms', 'paper', 'franceconnect')),
  }),
  /** A second aidant said that she saw the person sign. */
  'consent.witnessed': kind('mandate', true, ORGANISATION, PAPER),
  /** A copy of a signed sheet was kept, then looked at. */
  'paper.copied': kind('mandate', true, ORGANISATION, PAPER),
  'paper.copy-read': kind('mandate', true, ORGANISATION, PAPER),
  'consent.answered': kind('mandate', true, ORGANISATION, {
    answer: organisation(choice('no', 'expired')),
    method: organisation(choice('sms', 'franceconnect')),
  }),
  'mandate.created': kind('mandate', true, ORGANISATION, {
    ...PAPER,
    ...HELD,
    ...THEMES,
    endsAt: organisation(instant),
    method: organisation(text),
    textHash: organisation(text),
  }),
  /** A mandate signed on paper before Relais. */
  'mandate.imported': kind('mandate', true, ORGANISATION, {
    ...PAPER,
    ...THEMES,
    signedOn: organisation(day),
    endsAt: organisation(instant),
    witnessName: organisation(text),
    textHash: organisation(text),
  }),
  /** `by`: the reference of the mandate that replaces it. */
  'mandate.replaced': kind('mandate', true, ORGANISATION, { ...NAMES, by: organisation(text), theme: organisation(text) }),
  /** `reason`: the opérateur's, whom nothing else obliges to say why. `through`: how she stopped it when not from her space; for paper, who received it and where. */
  'mandate.revoked': kind('mandate', true, ORGANISATION, {
    ...STOPPED,
    by: organisation(decider),
    reason: optional(text),
    through: optional(choice('sms', 'letter', 'paper')),
    receivedBy: optional(text),
    receivedAt: optional(text),
  }),
  /** An administration stopped it at its own services, where `sessions` were open. */
  /** A service asked whether it held at an instant. */
  'mandate.checked': kind('access', true, BOTH, { ...NAMES, at: everybody(instant), valid: everybody(flag) }),
  'mandate.barred': kind('mandate', true, BOTH, { ...NAMES, reason: everybody(text), sessions: everybody(number) }),
  'mandate.renounced': kind('mandate', true, ORGANISATION, STOPPED),
  'mandate.ended': kind('mandate', true, ORGANISATION, { ...NAMES, ...THEMES, reason: organisation(text) }),
  'session.opened': kind('mandate', true, BOTH, {
    ...NAMES,
    privileges: administration(list(text)),
    demarches: optional(administration(list(text))),
    /** One use goes on, after the aidant signed in anew. */
    continues: optional(everybody(flag)),
    expiresAt: everybody(instant),
  }),
  'session.refused': kind('access', true, BOTH, { reason: everybody(text) }),
  'session.ended': kind('access', 'session.opened carries the report state', BOTH, { ...NAMES, reason: everybody(text), reported: everybody(flag) }),
  'token.issued': kind('access', 'session.opened says it in words', ADMINISTRATION, { kind: administration(text) }),
  /** A service that proved who it is asked about a token that is not alive; once a token and process. */
  'token.inactive': kind('access', 'nothing was done', ADMINISTRATION, {}),
  'token.refused': kind('access', 'technical; session.refused says it in words', ADMINISTRATION, { reason: administration(text) }),
  'action.reported': kind('mandate', true, BOTH, {
    ...NAMES,
    demarcheLabel: administration(text),
    demarcheLabelEn: administration(text),
    reference: optional(administration(text)),
    at: everybody(instant),
    outsideMandate: administration(flag),
    /** The mandate allowed it; its démarche asked for a newer sign-in, a stronger one, or one of its own. */
    signInAgain: optional(administration(flag)),
  }),
  'action.refused': kind('access', 'nothing was done', ADMINISTRATION, {
    reason: administration(text),
    /** Of one request, when there were several. */
    count: optional(administration(number)),
  }),
  /** By the person, or by whoever did it. */
  'action.contested': kind('mandate', true, BOTH, ABOUT),
  'action.error-declared': kind('mandate', true, BOTH, ABOUT),
  'revocation.delivered': kind('mandate', true, BOTH, { ...NAMES, acknowledgedAt: everybody(instant), attempts: everybody(number) }),
  'journal.read': kind('mandate', true, BOTH, { ...NAMES, reason: everybody(text), entries: everybody(number) }),
  'administration.added': kind('staff', NO_USAGER, ADMINISTRATION, { name: administration(text) }),
  'agent.added': kind('staff', NO_USAGER, ADMINISTRATION, {
    administrationName: administration(text),
    role: optional(administration(choice('reader', 'integrator'))),
  }),
  'operateur.added': kind('staff', NO_USAGER, NONE, {}),
  'service.added': kind('staff', NO_USAGER, ADMINISTRATION, {
    name: administration(text),
    profile: administration(text),
    hash: administration(text),
  }),
  /** Beside what is in force: `changes` names what would differ. */
  'service.change-asked': kind('staff', NO_USAGER, ADMINISTRATION, {
    name: administration(text),
    hash: administration(text),
    revision: administration(number),
    changes: administration(list(text)),
  }),
  'service.change-withdrawn': kind('staff', NO_USAGER, ADMINISTRATION, { name: administration(text), revision: administration(number) }),
  'service.approved': kind('staff', NO_USAGER, ADMINISTRATION, {
    name: administration(text),
    hash: administration(text),
    revision: optional(administration(number)),
  }),
  /** A former secret was ended before its time. */
  'service.secret-ended': kind('staff', NO_USAGER, ADMINISTRATION, { name: administration(text) }),
  'service.disabled': kind('staff', NO_USAGER, ADMINISTRATION, { name: administration(text), sessions: optional(administration(number)) }),
  'stream.changed': kind('staff', NO_USAGER, ADMINISTRATION, {
    what: administration(text),
    method: administration(text),
    status: administration(text),
  }),
  'approval.asked': kind('staff', NO_USAGER, NONE, APPROVAL),
  'approval.given': kind('staff', NO_USAGER, NONE, APPROVAL),
  'approval.refused': kind('staff', NO_USAGER, NONE, { ...APPROVAL, ...REASON }),
  /** A message was queued with what it tells; then a carrier took it, a telephone had it, or nobody did in seven days. */
  'message.sent': kind('access', true, NONE, MESSAGE),
  'message.delivered': kind('access', 'message.sent says it', NONE, { ...MESSAGE, attempts: number }),
  'message.received': kind('access', 'message.sent says it', NONE, { ...MESSAGE, received: flag }),
  'message.failed': kind('access', true, NONE, { ...MESSAGE, attempts: number }),
  /** A link to enrol was made again; then somebody opened one with an account of their own. */
  'staff.invited': kind('staff', NO_USAGER, NONE, {}),
  'enrolment.begun': kind('staff', NO_USAGER, NONE, {}),
  'staff.suspended': kind('staff', NO_USAGER, NONE, REASON),
  'staff.reinstated': kind('staff', NO_USAGER, NONE, REASON),
  /** Somebody reported that a member of staff lost their means: a mail left with a link, and nothing else happened. */
  'loss.reported': kind('access', NO_USAGER, NONE, {}),
  'checkpoint.trusted': kind('log', NO_USAGER, NONE, { reason: text, size: number, root: text }),
  'keys.made': kind('log', NO_USAGER, NONE, { names: list(text) }),
  /** The journal's signing key was replaced: `vkey` is the new one's, `former` the one that it follows; both signed it (log-keys.ts). */
  'key.rotated': kind('log', NO_USAGER, NONE, { name: text, vkey: text, former: text, byFormer: text, byNext: text }),
  /** Another key signs tokens from now on, or one was declared stolen: it is published no more, and what was open has ended. */
  'signing-key.promoted': kind('log', NO_USAGER, NONE, { kid: text, alg: text }),
  'signing-key.revoked': kind('log', NO_USAGER, NONE, { kid: text, alg: text, sessions: number }),
  /** The signer answered no; one a kind of refusal and hour. */
  'checkpoint.refused': kind('log', NO_USAGER, NONE, { refused: text, size: number }),
  /** The process started with other settings than the last one that said so: `hash` of what counts, names of the settings, never a value. */
  'configuration.changed': kind('log', NO_USAGER, NONE, { hash: text, what: list(text) }),
  /** A second person decides. */
  'erasure.asked': kind('log', true, NONE, { ...ERASURE, reason: optional(text) }),
  /** `entries`: how many cannot be read any more. `lastTag`: the last tag of the person, whom it names to herself alone. */
  'erasure.executed': kind('log', true, NONE, { ...ERASURE, entries: number, lastTag: optional(text) }),
  'erasure.refused': kind('log', true, NONE, { ...ERASURE, ...REASON }),
  /** Nothing of this person or month is erased before the hold is lifted. */
  'hold.placed': kind('log', 'the authority that asked says when she is told', NONE, { ...SEALED, ...REASON }),
  'hold.lifted': kind('log', 'the authority that asked says when she is told', NONE, { ...SEALED, ...REASON }),
  /** The sealed parts of a month left the database, their keys destroyed before. */
  'partition.dropped': kind('log', 'erasure.executed says it', NONE, { month, entries: number }),
  /** Entries left Relais as a file: her own, taken by herself, or those of an administration's or an organisation's view. */
  'journal.exported': kind('mandate', true, BOTH, {
    ...NAMES,
    what: everybody(text),
    entries: everybody(number),
    reason: optional(everybody(text)),
  }),
  /** The proof that the entry at index `entry` stands in the journal. */
  'proof.downloaded': kind('mandate', true, BOTH, { ...NAMES, entry: everybody(number) }),
  /** Her statement, by herself or printed by an organisation beside her; both days are inside. */
  'statement.made': kind('mandate', true, ORGANISATION, { ...NAMES, from: organisation(day), to: organisation(day), entries: organisation(number) }),
  'log.heartbeat': kind('log', NO_USAGER, NONE, {}),
} as const satisfies Readonly<Record<string, Kind>>;

export type EventType = keyof typeof KINDS;

/** The sealed part of each kind of entry. */
export type Details = { readonly [T in EventType]: DetailOf<(typeof KINDS)[T]['detail']> };

/** One decision, as a use case hands it to the journal. */
export type Entry = { [T in EventType]: { readonly type: T; readonly detail: Details[T] } & Parties }[EventType];

export const isEventType = (value: string): value is EventType => Object.hasOwn(KINDS, value);

const CHECKS = new Map<string, ReturnType<typeof checkFields>>(Object.entries(KINDS).map(([type, { detail }]) => [type, checkFields(detail)]));

/** Names the first field of `detail` that is not as its kind says, or is missing; undefined when all is as it should be. */
export const checkDetail = (type: EventType, detail: Readonly<Record<string, unknown>>): string | undefined => {
  const check = CHECKS.get(type);
  return check ? check(detail) : 'type';
};
