import { readFileSync } from 'node:fs';
import { Failure } from '../kernel/failure.ts';

/** Who may copy the leaves, and where the pages of those who read ask them for tags. */
export interface KnownMirror {
  readonly name: string;
  /** SHA-256 of their token. */
  readonly hash: Buffer;
  /** Without a slash at its end; missing for a mirror that no page asks. */
  readonly url?: string;
}

/** An address of a mirror: HTTPS, or this machine's own where `loopback`; nothing that a content policy could read otherwise. */
const addressOf = (text: string, loopback: boolean): string | undefined => {
  const path = /^(https?):\/\/([a-z0-9.-]+)(?::\d{1,5})?(?:\/[A-Za-z0-9._~-]+)*\/?$/.exec(text);
  const own = path?.[1] === 'http' && /^(?:localhost|127\.0\.0\.1)$/.test(path[2] ?? '');
  return path && (path[1] === 'https' || (loopback && own)) && URL.canParse(text) ? text.replace(/\/$/, '') : undefined;
};

/**
 * Reads who may copy the leaves: a file of lines `name hash` or `name hash address`, where the hash is the SHA-256 of a token in base64url, and the
 * address where browsers reach the mirror. Empty lines and those that begin with `#` count for nothing. Fails as `mirrors_malformed`, naming the line.
 */
export const readMirrors = (file: string, { loopback = false } = {}): KnownMirror[] =>
  readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .flatMap((line, i) => {
      if (/^\s*(?:#.*)?$/.test(line)) return [];
      const [, name = '', hash, given] = /^([a-z0-9][a-z0-9.-]{0,63}) +([A-Za-z0-9_-]{43})(?: +(\S+))?$/.exec(line) ?? [];
      if (!hash) throw new Failure('mirrors_malformed', `${file}, line ${i + 1}: expected a name and the hash of a token`);
      const url = given === undefined ? undefined : addressOf(given, loopback);
      if (given !== undefined && url === undefined) throw new Failure('mirrors_malformed', `${file}, line ${i + 1}: expected an https:// address`);
      return [{ name, hash: Buffer.from(hash, 'base64url'), ...(url === undefined ? {} : { url }) }];
    });
