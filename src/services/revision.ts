import { canonical, type Json } from '../kernel/canonical.ts';
import { sha256 } from '../kernel/crypto.ts';
import type { Theme } from '../organisations/theme.ts';
import { type Demarche, metadataOf, type Registration } from './service.ts';

/** One state of a registration: what is in force, what was, or what waits for the second person beside it. */
export interface Revision {
  /** 1 for the first of a service. */
  readonly number: number;
  readonly registration: Registration;
  readonly state: 'waiting' | 'approved' | 'replaced' | 'withdrawn';
  readonly askedBy: string;
  readonly askedAt: Date;
  /** The approval that was asked for it; undefined for what was registered before revisions were kept. */
  readonly approvalId: string | undefined;
}

/** Says whether an opérateur asked for it. Nobody else adds to it: that opérateur could approve what is their own, under the name of who added. */
export const isOfOperateur = ({ askedBy }: Pick<Revision, 'askedBy'>): boolean => askedBy.startsWith('opr_');

/** One thing that differs between two registrations; `was` is absent for what is new, `becomes` for what leaves. */
export interface Difference {
  readonly what: string;
  readonly was?: string;
  readonly becomes?: string;
}

/** Labels stand in quotes: whatever is written in one, two démarches that differ have two texts. */
const demarcheText = (it: Demarche): string =>
  [
    it.effect,
    it.themes.join(','),
    JSON.stringify(it.labelFr),
    JSON.stringify(it.labelEn),
    ...(it.level ? [`level ${it.level}`] : []),
    ...(it.maxAge === undefined ? [] : [`sign-in of ${it.maxAge} s at most`]),
  ].join('; ');

const fingerprint = (value: Json): string => sha256(canonical(value)).toString('hex').slice(0, 16);

const keyLines = (it: Registration): [string, string][] =>
  (it.jwks?.keys ?? []).map(({ exp, ...key }) => [
    `key ${typeof key['kid'] === 'string' ? key['kid'] : fingerprint(key)}`,
    `${String(key['kty'])} ${fingerprint(key)}${typeof exp === 'number' ? ` until ${new Date(exp * 1000).toISOString()}` : ''}`,
  ]);

/** One member of the metadata: a line for each value of a set, whatever members there are; of a secret, what tells it from another. */
const metadataLines = (member: string, value: Json | undefined): [string, string][] => {
  if (value === undefined || member === 'jwks' || member === 'client_secret_former') return [];
  if (Array.isArray(value)) return value.map((each) => [`${member} ${canonical(each)}`, canonical(each)]);
  return [[member, member === 'client_secret_hash' ? fingerprint([value]) : canonical(value)]];
};

/** A former secret, as the line of the one in force tells them apart. */
const formerLines = ({ formerSecret: former }: Registration): [string, string][] =>
  former ? [['client_secret_former', `${fingerprint([former.hash])} until ${new Date(former.exp * 1000).toISOString()}`]] : [];

/** A registration as lines, each under what names it. No secret is in it, nor its hash. */
const linesOf = (it: Registration): Map<string, string> =>
  new Map([
    ['name', it.name],
    // These never change: whoever approves the first reads them once and for all.
    ['administration', it.administrationId],
    ['profile', it.profile],
    ['sector', it.sector],
    ['minimum_consent', it.minimumConsent],
    ['delegation', it.delegationSupported ? 'accepted' : 'not accepted'],
    ...it.themes.map((theme): [string, string] => [`theme ${theme}`, theme]),
    ...it.demarches.map((each): [string, string] => [`démarche ${each.code}`, demarcheText(each)]),
    ...Object.entries(metadataOf(it)).flatMap(([member, value]) => metadataLines(member, value)),
    ...keyLines(it),
    ...formerLines(it),
  ]);

/** What a second person reads before approving: every difference, one a line; all of it when nothing was in force. */
export const differences = (before: Registration | undefined, after: Registration): Difference[] => {
  const [old, next] = [before ? linesOf(before) : new Map<string, string>(), linesOf(after)];
  return [...new Set([...old.keys(), ...next.keys()])].flatMap((what) => {
    const [was, becomes] = [old.get(what), next.get(what)];
    return was === becomes ? [] : [{ what, ...(was === undefined ? {} : { was }), ...(becomes === undefined ? {} : { becomes }) }];
  });
};

/** Themes whose sessions may not go on as they were opened: gone from the service or from a démarche, or where one asks for more than before. */
export const themesCut = (before: Registration, after: Registration): Theme[] => {
  if (!after.delegationSupported) return [...before.themes];
  const gone = before.themes.filter((theme) => !after.themes.includes(theme));
  const moved = before.demarches.flatMap((old) => {
    const now = after.demarches.find(({ code }) => code === old.code);
    return now ? old.themes.filter((theme) => !now.themes.includes(theme)) : [];
  });
  const raised = after.demarches.flatMap((now) =>
    now.level && !before.demarches.find(({ code }) => code === now.code)?.level ? now.themes.filter((theme) => before.themes.includes(theme)) : [],
  );
  return [...new Set([...gone, ...moved, ...raised])];
};
