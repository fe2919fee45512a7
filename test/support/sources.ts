import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, resolve } from 'node:path';

/** Reads src/ as text, for the rules that a program can check (test/architecture.test.ts). */

export interface Source {
  /** Path from src/, with slashes. */
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  /** Comments blanked, line by line. */
  readonly code: string;
  /** Comments and the contents of strings blanked. */
  readonly bare: string;
}

/** The folder of the repository. */
export const root = resolve(import.meta.dirname, '../..');

/** Blanks comments, and string contents when asked, keeping every line where it is. An apostrophe in the text of a page opens no string. */
export const blank = (text: string, strings: boolean): string => {
  const token = /\/\*[\s\S]*?\*\/|(?<![:'"`])\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\$]|\\.|\$(?!\{))*`/g;
  return text.replace(token, (found) => {
    const comment = found.startsWith('/*') || found.startsWith('//');
    if (!comment && !strings) return found;
    const inside = found.slice(1, -1).replaceAll(/[^\n]/g, ' ');
    return comment ? found.replaceAll(/[^\n]/g, ' ') : `${found[0]}${inside}${found.at(-1)}`;
  });
};

/** The first folder of a path, or the file's own name when it stands beside the folders. */
export const folderOf = (path: string): string => (path.includes('/') ? (path.split('/')[0] ?? '') : path);

/** Reads a source from its text. */
export const sourceOf = (path: string, text: string): Source => ({
  path,
  folder: folderOf(path),
  text,
  code: blank(text, false),
  bare: blank(text, true),
});

/** Every source file, sorted. */
export const sources: readonly Source[] = globSync('**/*.{ts,tsx}', { cwd: join(root, 'src') })
  .map((path) => path.replaceAll('\\', '/'))
  .sort()
  .map((path) => {
    const text = readFileSync(join(root, 'src', path), 'utf8');
    return sourceOf(path, text);
  });

/** The line of an index, from 1. */
export const line = (text: string, index: number): number => text.slice(0, index).split('\n').length;
/** Finds a pattern, with the place of each find. */
export const found = (source: Source, pattern: RegExp, inside: 'code' | 'bare'): { at: string; match: RegExpMatchArray }[] =>
  [...source[inside].matchAll(pattern)].map((match) => ({ at: `src/${source.path}:${line(source[inside], match.index)}`, match }));

export interface Import {
  readonly at: string;
  readonly source: Source;
  readonly target: string;
  /** Erased when compiled: `import type`, or braces where every name is a type. */
  readonly typesOnly: boolean;
}

const onlyTypes = (clause: string): boolean => {
  const names = /^\s*\{([^}]*)\}\s*$/
    .exec(clause)?.[1]
    ?.split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  return /^\s*type\b/.test(clause) || (names !== undefined && names.length > 0 && names.every((name) => name.startsWith('type ')));
};

/** Every import of a source: static, dynamic, re-exported, required, or the file of a worker. */
export const importsOf = (source: Source): Import[] => {
  const statement = /^[ \t]*(?:import|export)\b(?!\s*\()([^;'"]*?)\bfrom\s*['"]([^'"\n]+)['"]/gm;
  const others =
    /^[ \t]*import\s*()['"]([^'"\n]+)['"]|\bimport\s*\(\s*()['"]([^'"\n]+)['"]|new URL\(\s*()['"](\.[^'"\n]+\.tsx?)['"]|\brequire\s*\(\s*()['"]([^'"\n]+)['"]/gm;
  return [...found(source, statement, 'code'), ...found(source, others, 'code')].map(({ at, match }) => ({
    at,
    source,
    target: match[2] ?? match[4] ?? match[6] ?? match[8] ?? '',
    typesOnly: onlyTypes(match[1] ?? ''),
  }));
};
/** Every import of src/. */
export const imports = sources.flatMap(importsOf);

export const isRelative = (target: string): boolean => target.startsWith('.');
/** The imported path, from src/. */
export const resolved = (made: Import): string => normalize(join(dirname(made.source.path), made.target)).replaceAll('\\', '/');
/** The package of an import, without the path inside it. */
export const packageOf = (target: string): string =>
  target.startsWith('@') ? target.split('/').slice(0, 2).join('/') : (target.split('/')[0] ?? '');
