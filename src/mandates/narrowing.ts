import type { Json } from '../kernel/canonical.ts';
import type { Theme } from '../organisations/theme.ts';
import type { Demarche, Effect } from '../services/service.ts';

/** A démarche as both wills read it: later names of the catalogue change nothing to it. */
export interface NamedDemarche {
  readonly code: string;
  /** Name of its service. */
  readonly service: string;
  readonly fr: string;
  readonly en: string;
}

/** How much narrower than its themes a mandate is (product.md, "The ten themes"). */
export interface Narrowing {
  /** Only these; undefined: every démarche of the themes. Sorted by code, 1 to 20. */
  readonly demarches?: readonly NamedDemarche[] | undefined;
  /** Only what reads. */
  readonly readOnly: boolean;
  /** One delegated session. */
  readonly singleUse: boolean;
}

/** The themes as they are. */
export const WHOLE: Narrowing = { readOnly: false, singleUse: false };

export const MOST_DEMARCHES = 20;

/** A démarche of the catalogue that may be named in a mandate. */
export interface Offered extends Demarche {
  readonly serviceName: string;
}

export type NarrowingRefusal = 'demarche_not_offered' | 'demarche_not_read_only';

/**
 * Names the démarches chosen, from the catalogue as it stands. Each must be in one of the themes, and each theme must have one: a theme that nothing
 * could be done in would be a promise of more than is meant.
 */
export const nameDemarches = (
  codes: readonly string[],
  offered: readonly Offered[],
  themes: readonly Theme[],
  readOnly: boolean,
): { readonly demarches: NamedDemarche[] } | { readonly refused: NarrowingRefusal } => {
  const chosen = [...new Set(codes)].sort().map((code) => offered.find((each) => each.code === code));
  const known = chosen.flatMap((each) => each ?? []);
  if (known.length !== chosen.length || known.length > MOST_DEMARCHES) return { refused: 'demarche_not_offered' };
  if (!known.every((each) => each.themes.some((theme) => themes.includes(theme)))) return { refused: 'demarche_not_offered' };
  if (!themes.every((theme) => known.some((each) => each.themes.includes(theme)))) return { refused: 'demarche_not_offered' };
  if (readOnly && known.some((each) => each.effect !== 'read')) return { refused: 'demarche_not_read_only' };
  return { demarches: known.map((each) => ({ code: each.code, service: each.serviceName, fr: each.labelFr, en: each.labelEn })) };
};

/** Says whether a mandate is held to some of the démarches of its themes. */
export const isHeld = ({ demarches, readOnly }: Narrowing): boolean => demarches !== undefined || readOnly;

/** The démarches, among these, that a mandate so narrowed covers. Never more than there were. */
export const covered = <T extends { readonly code: string; readonly effect: Effect }>({ demarches, readOnly }: Narrowing, among: readonly T[]): T[] =>
  among.filter((each) => (demarches === undefined || demarches.some(({ code }) => code === each.code)) && (!readOnly || each.effect === 'read'));

/** The part of a text, or of a seal, that says it: no member at all for a mandate that is not narrowed. */
export const narrowingContent = ({ demarches, readOnly, singleUse }: Narrowing): Readonly<Record<string, Json>> => ({
  ...(demarches ? { demarches: demarches.map(({ code, service, fr, en }) => ({ code, service, label_fr: fr, label_en: en })) } : {}),
  ...(readOnly ? { read_only: true } : {}),
  ...(singleUse ? { single_use: true } : {}),
});
