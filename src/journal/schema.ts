import { assertNever } from '../kernel/failure.ts';

/** What a field of an entry may hold, who may see it, and the check that follows from it. */

/** The three views of one truth (journal.md §2). */
export type Viewer = 'usager' | 'administration' | 'organisation';

export type Shape =
  | { readonly is: 'text' | 'instant' | 'day' | 'month' | 'number' | 'flag' | 'decider' }
  | { readonly is: 'choice'; readonly of: readonly string[] }
  | { readonly is: 'list'; readonly item: Shape };

/** `Value` is the static type of what `shape` describes; only the builders below join the two. */
export interface Field<Value = unknown, Optional extends boolean = boolean> {
  readonly shape: Shape;
  readonly optional: Optional;
  readonly seen: readonly Viewer[];
  /** Never there: carries the type. */
  readonly value?: Value;
}

export type Fields = Readonly<Record<string, Field>>;

type ValueOf<F extends Field> = Exclude<F['value'], undefined>;
type OptionalOf<F extends Fields> = { [K in keyof F]: F[K]['optional'] extends true ? K : never }[keyof F];

/** The static type of a detail with these fields. */
export type DetailOf<F extends Fields> = keyof F extends never
  ? Readonly<Record<string, never>>
  : { readonly [K in Exclude<keyof F, OptionalOf<F>>]: ValueOf<F[K]> } & { readonly [K in OptionalOf<F>]?: ValueOf<F[K]> };

const field = <Value>(shape: Shape): Field<Value, false> => ({ shape, optional: false, seen: ['usager'] });

export const text = field<string>({ is: 'text' });
/** ISO 8601, UTC. */
export const instant = field<string>({ is: 'instant' });
/** `YYYY-MM-DD`. */
export const day = field<string>({ is: 'day' });
/** `YYYY-MM`. */
export const month = field<string>({ is: 'month' });
/** A whole number, 0 or more. */
export const number = field<number>({ is: 'number' });
export const flag = field<boolean>({ is: 'flag' });
/** Who decided: an identifier of staff, or a word. Every view reads the word alone: `aidant`, `operateur`, `usager`… */
export const decider = field<string>({ is: 'decider' });
export const choice = <const C extends string>(...of: readonly C[]): Field<C, false> => field<C>({ is: 'choice', of });
export const list = <V>(item: Field<V, false>): Field<readonly V[], false> => field<readonly V[]>({ is: 'list', item: item.shape });

export const optional = <V>(one: Field<V>): Field<V, true> => ({ ...one, optional: true });

/** A field is seen by the usager where its kind is shown to her, and by nobody else. These add. */
type Mark = <V, O extends boolean>(one: Field<V, O>) => Field<V, O>;
const seenBy =
  (...seen: readonly Viewer[]): Mark =>
  (one) => ({ ...one, seen });
export const administration = seenBy('usager', 'administration');
export const organisation = seenBy('usager', 'organisation');
export const everybody = seenBy('usager', 'administration', 'organisation');

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;
const DAY = /^\d{4}-\d\d-\d\d$/;
const MONTH = /^\d{4}-\d\d$/;
type Check = (value: unknown) => boolean;
const matching =
  (pattern: RegExp): Check =>
  (value) =>
    typeof value === 'string' && pattern.test(value);

const checkOf = (shape: Shape): Check => {
  switch (shape.is) {
    case 'text':
    case 'decider':
      return (value) => typeof value === 'string';
    case 'instant':
      return matching(INSTANT);
    case 'day':
      return matching(DAY);
    case 'month':
      return matching(MONTH);
    case 'number':
      return (value) => Number.isSafeInteger(value) && (value as number) >= 0;
    case 'flag':
      return (value) => typeof value === 'boolean';
    case 'choice':
      return (value) => typeof value === 'string' && shape.of.includes(value);
    case 'list': {
      const item = checkOf(shape.item);
      return (value) => Array.isArray(value) && value.every(item);
    }
    default:
      return assertNever(shape);
  }
};

/** Makes the check of a detail: it names the first field that is missing, unknown or of another shape, and answers undefined when none is. */
export const checkFields = (fields: Fields): ((detail: Readonly<Record<string, unknown>>) => string | undefined) => {
  const checks = new Map(Object.entries(fields).map(([name, one]) => [name, checkOf(one.shape)]));
  const needed = Object.keys(fields).filter((name) => !fields[name]?.optional);
  return (detail) => {
    for (const name in detail) {
      const value = detail[name];
      if (value !== undefined && !checks.get(name)?.(value)) return name;
    }
    return needed.find((name) => detail[name] === undefined);
  };
};
