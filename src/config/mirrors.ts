import { readFileSync } from 'node:fs';
import { Failure } from '../kernel/failure.ts';

/**
 * Reads who may copy the leaves: a file of lines `name hash`, where the hash is the SHA-256 of a token in base64url. Empty lines and those that
 * begin with `#` count for nothing. Fails as `mirrors_malformed`, naming the line.
 */
export const readMirrors = (file: string): Buffer[] =>
  readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .flatMap((line, i) => {
      if (/^\s*(?:#.*)?$/.test(line)) return [];
      const [, hash = ''] = /^[a-z0-9][a-z0-9.-]{0,63} +([A-Za-z0-9_-]{43})$/.exec(line) ?? [];
      if (!hash) throw new Failure('mirrors_malformed', `${file}, line ${i + 1}: expected a name and the hash of a token`);
      return [Buffer.from(hash, 'base64url')];
    });
