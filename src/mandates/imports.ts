import type { Approval, ApprovalRefusal } from '../approvals/approval.ts';
import type { Approvals } from '../approvals/approvals.ts';
import type { Journal } from '../journal/journal.ts';
import { endOfMandate, startOfDay } from '../kernel/calendar.ts';
import { canonical } from '../kernel/canonical.ts';
import type { Clock } from '../kernel/clock.ts';
import { randomUuid, sha256 } from '../kernel/crypto.ts';
import { type AidantId, type DraftId, type MandateId, newId, type OrganisationId, type UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import type { Theme } from '../organisations/theme.ts';
import { firstName, isSamePerson, pivot, type Usager } from '../usagers/usager.ts';
import { enterTyped, typedAccount, type UsagerStore } from '../usagers/usagers.ts';
import { type Fault, type FileRefusal, hashOfLine, type ImportId, type ImportLine, type LineFault, readImport } from './import.ts';
import { type Draft, newReference, TEMPLATE, textHash } from './mandate.ts';
import type { MandateStore } from './mandates.ts';
import { WHOLE } from './narrowing.ts';
import { type Actor, checkActor, checkDraft, checkParties } from './policy.ts';

export interface ImportStore {
  /** The aidant of the organisation at this address, whatever their standing. */
  member(tx: Transaction, organisationId: OrganisationId, email: string): Promise<AidantId | undefined>;
  /** People of the organisation's own mandates born one of those days. */
  bornOn(tx: Transaction, organisationId: OrganisationId, birthdates: readonly string[], now: Date): Promise<Usager[]>;
  /** Themes of this pair for which a mandate stands, or for which the person stopped one since it was signed. */
  closedThemes(tx: Transaction, organisationId: OrganisationId, usagerId: UsagerId, signed: Date): Promise<Theme[]>;
  /** The hashes of all the lines that were imported before. */
  known(tx: Transaction, organisationId: OrganisationId): Promise<string[]>;
  /** Holds every other import of this organisation until the transaction ends. */
  lock(tx: Transaction, organisationId: OrganisationId): Promise<void>;
  add(tx: Transaction, made: { id: ImportId; approvalId: string; organisationId: OrganisationId; fileHash: Buffer; at: Date }): Promise<void>;
  addLine(tx: Transaction, line: ImportedLine): Promise<void>;
}

export interface ImportedLine {
  readonly draftId: DraftId;
  readonly importId: ImportId;
  readonly line: number;
  readonly organisationId: OrganisationId;
  readonly lineHash: Buffer;
  readonly aidantId: AidantId;
  readonly witnessId: AidantId;
  readonly signedOn: string;
  readonly evidence: Buffer;
}

/** What two opérateurs agree on. */
export interface ImportAsked {
  readonly organisationId: OrganisationId;
  /** The file as it is read. */
  readonly text: string;
  /** Address of the aidant who accepts the lines that name none. */
  readonly by?: string | undefined;
  /** Imports the good lines of a file that has bad ones. */
  readonly keepGoing: boolean;
}

export interface Examined {
  /** How many lines would enter, or have. */
  readonly ready: number;
  /** Numbers of the lines that were imported before. */
  readonly known: readonly number[];
  readonly faults: readonly Fault[];
}
type Refusal = FileRefusal | 'lines_refused' | 'nothing_to_import';
type Refused<R extends string> = { readonly refused: R; readonly examined?: Examined };

export interface Imports {
  /** Says what a file would make, and makes nothing. */
  examine(asked: ImportAsked): Promise<{ examined: Examined } | Refused<FileRefusal>>;
  /** Asks a second opérateur for exactly this file. Nothing else is kept of it. */
  ask(asked: ImportAsked, askedBy: string): Promise<{ examined: Examined; approval: Approval } | Refused<Refusal>>;
  /** A second opérateur gives the same file: every mandate of it is made in one transaction, or none is. */
  approve(asked: ImportAsked, approval: string, approvedBy: string): Promise<{ examined: Examined } | Refused<Refusal | ApprovalRefusal>>;
}

interface Parts {
  readonly transactions: Transactions;
  readonly store: ImportStore;
  readonly usagerStore: UsagerStore;
  readonly mandateStore: Pick<MandateStore, 'actor' | 'protection' | 'addDraft' | 'consentDraft' | 'closeDraft' | 'lockPair' | 'add'>;
  readonly approvals: Approvals;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly attest: (tx: Transaction, id: MandateId) => Promise<void>;
  /** Checks and remembers the key that seals, before the first seal. */
  readonly prepare: () => Promise<void>;
}

interface Ready {
  readonly line: ImportLine;
  /** What the organisation typed for this person before. */
  readonly account: Usager | undefined;
  readonly lineHash: Buffer;
  readonly aidant: Actor;
  readonly witness: Actor;
}

const fileHash = (asked: ImportAsked): Buffer => sha256('relais/mandates/import/file/v1\n', asked.text);
/** What the second opérateur approves: the file, for whom, and how bad lines are taken. */
const hashOf = (asked: ImportAsked): Buffer =>
  sha256(
    'relais/mandates/import/v1\n',
    canonical({ organisation: asked.organisationId, by: asked.by ?? '', keep_going: asked.keepGoing, file: fileHash(asked).toString('hex') }),
  );

export const createImports = (parts: Parts): Imports => {
  const { transactions, approvals, journal, store } = parts;

  const inOne = async <T>(work: (tx: Transaction) => Promise<T>): Promise<T> => {
    const done = await transactions.run(work);
    journal.nudge();
    return done;
  };
  /** The refusal that a file meets before anything is written. */
  const refusalOf = ({ ready, faults }: Examined, keepGoing: boolean): 'lines_refused' | 'nothing_to_import' | undefined => {
    if (faults.length && !keepGoing) return 'lines_refused';
    return ready ? undefined : 'nothing_to_import';
  };

  return {
    examine: (asked) =>
      transactions.run(async (tx) => {
        const found = await examine(parts, tx, asked);
        return 'refused' in found ? found : { examined: found.examined };
      }),
    ask: (asked, askedBy) =>
      inOne(async (tx) => {
        const found = await examine(parts, tx, asked);
        if ('refused' in found) return found;
        const { examined } = found;
        const refused = refusalOf(examined, asked.keepGoing);
        if (refused) return { refused, examined };
        const approval = await approvals.askIn(tx, { kind: 'mandate-import', subject: asked.organisationId, hash: hashOf(asked), askedBy });
        return { examined, approval };
      }),
    approve: async (asked, id, approvedBy) => {
      await parts.prepare();
      return inOne(async (tx) => {
        await store.lock(tx, asked.organisationId);
        const found = await examine(parts, tx, asked);
        if ('refused' in found) return found;
        const { examined, ready } = found;
        const refused = refusalOf(examined, asked.keepGoing);
        if (refused) return { refused, examined };
        const given = await approvals.approveIn(tx, id, approvedBy, hashOf(asked));
        if ('refused' in given) return given;
        const importId = newId('imp');
        const at = parts.clock.now();
        await store.add(tx, { id: importId, approvalId: given.approval.id, organisationId: asked.organisationId, fileHash: fileHash(asked), at });
        for (const one of ready) await write(parts, tx, asked, importId, approvedBy, one);
        return { examined };
      });
    },
  };
};

/** Decides each line on what the database holds now, and on the lines before it. Writes nothing. */
const examine = async (
  parts: Parts,
  tx: Transaction,
  asked: ImportAsked,
): Promise<{ examined: Examined; ready: Ready[] } | { refused: FileRefusal }> => {
  const { clock } = parts;
  const read = readImport(asked.text, clock.now());
  if ('refused' in read) return read;
  const around = await surroundings(parts, tx, asked.organisationId, read.lines);
  const ready: Ready[] = [];
  const known: number[] = [];
  const faults: Fault[] = [...read.faults];
  const granted = new Set<string>();
  for (const line of read.lines) {
    const checked = await check(parts, tx, asked, line, around);
    if (typeof checked === 'string') {
      faults.push({ line: line.number, code: checked });
      continue;
    }
    const hash = checked.lineHash.toString('hex');
    if (around.known.has(hash)) {
      known.push(line.number);
      continue;
    }
    const grants = line.themes.map((theme) => `${pivot(line.identity)} ${theme}`);
    if (grants.some((grant) => granted.has(grant)) || (await holdsGrant(parts, tx, asked.organisationId, checked))) {
      faults.push({ line: line.number, code: 'grant_exists' });
      continue;
    }
    around.known.add(hash);
    for (const grant of grants) granted.add(grant);
    ready.push(checked);
  }
  return { ready, examined: { ready: ready.length, known, faults: faults.toSorted((a, b) => a.line - b.line) } };
};

/** What the lines are compared with, read once: aidants by address, people by identity, lines that were imported before. */
const surroundings = async ({ store, mandateStore, clock }: Parts, tx: Transaction, organisationId: OrganisationId, lines: readonly ImportLine[]) => {
  const actors = new Map<string, Promise<Actor | undefined>>();
  const actorAt = (email: string): Promise<Actor | undefined> => {
    const before = actors.get(email);
    if (before) return before;
    const read = store.member(tx, organisationId, email).then((id) => (id ? mandateStore.actor(tx, id, organisationId) : undefined));
    actors.set(email, read);
    return read;
  };
  const days = [...new Set(lines.map(({ identity }) => identity.birthdate))];
  const people = new Map<string, Usager[]>();
  for (const usager of await store.bornOn(tx, organisationId, days, clock.now()))
    people.set(pivot(usager), [...(people.get(pivot(usager)) ?? []), usager]);
  return { actorAt, people, known: new Set(await store.known(tx, organisationId)) };
};

/** An imported mandate never takes the place of one that stands, nor brings back one that the person has stopped. */
const holdsGrant = async ({ store }: Parts, tx: Transaction, organisationId: OrganisationId, { line, account }: Ready): Promise<boolean> => {
  if (!account) return false;
  const closed = await store.closedThemes(tx, organisationId, account.id, startOfDay(line.signedOn));
  return line.themes.some((theme) => closed.includes(theme));
};

const check = async (
  parts: Parts,
  tx: Transaction,
  asked: ImportAsked,
  line: ImportLine,
  { actorAt, people }: Awaited<ReturnType<typeof surroundings>>,
): Promise<Ready | LineFault> => {
  const { usagerStore, mandateStore, clock } = parts;
  const email = line.aidant || asked.by?.toLowerCase();
  if (!email) return 'aidant_missing';
  const aidant = await actorAt(email);
  const witness = await actorAt(line.witness);
  if (!aidant) return 'aidant_unknown';
  if (!witness) return 'witness_unknown';
  if (aidant.aidantId === witness.aidantId) return 'witness_is_aidant';
  const refused = checkDraft(aidant, line.themes) ?? checkActor(witness) ?? checkParties(aidant, line.identity, clock.now());
  if (refused) return refused === 'theme_missing' ? 'themes_malformed' : refused;
  if (isSamePerson(line.identity, witness)) return 'witness_is_person';
  const account = await typedAccount(usagerStore, tx, asked.organisationId, line.identity);
  const same = people.get(pivot(line.identity)) ?? [];
  for (const { id } of account ? [account, ...same] : same) {
    const kept = await mandateStore.protection(tx, id);
    if (kept) return kept === 'death' ? 'person_deceased' : 'protected_person';
  }
  // Behind FranceConnect she is somebody whom the organisation can choose in Relais: nothing typed is joined to that account.
  if (same.some(({ id }) => id !== account?.id)) return 'person_known';
  return { line, account, aidant, witness, lineHash: hashOfLine(line, aidant.aidantId, witness.aidantId) };
};

const write = async (parts: Parts, tx: Transaction, asked: ImportAsked, importId: ImportId, approvedBy: string, one: Ready): Promise<void> => {
  const { store, usagerStore, mandateStore, journal, clock, attest } = parts;
  const { organisationId } = asked;
  const { line, aidant, witness } = one;
  const now = clock.now();
  // Only `store.member` names the aidants of this import.
  const [aidantId, witnessId] = [aidant.aidantId as AidantId, witness.aidantId as AidantId];
  const names = { aidantName: firstName(aidant.givenName), organisationName: aidant.organisationName };
  const { usager } = await enterTyped(usagerStore, tx, organisationId, line.identity, now);
  await mandateStore.lockPair(tx, organisationId, usager.id);
  const signed = startOfDay(line.signedOn);
  const endsAt = endOfMandate(signed, line.days);
  const organisation = { name: aidant.organisationName, siret: aidant.siret };
  const hash = textHash({ organisation, usager, themes: line.themes, days: line.days, narrowing: WHOLE, from: signed });
  const evidence = sha256(
    'relais/mandate/consent/import/v1\n',
    canonical({
      import: importId,
      file: fileHash(asked).toString('hex'),
      line: line.number,
      line_hash: one.lineHash.toString('hex'),
      text_hash: hash.toString('base64url'),
    }),
  );
  const consent = { method: 'paper', acr: 'eidas1', evidence, usagerId: usager.id, at: signed, textHash: hash } as const;
  const draft: Draft = {
    id: newId('dra'),
    organisationId,
    aidantId,
    themes: line.themes,
    days: line.days,
    narrowing: WHOLE,
    createdAt: now,
    expiresAt: now,
    consent,
    closedAt: undefined,
  };
  await mandateStore.addDraft(tx, draft);
  const event = randomUuid();
  await mandateStore.consentDraft(tx, draft.id, consent, event);
  await store.addLine(tx, {
    draftId: draft.id,
    importId,
    line: line.number,
    organisationId,
    lineHash: one.lineHash,
    aidantId,
    witnessId,
    signedOn: line.signedOn,
    evidence,
  });
  const id = newId('man');
  const reference = newReference();
  await mandateStore.add(tx, {
    id,
    reference,
    draft,
    usagerId: usager.id,
    textHash: hash,
    template: TEMPLATE,
    startsAt: signed,
    endsAt,
    acceptedBy: aidantId,
    means: 'import',
    event,
  });
  await attest(tx, id);
  await mandateStore.closeDraft(tx, draft.id, now);
  await journal.record(
    tx,
    {
      type: 'mandate.imported',
      usager: usager.id,
      aidant: aidantId,
      organisation: organisationId,
      mandate: id,
      actor: approvedBy,
      detail: {
        reference,
        themes: line.themes,
        signedOn: line.signedOn,
        endsAt: endsAt.toISOString(),
        witnessName: firstName(witness.givenName),
        textHash: hash.toString('base64url'),
        ...names,
      },
    },
    event,
  );
};
