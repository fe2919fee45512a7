import { readName } from '../organisations/name.ts';
import { readThemes, type Theme } from '../organisations/theme.ts';
import { type Demarche, EFFECTS } from './service.ts';

export type DemarcheFault =
  | 'demarche_malformed'
  | 'demarche_code'
  | 'demarche_label'
  | 'demarche_themes'
  | 'demarche_effect'
  | 'demarche_level'
  | 'demarche_max_age'
  | 'demarche_never_delegable'
  | 'demarche_repeated';

/**
 * Acts of disposal are never delegable (product.md, "The ten themes"): selling, giving, bank transfers, changes of bank account. A
 * catalogue that names one is refused here; what a label hides is for the second person who reads it.
 */
const NEVER_DELEGABLE = [
  /\bvirements?\b/,
  /\bvendre\b/,
  /\bventes?\b/,
  /\bceder\b/,
  /\bcessions?\b/,
  /\bdonations?\b/,
  /\bfaire (?:un )?dons?\b/,
  /\blegs\b/,
  /\bleguer\b/,
  /\bcomptes? (?:en )?banques?\b/,
  /\bcomptes? bancaires?\b/,
  /\bcoordonnees bancaires\b/,
  /\bribs?\b/,
  /\bibans?\b/,
  /\b(?:bank|wire|money) transfers?\b/,
  /\bsell(?:ing)?\b/,
  /\bsales?\b/,
  /\bdonat(?:e|ing|ions?)\b/,
  /\bgifts?\b/,
  /\bbank (?:accounts?|details)\b/,
  /\bbequests?\b/,
];

const plain = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, ' ');

/** Says whether a text names an act that nobody may do for another under a mandate. */
export const isNeverDelegable = (text: string): boolean => NEVER_DELEGABLE.some((pattern) => pattern.test(plain(text)));

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const MEMBERS = ['code', 'labelFr', 'labelEn', 'themes', 'effect', 'level', 'maxAge'];
const FRESHEST = 60;
const OLDEST = 86_400;

/** Reads one démarche of a service: `<service>.<word>`, two labels, themes among the service's own, one effect, the sign-in that it asks for. */
export const readDemarche = (value: unknown, serviceId: string, serviceThemes: readonly Theme[]): Demarche | { readonly fault: DemarcheFault } => {
  if (!isObject(value) || !Object.keys(value).every((member) => MEMBERS.includes(member))) return { fault: 'demarche_malformed' };
  const { code } = value;
  if (typeof code !== 'string' || code.length > 100 || !/^[a-z0-9-]+\.[a-z0-9]+(?:-[a-z0-9]+)*$/.test(code) || !code.startsWith(`${serviceId}.`))
    return { fault: 'demarche_code' };
  const labelFr = readName(value['labelFr']);
  const labelEn = readName(value['labelEn'] ?? value['labelFr']);
  if (labelFr === undefined || labelEn === undefined) return { fault: 'demarche_label' };
  if ([code, labelFr, labelEn].some(isNeverDelegable)) return { fault: 'demarche_never_delegable' };
  const themes = readThemes(value['themes']);
  if (!themes?.length || !themes.every((theme) => serviceThemes.includes(theme))) return { fault: 'demarche_themes' };
  const effect = EFFECTS.find((known) => known === value['effect']);
  if (!effect) return { fault: 'demarche_effect' };
  const { level, maxAge } = value;
  if (level !== undefined && level !== 'eidas1' && level !== 'eidas2') return { fault: 'demarche_level' };
  const fresh = typeof maxAge === 'number' && Number.isInteger(maxAge) && maxAge >= FRESHEST && maxAge <= OLDEST ? { maxAge } : {};
  if (maxAge !== undefined && !('maxAge' in fresh)) return { fault: 'demarche_max_age' };
  return { code, labelFr, labelEn, themes, effect, ...(level === 'eidas2' ? { level } : {}), ...fresh };
};
