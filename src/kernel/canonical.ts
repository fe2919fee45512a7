import { Failure } from './failure.ts';

/** A value that RFC 8785 can write: no undefined, no function, no number outside the safe integers when it is an integer. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Printable ASCII without quote and backslash: already as JSON writes it, and its own NFC. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * Writes `value` as canonical JSON (RFC 8785): keys sorted by UTF-16 code units, no white space, shortest numbers. A member whose value is
 * undefined is left out. Text is normalised to NFC first, since the RFC itself does not normalise. Fails on a lone surrogate, an unsafe
 * integer or a number that is not finite.
 */
export const canonical = (value: Json): string => {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value)))
      throw new Failure('not_canonical', 'number outside the safe range');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (PLAIN.test(value)) return `"${value}"`;
    if (!value.isWellFormed()) throw new Failure('not_canonical', 'lone surrogate');
    return JSON.stringify(value.normalize('NFC'));
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item as Json)).join(',')}]`;
  const members = value as { readonly [key: string]: Json | undefined };
  let text = '';
  // The sort without a comparison is by UTF-16 code units.
  for (const key of Object.keys(members).sort()) {
    const member = members[key];
    if (member !== undefined) text += `${text && ','}${PLAIN.test(key) ? `"${key}"` : JSON.stringify(key)}:${canonical(member)}`;
  }
  return `{${text}}`;
};

/** Reads JSON that must already be canonical: anything else (duplicate key, white space, other order) fails as `not_canonical`. */
export const parseCanonical = (text: string): Json => {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (cause) {
    throw new Failure('not_canonical', 'not JSON', { cause });
  }
  if (canonical(value) !== text) throw new Failure('not_canonical', 'bytes differ from the canonical form');
  return value;
};
