import { execFileSync, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addressFault } from '../../src/services/address.ts';
import { isSpecialAddress } from '../../src/services/special-addresses.ts';
import { createOutgoing } from '../../src/signals/outgoing.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases } from '../support/database.ts';
import { granted, house } from '../support/staff.ts';

const MESSAGE = { headers: { 'content-type': 'text/plain' }, body: 'hello' };

const listen = async (host: string, answer: { status: number; headers?: Record<string, string> } = { status: 204 }, port = 0) => {
  const heard: string[] = [];
  const server = createServer((request, response) => {
    heard.push(`${request.method} ${request.url} ${request.headers.host}`);
    request.resume().on('end', () => response.writeHead(answer.status, answer.headers).end());
  });
  await new Promise<void>((done, failed) => server.once('error', failed).listen(port, host, done));
  return { heard, port: (server.address() as AddressInfo).port, close: () => new Promise((done) => server.close(done)) };
};

/** One or more of each range, and the forms in which an IPv6 address hides an IPv4 one. */
const SPECIAL = [
  ['127.0.0.1', '127.255.255.254', '0.0.0.0', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.255', '169.254.169.254', '172.16.0.1'],
  ['172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1'],
  ['224.0.0.1', '239.1.1.1', '240.0.0.1', '255.255.255.255', '::', '::1', '::7f00:1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '::ffff:0:7f00:1'],
  [
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:0:4136:e378::',
    '2001:db8::1',
    '2002:7f00:1::',
    '3fff::1',
    'fc00::1',
    'fd00:ec2::254',
  ],
  ['fe80::1', 'fec0::1', 'ff02::1', '5f00::1', '0:0:0:0:0:0:0:1', 'not-an-address', '', '127.1', 'fe80::1%eth0'],
].flat();
const PUBLIC = [
  '8.8.8.8',
  '1.1.1.1',
  '100.63.255.255',
  '100.128.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.1',
  '223.255.255.255',
  '2a00:1450::1',
  '2606:4700::1111',
];

test('I3 each special range, and each form in which IPv6 hides an IPv4 address, is refused; public addresses are not', () => {
  for (const address of SPECIAL) assert.ok(isSpecialAddress(address), address);
  for (const address of PUBLIC) assert.ok(!isSpecialAddress(address), address);
});

test('I3 at registration: an address in digits however it is written, a local name, http, a user name', () => {
  for (const host of [
    ...SPECIAL,
    ...PUBLIC,
    '0x7f.1',
    '2130706433',
    '0177.0.0.1',
    '127.0.0.1.',
    'localhost',
    'a.localhost',
    'x.internal',
    'printer.local',
    'nas',
  ]) {
    const written = host.includes(':') ? `[${host}]` : host;
    assert.ok(addressFault(`https://${written}/logout`, false), host);
  }
  assert.equal(addressFault('http://caf.example/logout', false), 'address_not_https');
  assert.equal(addressFault('https://a@caf.example/logout', false), 'address_userinfo');
  assert.equal(addressFault('https://caf.example/logout', false), undefined);
});

test('I3 at the call: a name that stands for one special address, even among public ones, is not connected to', async () => {
  for (const address of SPECIAL.filter(Boolean)) {
    const outgoing = createOutgoing({
      allowLoopback: false,
      resolve: async () => [
        { address: '8.8.8.8', family: 4 },
        { address, family: address.includes(':') ? 6 : 4 },
      ],
    });
    await assert.rejects(outgoing.post(new URL('https://caf.example/logout'), MESSAGE), { code: 'address_refused' }, address);
    assert.equal(await outgoing.refuses(new URL('https://caf.example/')), true, address);
  }
  const nothing = createOutgoing({ allowLoopback: false, resolve: async () => [] });
  await assert.rejects(nothing.post(new URL('https://caf.example/'), MESSAGE), { code: 'address_refused' });
  const real = createOutgoing({ allowLoopback: false });
  for (const url of [
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://localhost/',
    'https://2130706433/',
    'http://8.8.8.8/',
  ])
    await assert.rejects(real.post(new URL(url), MESSAGE), { code: 'address_refused' }, url);
  assert.equal(
    await createOutgoing({ allowLoopback: false, resolve: async () => Promise.reject(new Error('ENOTFOUND')) }).refuses(
      new URL('https://caf.example/'),
    ),
    false,
  );
});

test('I3 the demonstration speaks to this machine, and still to nothing else that is special', async () => {
  for (const address of ['10.0.0.1', '169.254.169.254', '192.168.1.1', 'fd00::1']) {
    const outgoing = createOutgoing({ allowLoopback: true, resolve: async () => [{ address, family: address.includes(':') ? 6 : 4 }] });
    for (const url of ['http://localhost/', 'https://caf.example/'])
      await assert.rejects(outgoing.post(new URL(url), MESSAGE), { code: 'address_refused' });
  }
  await assert.rejects(createOutgoing({ allowLoopback: true }).post(new URL('http://127.0.0.2/'), MESSAGE), { code: 'address_refused' });
});

test('I3 DNS rebinding: the name is resolved once, and the connection goes to what was checked', async () => {
  const good = await listen('127.0.0.2');
  const bad = await listen('127.0.0.3', { status: 204 }, good.port);
  try {
    let asked = 0;
    const resolve = async () => [{ address: asked++ ? '127.0.0.3' : '127.0.0.2', family: 4 }];
    const outgoing = createOutgoing({ allowLoopback: true, resolve });
    assert.equal((await outgoing.post(new URL(`http://localhost:${good.port}/logout`), MESSAGE)).status, 204);
    assert.equal(asked, 1);
    assert.deepEqual(good.heard, [`POST /logout localhost:${good.port}`]);
    assert.deepEqual(bad.heard, []);
  } finally {
    await good.close();
    await bad.close();
  }
});

test('I3 a redirect is not followed, wherever it leads', async () => {
  const inside = await listen('127.0.0.1');
  try {
    for (const status of [301, 302, 303, 307, 308]) {
      const outside = await listen('127.0.0.1', { status, headers: { location: `http://127.0.0.1:${inside.port}/secret` } });
      assert.equal((await createOutgoing({ allowLoopback: true }).post(new URL(`http://127.0.0.1:${outside.port}/`), MESSAGE)).status, status);
      assert.equal(outside.heard.length, 1);
      await outside.close();
    }
    assert.deepEqual(inside.heard, []);
  } finally {
    await inside.close();
  }
});

test('I3 the certificate must be that of the name, not of the address that was found', {
  skip: spawnSync('openssl', ['version']).status !== 0,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-tls-'));
  execFileSync(
    'openssl',
    `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=x -addext subjectAltName=IP:127.0.0.1`.split(
      ' ',
    ),
    {
      cwd: folder,
      stdio: 'pipe',
    },
  );
  let heard = 0;
  const server = createSecureServer(
    { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) },
    (_request, response) => {
      heard++;
      response.writeHead(204).end();
    },
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  try {
    const outgoing = createOutgoing({ allowLoopback: true, resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
    await assert.rejects(outgoing.post(new URL(`https://localhost:${(server.address() as AddressInfo).port}/`), MESSAGE), /certificate|self/i);
    assert.equal(heard, 0);
  } finally {
    server.close();
    rmSync(folder, { recursive: true });
  }
});

test('a service that never answers, drips, floods, or whose name never resolves costs the time-out, no more', async () => {
  const outgoing = createOutgoing({ allowLoopback: true, timeoutMs: 300 });
  const drip = createServer((_request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(timer));
  });
  const flood = createServer((_request, response) => response.writeHead(200).end(Buffer.alloc(50_000_000, 'x')));
  const deaf = createServer(() => undefined);
  const urlOf = async (server: typeof deaf): Promise<URL> => {
    await new Promise<void>((done) => server.listen(0, 'localhost', done));
    return new URL(`http://localhost:${(server.address() as AddressInfo).port}/`);
  };
  const from = performance.now();
  await assert.rejects(outgoing.post(await urlOf(deaf), MESSAGE), { name: 'TimeoutError' });
  await assert.rejects(outgoing.post(await urlOf(drip), MESSAGE), { name: 'TimeoutError' });
  const never = createOutgoing({ allowLoopback: true, timeoutMs: 300, resolve: () => new Promise(() => undefined) });
  await assert.rejects(never.post(new URL('http://localhost/'), MESSAGE), { name: 'TimeoutError' });
  assert.equal((await outgoing.post(await urlOf(flood), MESSAGE)).body.length, 4096);
  assert.ok(performance.now() - from < 3000);
  for (const server of [drip, flood, deaf]) {
    server.closeAllConnections();
    server.close();
  }
});

/** What a hostile endpoint may write in place of an answer. */
const NO_ANSWERS: Readonly<Record<string, string>> = {
  'switches protocols': 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  'hints for ever': 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(2000),
  'ends too early': 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc',
  'is no HTTP': '\0\0\0',
  'says two lengths': 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
  'has headers without end': `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(100_000)}`,
  'has a chunk of extensions': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(100_000)}`,
};

test('M6 whatever an endpoint writes in place of an answer, waiting for it ends with the time-out', async () => {
  for (const [what, text] of Object.entries(NO_ANSWERS))
    for (const closes of [false, true]) {
      const server = createSocketServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => (closes ? socket.end(text) : socket.write(text)));
      });
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      const outgoing = createOutgoing({ allowLoopback: true, timeoutMs: 200 });
      const posted = outgoing.post(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`), MESSAGE);
      const hung = new Promise((done) => setTimeout(done, 2000, 'hung'));
      assert.notEqual(
        await Promise.race([
          posted.then(
            () => 'answered',
            () => 'failed',
          ),
          hung,
        ]),
        'hung',
        what,
      );
      server.close();
    }
});

test('M6 name servers that never answer, of as many services as one likes, hold back no other name; an answer of one that is special is refused', async () => {
  const silent = createSocket('udp4');
  const asked: string[] = [];
  const rebinding = createSocket('udp4');
  silent.on('message', (question) => asked.push(question.toString('latin1')));
  rebinding.on('message', (question, from) => {
    const isA = question.readUInt16BE(question.indexOf(0, 12) + 1) === 1;
    const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 169, 254, 169, 254]);
    const head = Buffer.from([...question.subarray(0, 2), 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0]);
    rebinding.send(Buffer.concat([head, question.subarray(12, question.indexOf(0, 12) + 5), ...(isA ? [answer] : [])]), from.port, from.address);
  });
  const at = async (socket: typeof silent): Promise<string[]> => {
    await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
    return [`127.0.0.1:${socket.address().port}`];
  };
  try {
    const outgoing = createOutgoing({ allowLoopback: false, timeoutMs: 1000, servers: await at(silent) });
    const held = Array.from({ length: 100 }, (_, i) => outgoing.post(new URL(`https://slow${i}.example/`), MESSAGE));
    const ended = Promise.all(held.map((each) => assert.rejects(each, { name: 'TimeoutError' })));
    const refuses = outgoing.refuses(new URL('https://slow.example/'));
    const from = performance.now();
    await lookup('localhost');
    assert.ok(performance.now() - from < 500, 'a name of somebody else');
    await ended;
    assert.equal(await refuses, false);
    assert.ok(performance.now() - from < 2500);
    assert.equal(new Set(asked.map((question) => /slow\d*/.exec(question)?.[0])).size, 101);
    const inside = createOutgoing({ allowLoopback: false, servers: await at(rebinding) });
    await assert.rejects(inside.post(new URL('https://caf.example/'), MESSAGE), { code: 'address_refused' });
    assert.equal(await inside.refuses(new URL('https://caf.example/')), true);
  } finally {
    silent.close();
    rebinding.close();
  }
});

for (const kind of databases())
  test(`I3 a service whose back channel leads inside is not registered (${kind.kind})`, { database: kind.kind }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const it = await house(
        database,
        frozenClock(),
        undefined,
        createOutgoing({ allowLoopback: false, resolve: async () => [{ address: '169.254.169.254', family: 4 }] }),
      );
      const { administration } = granted(await it.administrations.add({ name: 'Caisse', actor: 'cli' }));
      const input = {
        id: 'inside',
        name: 'Inside',
        administrationId: administration.id,
        profile: 'standard',
        themes: ['famille'],
        redirectUris: ['https://caf.example/retour'],
        backchannelLogoutUri: 'https://caf.example/logout',
      };
      const fault = { refused: 'registration_invalid', faults: [{ field: 'backchannelLogoutUri', code: 'address_host' }] };
      assert.deepEqual(await it.services.add(input, { askedBy: 'opr_a' }), fault);
      assert.deepEqual(await database.asOwner((query) => query('select id from service')), []);
      const { backchannelLogoutUri: _none, ...silent } = input;
      granted(await it.services.add(silent, { askedBy: 'opr_a' }));
      assert.deepEqual(await it.services.change(input, { askedBy: 'opr_a' }), fault);
      assert.deepEqual(await database.asOwner((query) => query("select metadata->>'backchannel_logout_uri' uri from service")), [{ uri: null }]);
    } finally {
      await drop();
    }
  });
