const NB = '\u00a0';

/** Puts the no-break spaces that French typography asks for, so that a question mark or a quotation mark never stands alone on a line. */
export const typesetFrench = (text: string): string => text.replace(/ ([?!:;»])/g, `${NB}$1`).replace(/« /g, `«${NB}`);

/** Applies `change` to every text of a catalogue, and to what its functions return. */
export const typesetAll = <T>(value: T, change: (text: string) => string): T => {
  const visit = (item: unknown): unknown => {
    if (typeof item === 'string') return change(item);
    if (typeof item === 'function') return (...args: unknown[]): unknown => visit(Reflect.apply(item, undefined, args));
    if (Array.isArray(item)) return item.map(visit);
    if (typeof item === 'object' && item !== null) return Object.fromEntries(Object.entries(item).map(([key, member]) => [key, visit(member)]));
    return item;
  };
  // `visit` keeps the shape: text for text, function for function, member for member.
  return visit(value) as T;
};
