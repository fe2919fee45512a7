import type { UsagerId } from '../kernel/ids.ts';
import type { Theme } from '../organisations/theme.ts';
import { type CivilIdentity, isMinor, isSamePerson } from '../usagers/usager.ts';
import { type Draft, type Mandate, textHash } from './mandate.ts';
import type { Narrowing } from './narrowing.ts';

/** Whoever acts for an organisation, as the database has it at this instant. */
export interface Actor {
  readonly aidantId: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly email: string;
  readonly aidantStatus: string;
  readonly organisationId: string;
  readonly organisationName: string;
  readonly siret: string;
  readonly organisationStatus: string;
  readonly organisationThemes: readonly Theme[];
  readonly membershipStatus: string;
  readonly memberThemes: readonly Theme[];
}

export type ActorRefusal = 'aidant_suspended' | 'organisation_suspended' | 'theme_not_covered';
export type PartyRefusal = 'minor' | 'self_dealing';

/** May this aidant act for this organisation at all? The order is the order of the sentences that a person would want to read. */
export const checkActor = (actor: Actor): ActorRefusal | undefined => {
  if (actor.organisationStatus !== 'active') return 'organisation_suspended';
  if (actor.aidantStatus !== 'active' || actor.membershipStatus !== 'active') return 'aidant_suspended';
  return undefined;
};

/** The themes that an aidant may put in a mandate or use: the organisation's habilitation ∩ her own. */
export const habilitatedThemes = (actor: Actor): Theme[] => actor.organisationThemes.filter((theme) => actor.memberThemes.includes(theme));

/** May these two be the parties of a mandate? (product.md, "Refused"; claims M12, M23) */
export const checkParties = (actor: Actor, usager: CivilIdentity, now: Date): PartyRefusal | undefined => {
  if (isMinor(usager, now)) return 'minor';
  if (isSamePerson(usager, actor)) return 'self_dealing';
  return undefined;
};

/** May a mandate be drafted with these themes? */
export const checkDraft = (actor: Actor, themes: readonly Theme[]): ActorRefusal | 'theme_missing' | undefined => {
  const refused = checkActor(actor);
  if (refused) return refused;
  if (themes.length === 0) return 'theme_missing';
  const allowed = habilitatedThemes(actor);
  return themes.every((theme) => allowed.includes(theme)) ? undefined : 'theme_not_covered';
};

export type RenewalRefusal = 'mandate_revoked' | 'renewal_refused';

const RENEWAL_MS = 365 * 86_400_000;

/**
 * What a renewal of a mandate would hold: its own themes and days, as narrow, never more (claim M10). A mandate is renewed while it lives, or within 365 days of
 * an end that nobody decided for the person: one that she stopped is not.
 */
export const renewal = (
  mandate: Mandate,
  now: Date,
): { readonly themes: Theme[]; readonly narrowing: Narrowing; readonly usagerId: UsagerId } | { refused: RenewalRefusal } => {
  const { state } = mandate;
  if (state.kind === 'ended' && state.reason === 'revoked') return { refused: 'mandate_revoked' };
  if (state.kind === 'ended' && state.reason !== 'expired' && state.reason !== 'renounced') return { refused: 'renewal_refused' };
  const end = state.kind === 'ended' ? state.at : mandate.endsAt;
  if (now.getTime() - end.getTime() >= RENEWAL_MS) return { refused: 'renewal_refused' };
  const themes = mandate.themes.filter(
    ({ endedAt }) => endedAt === undefined || (state.kind === 'ended' && endedAt.getTime() === state.at.getTime()),
  );
  return { themes: themes.map(({ theme }) => theme), narrowing: mandate.narrowing, usagerId: mandate.usagerId };
};

/**
 * What may be granted: mandate ∩ service ∩ habilitation ∩ asked (claim M7). `asked` is undefined when the service asked for no theme in
 * particular. The answer is never larger than any of them; empty means refused.
 */
export const grantable = (sets: {
  readonly mandate: readonly Theme[];
  readonly service: readonly Theme[];
  readonly aidant: readonly Theme[];
  readonly asked: readonly Theme[] | undefined;
}): Theme[] =>
  sets.mandate.filter(
    (theme, i) =>
      sets.mandate.indexOf(theme) === i &&
      sets.service.includes(theme) &&
      sets.aidant.includes(theme) &&
      (sets.asked === undefined || sets.asked.includes(theme)),
  );

/** The hash of what a draft says on the day of `from`: the one text that both wills refer to. */
export const hashOfDraft = (draft: Draft, actor: Actor, usager: CivilIdentity, from: Date): Buffer =>
  textHash({
    organisation: { name: actor.organisationName, siret: actor.siret },
    usager,
    themes: draft.themes,
    days: draft.days,
    narrowing: draft.narrowing,
    from,
  });
