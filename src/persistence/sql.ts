import { sha256 } from '../kernel/crypto.ts';

/** One SQL statement with its values. The same template literal always gives the same name, so PostgreSQL prepares it once a connection. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly values: readonly unknown[];
}

const known = new WeakMap<TemplateStringsArray, { name: string; text: string }>();

/** Writes a statement: each `${value}` becomes a parameter, never text. Only scalars, Dates, Buffers, arrays and JSON text go in. */
export const sql = (strings: TemplateStringsArray, ...values: readonly unknown[]): Statement => {
  let found = known.get(strings);
  if (!found) {
    const text = strings.reduce((before, part, i) => `${before}$${i}${part}`);
    found = { name: `r${sha256(text).toString('base64url').slice(0, 20)}`, text };
    known.set(strings, found);
  }
  return { ...found, values };
};
