import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { micromark } from 'micromark';
import { Failure } from '../kernel/failure.ts';
import { isTemplate } from './i18n/templates.ts';

/** The fixed text of a mandate in a language that the operator added. It helps to understand; the French text alone binds. */
export interface Translation {
  readonly template: string;
  /** BCP 47: `ar`, `uk`, `pt-BR`. */
  readonly lang: string;
  readonly dir: 'ltr' | 'rtl';
  /** The language's own name, in that language. */
  readonly name: string;
  /** Made by `toHtml`: paragraphs, headings of level 2 and below, lists and emphasis, nothing else. */
  readonly html: string;
}

/** What a text of a mandate has no use for: HTML is written as text, and there is no link, no picture, no code. */
const UNUSED = ['htmlFlow', 'htmlText', 'autolink', 'labelStartLink', 'labelStartImage', 'definition', 'codeIndented', 'codeFenced', 'codeText'];

const toHtml = (markdown: string): string => micromark(markdown, { extensions: [{ disable: { null: UNUSED } }] });

const fault = (file: string, line: number, what: string): Failure => new Failure('translation', `${file}, line ${line}: ${what}`);

const readHead = (file: string, lines: readonly string[]): { readonly head: ReadonlyMap<string, string>; readonly end: number } => {
  if (lines[0] !== '---') throw fault(file, 1, 'must be --- and open lang, dir and name');
  const end = lines.indexOf('---', 1);
  if (end < 0) throw fault(file, 1, 'lang, dir and name must be closed by a line ---');
  const head = new Map<string, string>();
  for (const [i, line] of lines.slice(1, end).entries()) {
    const [, key, value] = /^(lang|dir|name): (\S.*)$/.exec(line) ?? [];
    if (!key || !value || head.has(key)) throw fault(file, i + 2, 'must be lang, dir or name, once, then a colon, a space and a value');
    head.set(key, value.trim());
  }
  for (const key of ['lang', 'dir', 'name']) if (!head.has(key)) throw fault(file, end + 1, `${key} is missing above`);
  return { head, end };
};

/** Reads one file: `<template>.<lang>.md`, its head, its text. Fails as `translation`, naming the file, the line and the rule. */
export const readTranslation = (file: string, content: string): Translation => {
  const [, template = '', lang = ''] = /^([\w-]+)\.([a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)\.md$/.exec(file) ?? [];
  if (!isTemplate(template)) throw fault(file, 1, 'the name of the file must be <template>.<language>.md, of a template that Relais has');
  const lines = content.replace(/^\uFEFF/, '').split(/\r?\n/);
  const { head, end } = readHead(file, lines);
  const lineOf = (key: string): number => lines.findIndex((line) => line.startsWith(`${key}:`)) + 1;
  if (head.get('lang') !== lang) throw fault(file, lineOf('lang'), `must be the language of the file's name, ${lang}`);
  const dir = head.get('dir');
  if (dir !== 'ltr' && dir !== 'rtl') throw fault(file, lineOf('dir'), 'must be ltr or rtl');
  const text = lines.slice(end + 1);
  const title = text.findIndex((line, i) => /^ {0,3}(#(\s|$)|=+\s*$)/.test(line) && (line.trim().startsWith('#') || Boolean(text[i - 1]?.trim())));
  if (title >= 0) throw fault(file, end + 2 + title, 'a heading starts with ##: the page has its own title');
  if (!text.some((line) => line.trim())) throw fault(file, end + 1, 'no text follows');
  return { template, lang, dir, name: head.get('name') ?? '', html: toHtml(text.join('\n')) };
};

/** Reads a folder of translations, README.md aside. */
export const readTranslations = (folder: string): Translation[] =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.md') && file !== 'README.md')
    .sort()
    .map((file) => readTranslation(file, readFileSync(join(folder, file), 'utf8')));
