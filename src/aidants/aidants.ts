import { type AidantId, isId, newId, type OrganisationId, type StaffId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { readEmail, readName, readReason } from '../organisations/name.ts';
import type { EndSessions } from '../organisations/organisation.ts';
import type { OrganisationStore } from '../organisations/organisations.ts';
import { readThemes, type Theme } from '../organisations/theme.ts';
import { type Dossier, type Identity, type NewAidant, type NewStaff, type Staff, type StaffKind, type Standing, standing } from './aidant.ts';
import { createEnrolment, type Deliver, type EnrolmentParts, type EnrolmentUseCases, type Invitation, makeLink } from './enrolment.ts';

export type StaffRefusal =
  | 'name_malformed'
  | 'email_malformed'
  | 'email_known'
  | 'themes_malformed'
  | 'theme_outside_organisation'
  | 'unknown_organisation'
  | 'organisation_suspended'
  | 'unknown_aidant'
  | 'unknown_staff'
  | 'already_member'
  | 'not_member'
  | 'reason_malformed'
  | 'not_active'
  | 'not_invited'
  | 'not_suspended';

type Answer<T> = Promise<T | { readonly refused: StaffRefusal }>;

interface By {
  readonly reason: string;
  readonly actor: string;
}

export interface Aidants extends EnrolmentUseCases {
  /** Habilitates an aidant in an organisation: writes them as invited and makes their one-time link, which `deliver` puts in a message. */
  invite(asked: NewAidant, deliver?: Deliver): Answer<Invitation>;
  /** Writes an opérateur as invited. The first one comes only from the command line. */
  inviteOperateur(asked: NewStaff, deliver?: Deliver): Answer<Invitation>;
  /** Writes someone as invited in the caller's transaction, which adds what their kind needs and its entry (agents: services/administrations). */
  inviteIn(tx: Transaction, kind: StaffKind, asked: NewStaff, deliver?: Deliver): Answer<Invitation>;
  /** Makes a new link for someone who has not enrolled; the former one stops working. */
  /** `actor` decides: the command line, unless an opérateur is named. */
  reinvite(staffId: string, deliver?: Deliver, actor?: string): Answer<Invitation>;
  /** Habilitates an aidant who exists in one more organisation, or again in one that they left. */
  join(aidantId: string, asked: Pick<NewAidant, 'organisationId' | 'themes' | 'referent' | 'actor'>): Answer<{ readonly joined: true }>;
  /** Takes an aidant out of an organisation, at once; the mandates stay with the organisation (claim M14). */
  remove(aidantId: string, organisationId: string, by: By): Answer<{ readonly sessions: number }>;
  /** Suspends someone everywhere, at once (claim S7). */
  suspend(staffId: string, by: By): Answer<{ readonly sessions: number }>;
  suspendIn(tx: Transaction, staffId: StaffId, by: By): Answer<{ readonly sessions: number }>;
  /** Lets someone who is suspended come back: their means are taken away, and they enrol anew by the link, with the upstream account they had. */
  reinstate(staffId: string, by: By, deliver?: Deliver): Answer<Invitation>;
  /** Finds who holds an upstream account and what they may do now. Never by e-mail. */
  recognise(iss: string, sub: string): Promise<Standing>;
  /** What someone may do now: asked again at each request and inside each transaction that depends on it. */
  standing(staffId: StaffId, tx?: Transaction): Promise<Standing>;
  find(staffId: StaffId): Promise<Dossier | undefined>;
  findByEmail(kind: StaffKind, email: string): Promise<Staff[]>;
  list(kind: StaffKind): Promise<Dossier[]>;
}

interface Parts extends EnrolmentParts {
  readonly organisations: OrganisationStore;
  readonly endSessions: EndSessions;
}

const PREFIX = { aidant: 'aid', agent: 'agt', operateur: 'opr' } as const;

const inviteIn = async (parts: Parts, tx: Transaction, kind: StaffKind, asked: NewStaff, deliver?: Deliver): Answer<Invitation> => {
  const givenName = readName(asked.givenName);
  const familyName = readName(asked.familyName);
  if (givenName === undefined || familyName === undefined) return { refused: 'name_malformed' };
  const email = readEmail(asked.email);
  if (email === undefined) return { refused: 'email_malformed' };
  if ((await parts.store.findByEmail(tx, kind, email)).length) return { refused: 'email_known' };
  const staff: Staff = { id: newId(PREFIX[kind]), kind, email, givenName, familyName, status: 'invited', createdAt: parts.clock.now() };
  await parts.store.insertStaff(tx, staff);
  return makeLink(parts, tx, staff, deliver);
};

type Habilitation = { readonly organisationId: OrganisationId; readonly themes: readonly Theme[]; readonly referent: boolean };

/** Checks the habilitation asked for against the organisation's own (claim M2: nobody gets a theme that their organisation lacks). */
const readHabilitation = async (
  parts: Parts,
  tx: Transaction,
  asked: Pick<NewAidant, 'organisationId' | 'themes' | 'referent'>,
): Answer<Habilitation> => {
  const organisation = isId('org', asked.organisationId) ? await parts.organisations.find(tx, asked.organisationId) : undefined;
  if (!organisation) return { refused: 'unknown_organisation' };
  if (organisation.status !== 'active') return { refused: 'organisation_suspended' };
  const themes = asked.themes === undefined ? organisation.themes : readThemes(asked.themes);
  if (!themes?.length) return { refused: 'themes_malformed' };
  if (!themes.every((theme) => organisation.themes.includes(theme))) return { refused: 'theme_outside_organisation' };
  return { organisationId: organisation.id, themes, referent: asked.referent ?? false };
};

const habilitate = async (parts: Parts, tx: Transaction, aidant: AidantId, given: Habilitation, actor: string): Promise<boolean> => {
  if (!(await parts.store.putMembership(tx, aidant, given))) return false;
  const { organisationId, themes, referent } = given;
  await parts.journal.record(tx, { type: 'aidant.habilitated', aidant, organisation: organisationId, actor, detail: { themes, referent } });
  return true;
};

const invite = (parts: Parts, asked: NewAidant, deliver?: Deliver): Answer<Invitation> =>
  parts.transactions.run(async (tx) => {
    const given = await readHabilitation(parts, tx, asked);
    if ('refused' in given) return given;
    const invitation = await inviteIn(parts, tx, 'aidant', asked, deliver);
    if (!('refused' in invitation) && isId('aid', invitation.staff.id)) await habilitate(parts, tx, invitation.staff.id, given, asked.actor);
    return invitation;
  });

const inviteOperateur = (parts: Parts, asked: NewStaff, deliver?: Deliver): Answer<Invitation> =>
  parts.transactions.run(async (tx) => {
    const invitation = await inviteIn(parts, tx, 'operateur', asked, deliver);
    if (!('refused' in invitation))
      await parts.journal.record(tx, { type: 'operateur.added', actor: asked.actor, outcome: invitation.staff.id, detail: {} });
    return invitation;
  });

const isStaffId = (id: string): id is StaffId => isId('aid', id) || isId('agt', id) || isId('opr', id);

const reinvite = (parts: Parts, staffId: string, deliver: Deliver | undefined, actor: string): Answer<Invitation> =>
  parts.transactions.run(async (tx) => {
    const dossier = isStaffId(staffId) ? await parts.store.findDossier(tx, staffId) : undefined;
    if (!dossier) return { refused: 'unknown_staff' };
    if (dossier.staff.status !== 'invited') return { refused: 'not_invited' };
    await parts.journal.record(tx, { type: 'staff.invited', ...decidedFor(dossier.staff.id), actor, detail: {} });
    return makeLink(parts, tx, dossier.staff, deliver);
  });

const join = (parts: Parts, aidantId: string, asked: Parameters<Aidants['join']>[1]): ReturnType<Aidants['join']> =>
  parts.transactions.run(async (tx) => {
    const given = await readHabilitation(parts, tx, asked);
    if ('refused' in given) return given;
    const dossier = isId('aid', aidantId) ? await parts.store.findDossier(tx, aidantId) : undefined;
    if (!dossier || !isId('aid', aidantId)) return { refused: 'unknown_aidant' };
    return (await habilitate(parts, tx, aidantId, given, asked.actor)) ? { joined: true } : { refused: 'already_member' };
  });

const remove = (parts: Parts, aidantId: string, organisationId: string, by: By): ReturnType<Aidants['remove']> =>
  parts.transactions.run(async (tx) => {
    const reason = readReason(by.reason);
    if (reason === undefined) return { refused: 'reason_malformed' };
    if (!isId('aid', aidantId)) return { refused: 'unknown_aidant' };
    if (!isId('org', organisationId)) return { refused: 'unknown_organisation' };
    if (!(await parts.store.endMembership(tx, aidantId, organisationId))) return { refused: 'not_member' };
    const sessions = await parts.endSessions(tx, { aidantId, organisationId }, 'suspended');
    await parts.journal.record(tx, { type: 'aidant.removed', aidant: aidantId, organisation: organisationId, actor: by.actor, detail: { reason } });
    return { sessions };
  });

/** An agent or an opérateur is named in `outcome`: `actor` says who decided. */
const decidedFor = (id: StaffId): { readonly aidant: AidantId } | { readonly outcome: StaffId } =>
  isId('aid', id) ? { aidant: id } : { outcome: id };

const suspendIn = async (parts: Parts, tx: Transaction, staffId: StaffId, by: By): ReturnType<Aidants['suspend']> => {
  const reason = readReason(by.reason);
  if (reason === undefined) return { refused: 'reason_malformed' };
  if (!(await parts.store.setStatus(tx, staffId, 'active', 'suspended'))) return { refused: 'not_active' };
  const sessions = isId('aid', staffId) ? await parts.endSessions(tx, { aidantId: staffId }, 'suspended') : 0;
  await parts.store.endBrowserSessions(tx, staffId, parts.clock.now()); // none of them comes back with the person
  await parts.journal.record(tx, { type: 'staff.suspended', ...decidedFor(staffId), actor: by.actor, detail: { reason } });
  return { sessions };
};

const reinstate = (parts: Parts, staffId: string, by: By, deliver?: Deliver): Answer<Invitation> =>
  parts.transactions.run(async (tx) => {
    const reason = readReason(by.reason);
    if (reason === undefined) return { refused: 'reason_malformed' };
    const dossier = isStaffId(staffId) ? await parts.store.findDossier(tx, staffId) : undefined;
    if (!dossier) return { refused: 'unknown_staff' };
    const { staff } = dossier;
    if (!(await parts.store.setStatus(tx, staff.id, 'suspended', 'invited'))) return { refused: 'not_suspended' };
    await parts.store.endBrowserSessions(tx, staff.id, parts.clock.now());
    await parts.store.clearMeans(tx, staff.id, parts.clock.now());
    await parts.journal.record(tx, { type: 'staff.reinstated', ...decidedFor(staff.id), actor: by.actor, detail: { reason } });
    return makeLink(parts, tx, { ...staff, status: 'invited' }, deliver);
  });

/** Makes the use cases of staff: habilitation, enrolment, recognition, removal. */
export const createAidants = (parts: Parts): Aidants => {
  const { store, transactions, journal } = parts;
  const then = async <T>(work: Promise<T>): Promise<T> => {
    const result = await work;
    journal.nudge();
    return result;
  };
  return {
    ...createEnrolment(parts),
    invite: (asked, deliver) => then(invite(parts, asked, deliver)),
    inviteOperateur: (asked, deliver) => then(inviteOperateur(parts, asked, deliver)),
    inviteIn: (tx, kind, asked, deliver) => inviteIn(parts, tx, kind, asked, deliver),
    reinvite: (staffId, deliver, actor = 'cli') => then(reinvite(parts, staffId, deliver, actor)),
    join: (aidantId, asked) => then(join(parts, aidantId, asked)),
    remove: (aidantId, organisationId, by) => then(remove(parts, aidantId, organisationId, by)),
    suspend: (staffId, by) =>
      then(parts.transactions.run(async (tx) => (isStaffId(staffId) ? suspendIn(parts, tx, staffId, by) : { refused: 'unknown_staff' as const }))),
    suspendIn: (tx, staffId, by) => suspendIn(parts, tx, staffId, by),
    reinstate: (staffId, by, deliver) => then(reinstate(parts, staffId, by, deliver)),
    recognise: async (iss, sub) => standing(await store.findDossierByIdentity(transactions.auto, { iss, sub } satisfies Identity)),
    standing: async (staffId, tx = transactions.auto) => standing(await store.findDossier(tx, staffId)),
    find: (staffId) => store.findDossier(transactions.auto, staffId),
    findByEmail: async (kind, email) => {
      const address = readEmail(email);
      return address === undefined ? [] : store.findByEmail(transactions.auto, kind, address);
    },
    list: (kind) => store.list(transactions.auto, kind),
  };
};
