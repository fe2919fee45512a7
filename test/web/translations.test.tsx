import { Failure } from '../../src/kernel/failure.ts';
import { TEMPLATE } from '../../src/mandates/mandate.ts';
import { readTranslation, readTranslations } from '../../src/web/translations.ts';
import { mandateBlocks } from '../../src/web/views/mandate-blocks.ts';
import { partsToRead, ReadAloudPage } from '../../src/web/views/read-aloud.tsx';
import { render } from '../../src/web/views/render.ts';
import { assert, test } from '../support/check.ts';

const FOLDER = new URL('../../translations/', import.meta.url).pathname;
const HEAD = ['---', 'lang: ar', 'dir: rtl', 'name: العربية', '---'];
const file = (...text: string[]) => readTranslation(`${TEMPLATE}.ar.md`, [...HEAD, ...text].join('\n'));
const data = {
  template: TEMPLATE,
  organisation: { name: 'Mairie de Thénac', siret: '21170444000018' },
  themes: ['logement'],
  days: 31,
  narrowing: { readOnly: false, singleUse: false },
  helpNumber: '0 800 00 00 00',
};
const shown = (translation: ReturnType<typeof file>): string =>
  render(
    <ReadAloudPage
      frame={{ lang: 'fr', helpNumber: '0 800 00 00 00' }}
      data={data}
      languages={[translation]}
      translation={translation}
      selfHref="/x"
      backHref="/y"
    />,
  );

test('S15 nothing in a translation becomes a tag of ours: HTML is text, a link or a picture is its own letters', () => {
  for (const payload of [
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<div onclick="x">\n<style>*{}</style>',
    '[un lien](javascript:alert(1))',
    '[un lien][a]\n\n[a]: https://x.example',
    '![image](https://x.example/a.png)',
    '<https://x.example>',
    '```\n<svg/onload=alert(1)>\n```',
    '&lt;script&gt;alert(1)&lt;/script&gt;',
    '    <iframe src=//x.example>',
    '<!-- --><base href=//x.example>',
    '</section></main><script src=//x.example></script>',
  ]) {
    const { html } = file('## Titre', '', payload, '', '- **fort** et *léger*');
    const tags = [...html.matchAll(/<\/?([a-z0-9]+)([^>]*)>/g)];
    for (const [whole, tag = '', rest = ''] of tags) {
      assert.match(tag, /^(h[2-6]|p|ul|ol|li|strong|em|blockquote|hr|br)$/, `${payload}: ${whole}`);
      assert.match(rest, /^( \/)?$/, `${payload}: ${whole}`);
    }
    assert.match(html, /<h2>Titre<\/h2>[\s\S]*<strong>fort<\/strong> et <em>léger<\/em>/, payload);
    assert.doesNotMatch(shown(file('Texte', '', payload)), /<script|<img|<iframe|<base|="javascript:/i, payload);
  }
});

test('a translation stands in its own language and direction beside the French text, which alone binds', () => {
  const html = shown(file('## ما أسمح به'));
  assert.match(html, /<section class="mandate" id="translation" lang="ar" dir="rtl" aria-label="العربية"><h2>ما أسمح به<\/h2>/);
  assert.match(html, /Seul le texte français engage/);
  assert.match(html, /<section lang="fr" aria-label="Le texte français, qui engage">[\s\S]*Mairie de Thénac/);
  assert.match(html, /<a[^>]*lang="ar" dir="rtl"[^>]*aria-current="page"[^>]*>العربية<\/a>/);
  assert.match(html, /^<!doctype html><html lang="fr">/, 'the page itself stays in its own');
});

test('C5 a translation that cannot be read stops the start, and the fault names the file, the line and the rule', () => {
  const name = `${TEMPLATE}.ar.md`;
  const whole = [...HEAD, 'نص'];
  const cases: [file: string, lines: string[], fault: RegExp][] = [
    ['ar.md', whole, /^ar\.md, line 1: the name of the file/],
    ['1999-01.ar.md', whole, /^1999-01\.ar\.md, line 1: .*a template that Relais has/],
    [`${TEMPLATE}.ar.md`, ['نص'], /line 1: must be ---/],
    [name, ['---', 'lang: ar', 'نص'], /line 1: .*closed by a line ---/],
    [name, ['---', 'lang: ar', 'dir rtl', 'name: x', '---', 'نص'], /line 3: must be lang, dir or name/],
    [name, ['---', 'lang: ar', 'lang: ar', 'dir: rtl', 'name: x', '---', 'نص'], /line 3: must be lang, dir or name, once/],
    [name, ['---', 'lang: ar', 'dir: rtl', '---', 'نص'], /line 4: name is missing above/],
    [name, ['---', 'dir: rtl', 'lang: fa', 'name: x', '---', 'نص'], /line 3: must be the language of the file's name, ar/],
    [name, ['---', 'lang: ar', 'dir: right', 'name: x', '---', 'نص'], /line 3: must be ltr or rtl/],
    [name, [...HEAD, 'نص', '# عنوان'], /line 7: a heading starts with ##/],
    [name, [...HEAD, 'عنوان', '===='], /line 7: a heading starts with ##/],
    [name, [...HEAD, ' ', ''], /line 5: no text follows/],
  ];
  for (const [of, lines, fault] of cases)
    assert.throws(
      () => readTranslation(of, lines.join('\n')),
      (error: unknown) => error instanceof Failure && error.code === 'translation' && fault.test(error.detail ?? ''),
      `${of}: ${lines.join(' ⏎ ')}`,
    );
  assert.deepEqual(
    readTranslations(FOLDER).map(({ template, lang, dir }) => [template, lang, dir]),
    [
      [TEMPLATE, 'ar', 'rtl'],
      [TEMPLATE, 'uk', 'ltr'],
    ],
  );
});

test('what is read aloud is the whole text, one sentence a line, numbered from first to last', () => {
  const blocks = mandateBlocks(data, 'fr');
  const parts = partsToRead(blocks);
  let next = 1;
  for (const part of parts) {
    assert.equal(part.from, next, part.title ?? '');
    next += part.sentences.length;
    for (const sentence of part.sentences) assert.doesNotMatch(sentence, /[.!?]\s+\p{Lu}/u, 'one sentence a line');
  }
  const read = parts.flatMap((part) => part.sentences).join(' ');
  for (const block of blocks)
    if (block.kind === 'text' && block.tone !== 'small') assert.ok(read.includes(block.text), block.text);
    else if (block.kind === 'list') for (const item of block.items) assert.ok(read.includes(`${item.lead ?? ''}${item.text}`), item.text);
  assert.ok(next > 25);
});
