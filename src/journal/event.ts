/**
 * What the journal records: a closed union, one member a kind of decision (journal.md §1). The identifiers of `Parties` go to the
 * projection, for search; `detail` is sealed with them and is what a person reads.
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

export const PARTIES = [
  'usager',
  'aidant',
  'organisation',
  'mandate',
  'session',
  'service',
  'administration',
  'theme',
  'demarche',
  'verb',
  'outcome',
  'actor',
] as const satisfies readonly (keyof Parties)[];

/** Names as they were at the time, so that an old entry still reads when somebody has been renamed. */
interface Names {
  readonly aidantName?: string;
  readonly organisationName?: string;
  readonly serviceName?: string;
  readonly administrationName?: string;
}

/** How narrower than its themes a mandate is: absent members narrow nothing. Démarches by their codes. */
interface Held {
  readonly demarches?: readonly string[];
  readonly readOnly?: boolean;
  readonly singleUse?: boolean;
}

interface Remark extends Names {
  readonly entry: number;
  readonly event: string;
  readonly demarcheLabel?: string;
  readonly demarcheLabelEn?: string;
}

interface Erasure {
  /** The legal ground, a code. */
  readonly ground: string;
  readonly scope: 'person' | 'period';
  readonly class?: string;
  readonly month?: string;
}

interface Hold {
  readonly scope: 'person' | 'period';
  readonly class?: string;
  readonly month?: string;
}

type FactorKind = 'totp' | 'passkey' | 'recovery';

/** The sealed part of each kind of entry. */
export interface Details {
  'aidant.signed-in': { readonly acr: string; readonly amr: readonly string[] };
  'aidant.sign-in-refused': { readonly reason: string };
  'aidant.signed-out': Record<string, never>;
  'staff.signed-in': { readonly acr: string; readonly amr: readonly string[] };
  'usager.signed-in': { readonly acr: string };
  'usager.sign-in-refused': { readonly reason: string };
  'usager.identified': { readonly acr: string; readonly created: boolean };
  'usager.linked': { readonly acr: string };
  /** A known upstream account came with other civil traits than ours: their names, never their values. */
  'usager.drifted': { readonly acr: string; readonly traits: readonly string[] };
  /** Her identity was typed by an aidant, for a mandate on paper. */
  'usager.entered': Names;
  'usager.protected': { readonly protection: 'death' | 'guardianship' };
  'factor.enrolled': { readonly kind: FactorKind };
  'factor.revoked': { readonly kind: FactorKind };
  'factor.accepted': { readonly kind: FactorKind; readonly purpose: string };
  'factor.refused': { readonly kind: FactorKind; readonly reason: string };
  'organisation.habilitated': { readonly name: string; readonly themes: readonly string[] };
  'organisation.suspended': { readonly reason: string };
  'organisation.ended': { readonly reason: string; readonly mandates: number };
  'aidant.habilitated': { readonly themes: readonly string[]; readonly referent: boolean };
  'aidant.removed': { readonly reason: string };
  'organisation.switched': { readonly from: string };
  'mandate.drafted': Held & { readonly themes: readonly string[]; readonly days: number };
  /** `kept`: how many mandates of other structures, for the same themes, go on beside this one (claim M22). */
  'mandate.consented': Names & Held & { readonly method: string; readonly acr: string; readonly themes: readonly string[]; readonly kept?: number };
  'mandate.refused': { readonly reason: string };
  /** A way to reach a person was entered: by herself once she proved that she reads it, or by an aidant. */
  'channel.added': Names & { readonly kind: 'phone' | 'mail'; readonly by: 'usager' | 'aidant' };
  'number.declared': { readonly holder: string };
  /** By `franceconnect`, on the person's own telephone, nobody knows yet who is asked. */
  'consent.asked': Names & { readonly themes: readonly string[]; readonly days: number; readonly method: 'sms' | 'paper' | 'franceconnect' };
  /** A second aidant said that she saw the person sign. */
  'consent.witnessed': Names & { readonly reference: string };
  /** A copy of a signed sheet was kept, then looked at. */
  'paper.copied': Names & { readonly reference: string };
  'paper.copy-read': Names & { readonly reference: string };
  'consent.answered': { readonly answer: 'no' | 'expired'; readonly method: 'sms' | 'franceconnect' };
  'mandate.created': Names &
    Held & {
      readonly reference: string;
      readonly themes: readonly string[];
      readonly endsAt: string;
      readonly method: string;
      readonly textHash: string;
    };
  /** A mandate signed on paper before Relais; `signedOn` is a day, `YYYY-MM-DD`. */
  'mandate.imported': Names & {
    readonly reference: string;
    readonly themes: readonly string[];
    readonly signedOn: string;
    readonly endsAt: string;
    readonly witnessName: string;
    readonly textHash: string;
  };
  'mandate.replaced': Names & { readonly by: string; readonly theme: string };
  /** `left`: the themes that go on; `reason`: the opérateur's, whom nothing else obliges to say why. */
  'mandate.revoked': Names & {
    readonly by: string;
    readonly themes: readonly string[];
    readonly left: readonly string[];
    readonly sessions: number;
    readonly reason?: string;
    /** How she stopped it when not from her space; for paper, who received it and where. */
    readonly through?: 'sms' | 'letter' | 'paper';
    readonly receivedBy?: string;
    readonly receivedAt?: string;
  };
  /** An administration stopped it at its own services, where `sessions` were open. */
  'mandate.barred': Names & { readonly reason: string; readonly sessions: number };
  'mandate.renounced': Names & { readonly themes: readonly string[]; readonly left: readonly string[]; readonly sessions: number };
  'mandate.ended': Names & { readonly reason: string; readonly themes: readonly string[] };
  'session.opened': Names & { readonly privileges: readonly string[]; readonly demarches?: readonly string[]; readonly expiresAt: string };
  'session.refused': { readonly reason: string };
  'session.ended': Names & { readonly reason: string; readonly reported: boolean };
  'token.issued': { readonly kind: string };
  'token.refused': { readonly reason: string };
  'action.reported': Names & {
    readonly demarcheLabel: string;
    readonly demarcheLabelEn: string;
    readonly reference?: string;
    readonly at: string;
    readonly outsideMandate: boolean;
  };
  'action.refused': { readonly reason: string };
  /** Said of the entry at index `entry`, whose event is `event`: by the person, or by whoever did it. */
  'action.contested': Remark;
  'action.error-declared': Remark;
  'revocation.delivered': Names & { readonly acknowledgedAt: string; readonly attempts: number };
  'journal.read': Names & { readonly reason: string; readonly entries: number };
  'administration.added': { readonly name: string };
  'agent.added': { readonly administrationName: string };
  'operateur.added': Record<string, never>;
  'service.added': { readonly name: string; readonly profile: string; readonly hash: string };
  'service.approved': { readonly name: string; readonly hash: string };
  'service.disabled': { readonly name: string };
  'approval.asked': { readonly kind: string; readonly subject: string; readonly hash: string };
  'approval.given': { readonly kind: string; readonly subject: string; readonly hash: string };
  'message.sent': { readonly channel: string; readonly template: string };
  'staff.suspended': { readonly reason: string };
  'staff.reinstated': { readonly reason: string };
  /** Somebody reported that a member of staff lost their means: a mail left with a link, and nothing else happened. */
  'loss.reported': Record<string, never>;
  'checkpoint.trusted': { readonly reason: string; readonly size: number; readonly root: string };
  'keys.made': { readonly names: readonly string[] };
  /** The journal's signing key was replaced: `vkey` is the new one's, `former` the one that it follows. */
  'key.rotated': { readonly name: string; readonly vkey: string; readonly former: string };
  /** The signer answered no; one a kind of refusal and hour. */
  'checkpoint.refused': { readonly refused: string; readonly size: number };
  /** The process started with other settings than the last one that said so: `hash` of what counts, names of the settings, never a value. */
  'configuration.changed': { readonly hash: string; readonly what: readonly string[] };
  /** What was sealed for one person, or for a class and a month (`YYYY-MM`), is to be forgotten; a second person decides. */
  'erasure.asked': Erasure;
  'erasure.executed': Erasure & { readonly entries: number };
  'erasure.refused': Erasure & { readonly reason: string };
  /** Nothing of this person or month is erased before the hold is lifted. */
  'hold.placed': Hold & { readonly reason: string };
  'hold.lifted': Hold & { readonly reason: string };
  /** The sealed parts of a month left the database, their keys destroyed before. */
  'partition.dropped': { readonly month: string; readonly entries: number };
  /** Entries left Relais as a file: her own, taken by herself, or those of an administration's or an organisation's view. */
  'journal.exported': Names & { readonly what: string; readonly entries: number; readonly reason?: string };
  /** The proof that the entry at index `entry` stands in the journal. */
  'proof.downloaded': Names & { readonly entry: number };
  /** Her statement, by herself or printed by an organisation beside her; `from` and `to` are days, `YYYY-MM-DD`, both inside. */
  'statement.made': Names & { readonly from: string; readonly to: string; readonly entries: number };
  'log.heartbeat': Record<string, never>;
}

export type EventType = keyof Details;

/** One decision, as a use case hands it to the journal. */
export type Entry = { [T in EventType]: { readonly type: T; readonly detail: Details[T] } & Parties }[EventType];

/** How long the sealed part is kept: `access` 12 months, `mandate` the mandate's end + 5 years, `staff` 3 years, `log` with the log. */
export type Retention = 'access' | 'mandate' | 'staff' | 'log';

interface Kind {
  readonly retention: Retention;
  /** `true`: the usager reads it in *Ce qui a été fait pour vous*. Otherwise why she does not. */
  readonly shown: true | string;
}

/** Retention and visibility of each kind. The compiler refuses a kind without its line. */
export const KINDS: { readonly [T in EventType]: Kind } = {
  'aidant.signed-in': { retention: 'access', shown: 'concerns no usager' },
  'aidant.sign-in-refused': { retention: 'access', shown: 'concerns no usager' },
  'aidant.signed-out': { retention: 'access', shown: 'concerns no usager' },
  'staff.signed-in': { retention: 'access', shown: 'concerns no usager' },
  'usager.signed-in': { retention: 'access', shown: true },
  'usager.sign-in-refused': { retention: 'access', shown: 'concerns no usager that is known' },
  'usager.identified': { retention: 'access', shown: 'mandate.consented or usager.signed-in says it' },
  'usager.linked': { retention: 'mandate', shown: true },
  'usager.drifted': { retention: 'mandate', shown: 'who signed in may be somebody else: the opérateur looks first' },
  'usager.entered': { retention: 'mandate', shown: true },
  'usager.protected': { retention: 'mandate', shown: 'mandate.ended says it' },
  'factor.enrolled': { retention: 'staff', shown: 'concerns no usager' },
  'factor.revoked': { retention: 'staff', shown: 'concerns no usager' },
  'factor.accepted': { retention: 'access', shown: 'concerns no usager' },
  'factor.refused': { retention: 'access', shown: 'concerns no usager' },
  'organisation.habilitated': { retention: 'staff', shown: 'concerns no usager' },
  'organisation.suspended': { retention: 'staff', shown: 'concerns no usager' },
  'organisation.ended': { retention: 'staff', shown: 'mandate.ended says it to each' },
  'aidant.habilitated': { retention: 'staff', shown: 'concerns no usager' },
  'aidant.removed': { retention: 'staff', shown: 'concerns no usager' },
  'organisation.switched': { retention: 'access', shown: 'concerns no usager' },
  'mandate.drafted': { retention: 'access', shown: 'nobody has agreed to anything yet' },
  'mandate.consented': { retention: 'mandate', shown: true },
  'mandate.refused': { retention: 'access', shown: true },
  'channel.added': { retention: 'mandate', shown: true },
  'number.declared': { retention: 'staff', shown: 'concerns no usager' },
  'consent.asked': { retention: 'mandate', shown: true },
  'consent.witnessed': { retention: 'mandate', shown: true },
  'paper.copied': { retention: 'mandate', shown: true },
  'paper.copy-read': { retention: 'mandate', shown: true },
  'consent.answered': { retention: 'mandate', shown: true },
  'mandate.created': { retention: 'mandate', shown: true },
  'mandate.imported': { retention: 'mandate', shown: true },
  'mandate.replaced': { retention: 'mandate', shown: true },
  'mandate.revoked': { retention: 'mandate', shown: true },
  'mandate.barred': { retention: 'mandate', shown: true },
  'mandate.renounced': { retention: 'mandate', shown: true },
  'mandate.ended': { retention: 'mandate', shown: true },
  'session.opened': { retention: 'mandate', shown: true },
  'session.refused': { retention: 'access', shown: true },
  'session.ended': { retention: 'access', shown: 'session.opened carries the report state' },
  'token.issued': { retention: 'access', shown: 'session.opened says it in words' },
  'token.refused': { retention: 'access', shown: 'technical; session.refused says it in words' },
  'action.reported': { retention: 'mandate', shown: true },
  'action.refused': { retention: 'access', shown: 'nothing was done' },
  'action.contested': { retention: 'mandate', shown: true },
  'action.error-declared': { retention: 'mandate', shown: true },
  'revocation.delivered': { retention: 'mandate', shown: true },
  'journal.read': { retention: 'mandate', shown: true },
  'administration.added': { retention: 'staff', shown: 'concerns no usager' },
  'agent.added': { retention: 'staff', shown: 'concerns no usager' },
  'operateur.added': { retention: 'staff', shown: 'concerns no usager' },
  'service.added': { retention: 'staff', shown: 'concerns no usager' },
  'service.approved': { retention: 'staff', shown: 'concerns no usager' },
  'service.disabled': { retention: 'staff', shown: 'concerns no usager' },
  'approval.asked': { retention: 'staff', shown: 'concerns no usager' },
  'approval.given': { retention: 'staff', shown: 'concerns no usager' },
  'message.sent': { retention: 'access', shown: 'concerns no usager' },
  'staff.suspended': { retention: 'staff', shown: 'concerns no usager' },
  'staff.reinstated': { retention: 'staff', shown: 'concerns no usager' },
  'loss.reported': { retention: 'access', shown: 'concerns no usager' },
  'checkpoint.trusted': { retention: 'log', shown: 'concerns no usager' },
  'keys.made': { retention: 'log', shown: 'concerns no usager' },
  'key.rotated': { retention: 'log', shown: 'concerns no usager' },
  'checkpoint.refused': { retention: 'log', shown: 'concerns no usager' },
  'configuration.changed': { retention: 'log', shown: 'concerns no usager' },
  'erasure.asked': { retention: 'log', shown: true },
  'erasure.executed': { retention: 'log', shown: true },
  'erasure.refused': { retention: 'log', shown: true },
  'hold.placed': { retention: 'log', shown: 'the authority that asked says when she is told' },
  'hold.lifted': { retention: 'log', shown: 'the authority that asked says when she is told' },
  'partition.dropped': { retention: 'log', shown: 'erasure.executed says it' },
  'journal.exported': { retention: 'mandate', shown: true },
  'proof.downloaded': { retention: 'mandate', shown: true },
  'statement.made': { retention: 'mandate', shown: true },
  'log.heartbeat': { retention: 'log', shown: 'concerns no usager' },
};

export const isEventType = (value: string): value is EventType => Object.hasOwn(KINDS, value);
