import type { PublicJwk, PublicKeySet } from './public-keys.ts';
import type { FormerSecret, Registration, Service } from './service.ts';

/** A registration, or a service without its state, as `readRegistration` takes it again: its secrets are not in it. */
export const asInput = ({
  clientSecretHash: _h,
  formerSecret: _f,
  administrationName: _a,
  status: _s,
  version: _v,
  revision: _r,
  createdAt: _c,
  ...registration
}: Registration & Partial<Service>): Record<string, unknown> => ({ ...registration });

/** For how long a former key may stand beside the next one. */
const LONGEST_DAYS = 366;

/** Reads when former keys end: a day, or an instant with its zone, to come and less than a year away. */
export const readUntil = (text: string, now: Date): Date | undefined => {
  if (!/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/.test(text)) return undefined;
  const at = new Date(text);
  const ahead = at.getTime() - now.getTime();
  return ahead > 0 && ahead < LONGEST_DAYS * 86_400_000 ? at : undefined;
};

/**
 * The next keys, with the former ones until `until` beside them: both are taken meanwhile, whatever the order in which the service and its
 * instances change (claim K3). A former key that ends sooner keeps its end; one that has ended is left out.
 */
export const overlap = (former: PublicKeySet, next: { readonly keys: readonly object[] }, until: Date, now: Date): { keys: object[] } => {
  const end = Math.floor(until.getTime() / 1000);
  const same = (key: PublicJwk): boolean => next.keys.some((each) => 'kid' in each && each.kid === key['kid']);
  const kept = former.keys.flatMap(({ exp, ...key }) => {
    const ends = typeof exp === 'number' ? Math.min(exp, end) : end;
    return same(key) || ends * 1000 <= now.getTime() ? [] : [{ ...key, exp: ends }];
  });
  return { keys: [...next.keys, ...kept] };
};

/** Says whether a former secret is still accepted. */
export const stands = (former: FormerSecret | undefined, now: Date): former is FormerSecret =>
  former !== undefined && former.exp * 1000 > now.getTime();
