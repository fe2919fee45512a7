import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KnownMirror, readMirrors } from '../../src/config/mirrors.ts';
import { randomToken, sha256 } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';

test('the file of those who may copy the leaves holds names and hashes, never a token, and a wrong line is named', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-mirrors-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'mirrors');
  const write = (...lines: string[]): KnownMirror[] => {
    writeFileSync(file, lines.join('\n'));
    return readMirrors(file);
  };
  const hash = sha256('a token');
  const line = `tax-office ${hash.toString('base64url')}`;
  assert.deepEqual(write('# who may copy', '', line, ''), [{ name: 'tax-office', hash }]);
  const url = 'https://miroir.example:8443/journal';
  assert.deepEqual(write(`${line}  ${url}/`), [{ name: 'tax-office', hash, url }]);
  assert.deepEqual(readMirrors(file, { loopback: true })[0]?.url, url);
  assert.deepEqual(write(''), []);
  for (const wrong of [
    `${line} x`,
    `${line} http://miroir.example`,
    `${line} http://localhost:8600`,
    `${line} https://miroir.example/?a=b`,
    `${line} https://miroir.example;script-src`,
    `${line} https://miroir.example/a,b`,
    `${line} https://*.example`,
    `${line} https://name@miroir.example`,
    `${line} ${url} more`,
    hash.toString('base64url'),
    `Tax ${hash.toString('base64url')}`,
    `tax ${randomToken(8)}`,
    `tax ${hash.toString('hex')}`,
  ])
    assert.throws(() => write(line, wrong), { code: 'mirrors_malformed', message: /line 2/ }, wrong);
});
