/** Reads back what our own uncompressed PDF says (ISO 32000-1): enough for its fonts, its structure and its text. */

interface Object {
  readonly head: string;
  readonly stream: string;
}

const objectsOf = (pdf: Buffer): Map<string, Object> =>
  new Map(
    [...pdf.toString('latin1').matchAll(/(?:^|\n)(\d+) 0 obj\n([\s\S]*?)\nendobj/g)].map(([, id = '', body = '']) => {
      const [head = '', stream = ''] = body.split(/\nstream\n/);
      return [id, { head, stream: stream.replace(/\nendstream[\s\S]*$/, '') }];
    }),
  );

/** Glyph number (four hexadecimal digits) to text, from a ToUnicode CMap with one range a block (9.10.3). */
const unicodeOf = (cmap: string): Map<string, string> => {
  const found = new Map<string, string>();
  for (const [, first = '', list = ''] of cmap.matchAll(/<([0-9a-f]{4})> <[0-9a-f]{4}> \[([^\]]*)\]/gi))
    [...list.matchAll(/<([0-9a-f ]*)>/gi)].forEach(([, hex = ''], i) => {
      const units = hex.replaceAll(' ', '').match(/.{4}/g) ?? [];
      const glyph = (Number.parseInt(first, 16) + i).toString(16).padStart(4, '0');
      found.set(glyph, String.fromCharCode(...units.map((unit) => Number.parseInt(unit, 16))));
    });
  return found;
};

/** The text of every page, in the order in which it was drawn. */
export const textOfPdf = (pdf: Buffer): string => {
  const objects = objectsOf(pdf);
  const fonts = new Map<string, Map<string, string>>();
  for (const { head } of objects.values())
    for (const [, name = '', id = ''] of head.matchAll(/\/(F\d+) (\d+) 0 R/g)) {
      const cmap = /\/ToUnicode (\d+) 0 R/.exec(objects.get(id)?.head ?? '')?.[1];
      fonts.set(name, unicodeOf(objects.get(cmap ?? '')?.stream ?? ''));
    }
  const lines: string[] = [];
  for (const { stream } of objects.values()) {
    if (!/\bBT\b/.test(stream)) continue;
    let font = '';
    for (const [, name, shown] of stream.matchAll(/\/(F\d+) [\d.]+ Tf|\[([^\]]*)\] TJ/g))
      if (name) font = name;
      else
        lines.push(
          [...(shown ?? '').matchAll(/<([0-9a-f]+)>/gi)]
            .flatMap(([, hex = '']) => hex.match(/.{4}/g) ?? [])
            .map((glyph) => fonts.get(font)?.get(glyph) ?? '\uFFFD')
            .join(''),
        );
  }
  return lines.join(' ').replace(/[\s\u00a0]+/g, ' ');
};

/** How many elements of each kind the structure tree has (14.8.4). */
export const structureOf = (pdf: Buffer): Record<string, number> => {
  const kinds = [...objectsOf(pdf).values()].flatMap(({ head }) =>
    /\/K \[|\/P \d+ 0 R/.test(head) ? (/^<<\s*\/S \/(\w+)/.exec(head)?.[1] ?? []) : [],
  );
  return Object.fromEntries([...new Set(kinds)].map((kind) => [kind, kinds.filter((each) => each === kind).length]));
};
