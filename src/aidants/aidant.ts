import type { Parties } from '../journal/event.ts';
import type { AdministrationId, AidantId, OrganisationId, StaffId } from '../kernel/ids.ts';
import { isId } from '../kernel/ids.ts';
import type { Organisation } from '../organisations/organisation.ts';
import type { Theme } from '../organisations/theme.ts';

/** Everyone who signs in through ProConnect and proves a second factor of ours. A référent is an aidant whose membership says so. */
export type StaffKind = 'aidant' | 'agent' | 'operateur';

export interface Staff {
  readonly id: StaffId;
  readonly kind: StaffKind;
  /** Where messages go. Never who they are: that is `Identity`. */
  readonly email: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly status: 'invited' | 'active' | 'suspended' | 'ended';
  readonly createdAt: Date;
}

/** An upstream account. Two are the same only if `iss` and `sub` both are (claim U5). */
export interface Identity {
  readonly iss: string;
  readonly sub: string;
}

/** An aidant's habilitation in one organisation, as it stands now. */
export interface Membership {
  readonly organisation: Pick<Organisation, 'id' | 'name' | 'siret' | 'themes' | 'status'>;
  /** What the aidant may do there; what counts is the part that the organisation itself is habilitated for. */
  readonly themes: readonly Theme[];
  readonly referent: boolean;
  readonly status: 'active' | 'suspended' | 'ended';
}

/** An agent reads the journal of their administration, or looks after its services: never both. */
export type AgentRole = 'reader' | 'integrator';

/** A member of staff with everything their rights depend on, read in one statement. */
export interface Dossier {
  readonly staff: Staff;
  readonly memberships: readonly Membership[];
  readonly administration?: { readonly id: AdministrationId; readonly name: string; readonly role: AgentRole };
}

export type StandingRefusal = 'not_habilitated' | 'invited_not_enrolled' | 'aidant_suspended' | 'organisation_suspended';

/** What a member of staff may do now: memberships are the usable ones only (active, of an active organisation). */
export type Standing = Dossier | { readonly refused: StandingRefusal };

/**
 * Decides what the dossier allows now. The refusal is the default branch: an aidant needs one usable membership, an agent an administration.
 * Asked again at each request, it is how a removal or a suspension takes effect at once (claims S7, M13, M14).
 */
export const standing = (dossier: Dossier | undefined): Standing => {
  if (!dossier) return { refused: 'not_habilitated' };
  const { staff } = dossier;
  if (staff.status === 'invited') return { refused: 'invited_not_enrolled' };
  if (staff.status !== 'active') return { refused: 'aidant_suspended' };
  if (staff.kind === 'operateur') return { staff, memberships: [] };
  if (staff.kind === 'agent') return dossier.administration ? dossier : { refused: 'not_habilitated' };
  const active = dossier.memberships.filter((membership) => membership.status === 'active');
  const usable = active.filter((membership) => membership.organisation.status === 'active');
  if (usable.length) return { staff, memberships: usable };
  return { refused: active.length ? 'organisation_suspended' : 'aidant_suspended' };
};

/** Names a member of staff among the parties of a journal entry: an aidant in their own column, anyone else as the actor. */
export const asParty = (id: StaffId): Pick<Parties, 'aidant' | 'actor'> => (isId('aid', id) ? { aidant: id } : { actor: id });

/** What is asked when a member of staff is invited. */
export interface NewStaff {
  readonly givenName: string;
  readonly familyName: string;
  readonly email: string;
  /** Who decided: an opérateur's id, or `cli`. */
  readonly actor: string;
}

export interface NewAidant extends NewStaff {
  readonly organisationId: string;
  /** Left out: all the themes of the organisation. */
  readonly themes?: readonly string[];
  readonly referent?: boolean;
}

export type AidantOf = { readonly aidantId: AidantId; readonly organisationId: OrganisationId };
