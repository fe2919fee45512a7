import type { Actions } from '../actions/actions.ts';
import type { Contests } from '../actions/contests.ts';
import type { Exports } from '../actions/exports.ts';
import type { Statements } from '../actions/statement.ts';
import type { Aidants } from '../aidants/aidants.ts';
import type { Losses } from '../aidants/losses.ts';
import type { Means } from '../aidants/means.ts';
import type { Passkeys } from '../aidants/passkeys.ts';
import type { Recovery } from '../aidants/recovery.ts';
import type { Sessions } from '../delegation/sessions.ts';
import type { EvidenceStore } from '../journal/evidence.ts';
import type { Journal } from '../journal/journal.ts';
import type { PublishedLog } from '../journal/published.ts';
import type { RotationLeaf } from '../journal/rotations.ts';
import type { Clock } from '../kernel/clock.ts';
import type { MandateId, UsagerId } from '../kernel/ids.ts';
import type { Secret } from '../kernel/secret.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Attestations } from '../mandates/attestations.ts';
import type { Barring } from '../mandates/barring.ts';
import type { Mandates } from '../mandates/mandates.ts';
import type { PaperConsents } from '../mandates/paper-consents.ts';
import type { PhoneLinks } from '../mandates/phone-links.ts';
import type { RemoteConsents } from '../mandates/remote-consents.ts';
import type { Scans } from '../mandates/scans.ts';
import type { Stopping } from '../mandates/stopping.ts';
import type { Validities } from '../mandates/validity.ts';
import type { Deliveries, Endpoint } from '../notices/deliveries.ts';
import type { OpenIdProvider } from '../provider/parts.ts';
import type { Requests } from '../services/requests.ts';
import type { Services } from '../services/services.ts';
import type { Bell } from '../signals/bell.ts';
import type { Streams } from '../signals/streams.ts';
import type { Connector } from '../upstream/connector.ts';
import type { Channels } from '../usagers/channels.ts';
import type { Usagers } from '../usagers/usagers.ts';
import type { WebSessions } from './session.ts';
import type { Translation } from './translations.ts';

/** A line of the security log: a code and identifiers, never a value that a person typed or a name. */
export interface SecurityEvent {
  readonly code: string;
  readonly service?: string | undefined;
  readonly detail?: string | undefined;
  readonly fault?: unknown;
}

/** The last signed state of the journal. */
export interface Checkpoint {
  readonly size: number;
  readonly at: Date;
  readonly note: string;
}

/** What the pages and the API are made of. `app.ts` joins it; nothing here knows a database or a library below. */
export interface Site {
  readonly publicUrl: string;
  readonly issuer: string;
  readonly secure: boolean;
  readonly helpNumber: string;
  readonly translations: readonly Translation[];
  readonly pairwiseKey: Secret<Buffer>;
  readonly cookieKey: Secret<Buffer>;
  readonly clock: Clock;
  readonly transactions: Transactions;
  readonly journal: Journal;
  readonly webSessions: WebSessions;
  readonly connectors: { readonly proconnect: Connector; readonly franceconnect: Connector };
  readonly aidants: Aidants;
  readonly means: Means;
  readonly passkeys: Passkeys;
  readonly recovery: Recovery;
  readonly losses: Losses;
  readonly usagers: Usagers;
  readonly mandates: Mandates;
  readonly papers: PaperConsents;
  readonly scans: Scans;
  readonly stopping: Stopping;
  readonly requests: Requests;
  readonly barring: Barring;
  readonly validities: Validities;
  readonly phoneLinks: PhoneLinks;
  readonly attestations: Attestations;
  readonly statements: Statements;
  readonly exports: Exports;
  /** Undefined where no gateway is configured: SMS is not offered. */
  readonly sms: { readonly consents: RemoteConsents; readonly channels: Channels; readonly key: Secret<Buffer> } | undefined;
  readonly sessions: Sessions;
  readonly services: Services;
  readonly actions: Actions;
  readonly contests: Contests;
  readonly provider: OpenIdProvider;
  /** Name of the log in receipts. */
  readonly origin: () => string;
  readonly checkpoint: () => Promise<Checkpoint | undefined>;
  /** The newest checkpoint that enough witnesses have seen, with their signatures. */
  readonly witnessed: () => { readonly size: number; readonly note: string; readonly at: Date } | undefined;
  /** The file that says who the witnesses are; undefined where there are none. */
  readonly witnessPolicy: string | undefined;
  /** The log's public key, as a C2SP vkey. Fails as `signer_unreachable`. */
  readonly logVkey: () => Promise<string>;
  /** The changes of the log's key. */
  readonly rotations: () => Promise<readonly RotationLeaf[]>;
  readonly published: PublishedLog;
  /** What lets a page be checked by whoever reads it. */
  readonly evidence: EvidenceStore;
  /** SHA-256 of the tokens of those who may copy the leaves. */
  readonly mirrors: readonly Buffer[];
  /** Those that pages ask whether a line is hidden: their names, and addresses without a slash at the end. */
  readonly askedMirrors: readonly { readonly name: string; readonly url: string }[];
  /** Leaves that say what was erased, below an index, newest first. */
  readonly erasures: (before: number | undefined, limit: number) => Promise<readonly { readonly index: number; readonly leaf: string }[]>;
  /** The proof of an entry, as a C2SP tlog-proof text; undefined while nothing signed covers it. */
  readonly proof: (tx: Transaction, index: number) => Promise<string | undefined>;
  /** What each service was told of a mandate's end, and when it acknowledged. */
  readonly tellings: (mandateId: MandateId) => Promise<{ serviceName: string; acknowledgedAt: Date | null; attempts: number }[]>;
  /** Names of the services where someone acts under this mandate now. */
  readonly runningServices: (mandateId: MandateId) => Promise<string[]>;
  /** Everything that the tables hold of a person, but for the journal. */
  readonly personalData: (tx: Transaction, id: UsagerId) => Promise<Readonly<Record<string, unknown>>>;
  /** References of mandates, by id: what pages show of them. */
  readonly references: (ids: readonly string[]) => Promise<Map<string, string>>;
  /** First names of the active aidants of organisations. */
  readonly aidantNames: (organisationIds: readonly string[]) => Promise<Map<string, string[]>>;
  /** Names of the people, among these, who have a live mandate with an organisation. */
  readonly helpedNames: (organisationId: string, usagers: readonly string[]) => Promise<Map<string, string>>;
  /** Everybody who is, or was, an aidant of an organisation, in the order of their names. */
  readonly colleagues: (organisationId: string) => Promise<readonly (readonly [id: string, name: string])[]>;
  /** Ids of sessions that ended without any report. */
  readonly withoutReport: (sessionIds: readonly string[]) => Promise<Set<string>>;
  readonly notice: (event: SecurityEvent) => void;
  /** Tells the worker that something waits to be told. */
  readonly nudgeDeliveries: () => void;
  /** Services that do not answer what they are told. */
  readonly deaf: () => Promise<readonly Endpoint[]>;
  /** Signal streams, where the installation has a key for them. */
  readonly streams: Streams | undefined;
  readonly bell: Bell;
  readonly answered: Deliveries['answered'];
  readonly untaken: Deliveries['untaken'];
  readonly health: () => Promise<{ ready: boolean; checks: Readonly<Record<string, boolean>> }>;
}
