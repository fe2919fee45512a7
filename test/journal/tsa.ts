import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A time stamping authority: OpenSSL's own, behind the HTTP of RFC 3161 §3.4, with a certificate authority made for the test. */
export interface TestTsa {
  readonly folder: string;
  readonly url: string;
  /** The certificate of the authority's own authority, PEM. */
  readonly ca: string;
  /** Answers with these bytes, or this status, instead of asking OpenSSL; undefined again asks it. */
  answer: ((request: Buffer) => Buffer | number) | undefined;
  /** The answer that OpenSSL gives to a request, signed by the certificate of that name: `tsa` or `other`. */
  reply(request: Buffer, signer?: string): Buffer;
  /** The same content signed anew as plain CMS by `tsa`, or by `server`, whose certificate is not for time stamping; `named`: the signature names it. */
  resigned(token: Buffer, signer: string, named: boolean): Buffer;
  /** Says whether OpenSSL accepts a token over `text`. */
  accepts(token: Buffer, text: string, ca?: string): boolean;
  close(): Promise<void>;
}

const run = (folder: string, ...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

/** Makes a certificate authority `name-ca`, and under it a certificate `name` for `purpose`. */
const certify = (folder: string, name: string, purpose: string): void => {
  writeFileSync(join(folder, `${name}.ext`), `extendedKeyUsage=${purpose}\nkeyUsage=critical,digitalSignature\nbasicConstraints=CA:FALSE\n`);
  const ca = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '3650', '-subj', `/CN=Authority ${name}`];
  run(
    folder,
    ...ca,
    '-keyout',
    `${name}-ca.key`,
    '-out',
    `${name}-ca.pem`,
    '-addext',
    'basicConstraints=critical,CA:TRUE',
    '-addext',
    'keyUsage=critical,keyCertSign',
  );
  const key = name === 'tsa' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', 'rsa:2048'];
  run(folder, 'req', ...key, '-nodes', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`);
  run(
    folder,
    ...`x509 -req -in ${name}.csr -CA ${name}-ca.pem -CAkey ${name}-ca.key -CAcreateserial -days 3650 -extfile ${name}.ext -out ${name}.pem`.split(
      ' ',
    ),
  );
};

const CONFIGURATION = `[tsa]
default_tsa = tsa1
[tsa1]
serial = serial
default_policy = 1.2.3.4.1
digests = sha256, sha512
accuracy = secs:1
signer_digest = sha256
ess_cert_id_alg = sha256
`;

/** Starts one on a free port. */
export const startTsa = async (): Promise<TestTsa> => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-tsa-'));
  for (const [name, purpose] of [
    ['tsa', 'critical,timeStamping'],
    ['other', 'critical,timeStamping'],
    ['server', 'serverAuth'],
  ] as const)
    certify(folder, name, purpose);
  writeFileSync(join(folder, 'tsa.cnf'), CONFIGURATION);
  mkdirSync(join(folder, 'work'));
  const work = (file: string): string => join('work', file);
  const read = (file: string): Buffer => readFileSync(join(folder, file));
  const write = (file: string, bytes: Buffer | string): void => writeFileSync(join(folder, file), bytes);
  const reply = (request: Buffer, signer = 'tsa'): Buffer => {
    write(work('q'), request);
    run(
      folder,
      ...`ts -reply -config tsa.cnf -queryfile work/q -signer ${signer}.pem -inkey ${signer}.key -chain ${signer}-ca.pem -out work/r`.split(' '),
    );
    return read(work('r'));
  };
  const tsa: Pick<TestTsa, 'answer'> = { answer: undefined };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const given = tsa.answer ? tsa.answer(Buffer.concat(parts)) : reply(Buffer.concat(parts));
      if (typeof given === 'number') response.writeHead(given).end();
      else response.writeHead(200, { 'content-type': 'application/timestamp-reply' }).end(given);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return Object.assign(tsa, {
    folder,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/tsa`,
    ca: read('tsa-ca.pem').toString(),
    reply,
    resigned(token: Buffer, signer: string, named: boolean) {
      write(work('t'), token);
      run(folder, ...'cms -verify -noverify -inform DER -in work/t -binary -out work/tst'.split(' '));
      const sign = `cms -sign -binary -nodetach -in work/tst -econtent_type 1.2.840.113549.1.9.16.1.4 -signer ${signer}.pem -inkey ${signer}.key`;
      run(folder, ...`${sign} -certfile ${signer}-ca.pem -md sha256 -outform DER -out work/s${named ? ' -cades' : ''}`.split(' '));
      return read(work('s'));
    },
    accepts(token: Buffer, text: string, ca = 'tsa-ca.pem') {
      write(work('t'), token);
      write(work('d'), text);
      return spawnSync('openssl', `ts -verify -in work/t -token_in -data work/d -CAfile ${ca}`.split(' '), { cwd: folder }).status === 0;
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          rmSync(folder, { recursive: true, force: true });
          resolve();
        });
      }),
  });
};
