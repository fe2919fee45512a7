import { connect } from 'node:net';
import { randomBytes, sha256 } from '../../src/kernel/crypto.ts';
import { kindOf, LARGEST_SCAN } from '../../src/mandates/scan.ts';
import type { Walker } from '../../src/practice/walker.ts';
import { csrfOf, entriesSince, inesAt, inTheMorning, mandatesOf, mark, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { papersOf, sheetFor, typedPerson } from '../support/paper.ts';
import { inEachWorld } from '../support/protocol.ts';
import { signedInAidant, type World } from '../support/world.ts';

const pdf = (inside: Buffer | string = '1 0 obj'): Buffer =>
  Buffer.concat([Buffer.from('%PDF-1.7\n'), Buffer.from(inside), Buffer.from('\n%%EOF\n')]);
const jpeg = (inside = 'x'): Buffer => Buffer.concat([Buffer.from('ffd8ffe0', 'hex'), Buffer.from(inside), Buffer.from('ffd9', 'hex')]);
const png = (inside = 'x'): Buffer =>
  Buffer.concat([Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), Buffer.from(inside), Buffer.from('0000000049454e44ae426082', 'hex')]);
const ZIP = Buffer.from('504b0304140000000800', 'hex');
const HTML = Buffer.from('<html><script>alert(1)</script>');

test('I1 a file is what its bytes say from the first to the last: what could be two things is none', () => {
  assert.deepEqual([pdf(), jpeg(), png(), Buffer.concat([pdf(), Buffer.alloc(300)])].map(kindOf), ['pdf', 'jpeg', 'png', 'pdf']);
  const none = [
    Buffer.alloc(0),
    Buffer.alloc(20),
    HTML,
    ZIP,
    Buffer.from('MZ'),
    Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'),
    Buffer.from('GIF89a'),
    Buffer.concat([HTML, pdf()]),
    Buffer.concat([Buffer.from('\n'), pdf()]),
    ...[pdf(), jpeg(), png()].flatMap((file) => [Buffer.concat([file, ZIP]), Buffer.concat([file, HTML]), file.subarray(0, -4), file.subarray(1)]),
  ];
  for (const [i, bytes] of none.entries()) assert.equal(kindOf(bytes), undefined, `file ${i}`);
});

interface Sent {
  readonly name?: string;
  readonly type?: string;
}
const form = (csrf: string, ...files: readonly (readonly [Buffer, Sent?])[]): FormData => {
  const body = new FormData();
  body.set('_csrf', csrf);
  for (const [bytes, { name = 'feuille.pdf', type = 'application/pdf' } = {}] of files)
    body.append('scan', new Blob([new Uint8Array(bytes)], { type }), name);
  return body;
};

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  let karim: Walker;
  let ines: Walker;
  let csrf: string;
  let paper: Awaited<ReturnType<typeof sheetFor>>;
  const path = () => `${world().places.relais}/aidant/papiers/${paper.id}/copie`;
  const send = (body: FormData | string, walker = karim, headers: Readonly<Record<string, string>> = {}) =>
    fetch(path(), {
      method: 'POST',
      redirect: 'manual',
      body,
      headers: { cookie: walker.cookieHeader(new URL(path())), origin: world().places.relais, 'sec-fetch-site': 'same-origin', ...headers },
    });
  const scans = () => world().sql('select * from paper_scan where paper_id = $1 order by added_at, id', [paper.id]);

  test(
    'V3 a copy is kept sealed, and read only as a file to save, by an aidant of the structure, with an entry that the person sees',
    on,
    async () => {
      const it: World = world();
      inTheMorning(it);
      karim = await signedInAidant(it);
      ines = await inesAt(it, 'Thénac');
      csrf = await csrfOf(it, karim);
      paper = await sheetFor(it, await whoIs(it), typedPerson());
      const from = await mark(it);
      const file = pdf(randomBytes(50_000));
      const sent = await send(form(csrf, [file, { name: '../../etc/\u202egpj.exe\u0000', type: 'text/html' }]));
      assert.equal(sent.status, 303, await sent.text());
      const [kept] = await scans();
      assert.ok(kept);
      assert.deepEqual([kept['kind'], kept['size'], kept['hash']], ['pdf', file.length, sha256(file)]);
      assert.ok(!(kept['box'] as Buffer).includes(file.subarray(9, 40)), 'sealed');
      assert.doesNotMatch(JSON.stringify({ ...kept, box: '' }), /\.exe|\/etc|text\/html|gpj/, 'nothing of its name or type is kept');
      const read = await ines.ask(path());
      assert.deepEqual(Buffer.from(await read.arrayBuffer()), file);
      const header = (name: string) => read.headers.get(name);
      assert.equal(header('content-type'), 'application/octet-stream');
      assert.equal(header('content-disposition'), `attachment; filename="${paper.reference}.pdf"`);
      assert.deepEqual(
        [header('x-content-type-options'), header('content-security-policy'), header('cache-control')],
        ['nosniff', "sandbox; default-src 'none'", 'no-store'],
      );
      const entries = (await entriesSince(it, from)).filter((entry) => entry.type.startsWith('paper.'));
      assert.deepEqual(
        entries.map(({ type, usager }) => [type, usager]),
        [
          ['paper.copied', paper.usagerId],
          ['paper.copy-read', paper.usagerId],
        ],
      );
      for (const statement of ['update paper_scan set size = 1', 'delete from paper_scan'])
        await assert.rejects(
          it.database.run(async (tx) => {
            await (tx as unknown as { query(one: object): Promise<unknown> }).query({ name: '', text: statement, values: [] });
          }),
          /permission denied/,
        );
      const elsewhere = await inesAt(it, 'Saintes');
      assert.equal((await elsewhere.ask(path())).status, 404);
      assert.equal((await send(form(await csrfOf(it, elsewhere), [pdf()]), elsewhere)).status, 404);
      ines = await inesAt(it, 'Thénac');
    },
  );

  test(
    'D1 I1 a file that is empty, of another kind, two at once, too large, without its token or of nobody: no row, and a clear page',
    on,
    async () => {
      const before = (await scans()).length;
      const cases: readonly (readonly [string, FormData | string, number, RegExp, Walker?])[] = [
        ['empty', form(csrf, [Buffer.alloc(0)]), 422, /Il n’y a pas de fichier/],
        ['no file', form(csrf), 422, /Il n’y a pas de fichier/],
        ['HTML said to be a PDF', form(csrf, [HTML]), 415, /n’est pas accepté/],
        ['polyglot', form(csrf, [Buffer.concat([pdf(), ZIP])]), 415, /n’est pas accepté/],
        ['two files', form(csrf, [pdf()], [png()]), 422, /trop de fichiers/],
        ['10 MiB and one byte', form(csrf, [pdf(Buffer.alloc(LARGEST_SCAN - 15))]), 413, /trop grand/],
        ['far too large', form(csrf, [Buffer.alloc(LARGEST_SCAN + 200_000)]), 413, /trop grand/],
        ['no token', form('', [pdf()]), 403, /trop vieille/],
        ['another person’s token', form(csrf, [pdf()]), 403, /trop vieille/, ines],
      ];
      assert.equal(pdf(Buffer.alloc(LARGEST_SCAN - 15)).length, LARGEST_SCAN + 1);
      for (const [name, body, status, says, walker] of cases) {
        const answer = await send(body, walker);
        assert.equal(answer.status, status, name);
        assert.match(await answer.text(), says, name);
      }
      const nobody = await fetch(path(), { method: 'POST', redirect: 'manual', body: form(csrf, [pdf()]) });
      assert.equal(nobody.status, 401);
      const foreign = await send(form(csrf, [pdf()]), karim, { 'sec-fetch-site': 'cross-site' });
      assert.equal(foreign.status, 403);
      assert.equal((await scans()).length, before);
    },
  );

  test('I1 a form that is cut short, badly written, or whose sender goes away makes no row and no fault of ours', on, async () => {
    const it = world();
    const before = (await scans()).length;
    const from = it.logged.length;
    const part = `--b\r\ncontent-disposition: form-data; name="_csrf"\r\n\r\n${csrf}\r\n--b\r\ncontent-disposition: form-data; name="scan"; filename="a.pdf"\r\n\r\n`;
    const type = { 'content-type': 'multipart/form-data; boundary=b' };
    for (const [body, headers] of [
      [`${part}${pdf().toString()}`, type],
      [part, type],
      ['nothing of the kind', type],
      ['', type],
      [`${part}${pdf().toString()}\r\n--b--\r\n`, { 'content-type': 'multipart/form-data' }],
      [`--b\r\ncontent-disposition: form-data; name="__proto__"\r\n\r\nx\r\n--b--\r\n`, type],
    ] as const) {
      const answer = await send(body, karim, headers);
      assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} for ${body.slice(0, 20)}`);
      assert.match(await answer.text(), /<h1/);
    }
    const url = new URL(path());
    await new Promise<void>((resolve, reject) => {
      const socket = connect(Number(url.port), 'localhost', () => {
        socket.write(
          `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncookie: ${karim.cookieHeader(url)}\r\norigin: ${url.origin}\r\ncontent-type: ${type['content-type']}\r\ncontent-length: 5000000\r\n\r\n${part}%PDF-1.7`,
        );
        setTimeout(() => socket.destroy(), 100);
      });
      socket.on('close', () => resolve());
      socket.on('error', reject);
    });
    await new Promise((resume) => setTimeout(resume, 200));
    assert.equal((await scans()).length, before);
    assert.deepEqual(
      it.logged.slice(from).filter(({ line }) => line['code'] === 'fault'),
      [],
    );
  });

  test('D1 ten MiB is kept whole; a sheet has five copies at most, even when they come at once; the newest is read', on, async () => {
    const it = world();
    const largest = pdf(Buffer.alloc(LARGEST_SCAN - 16, 1));
    assert.equal(largest.length, LARGEST_SCAN);
    assert.equal((await send(form(csrf, [largest]))).status, 303);
    assert.equal((await scans()).at(-1)?.['size'], LARGEST_SCAN);
    it.advance(1000);
    const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => send(form(csrf, [png(String(i))]))));
    assert.equal(answers.filter(({ status }) => status === 303).length, 3);
    assert.equal(answers.filter(({ status }) => status === 409).length, 3);
    assert.equal((await scans()).length, 5);
    const read = await karim.ask(path());
    assert.equal(read.headers.get('content-disposition'), `attachment; filename="${paper.reference}.png"`);
    await read.body?.cancel();
    const who = await whoIs(it);
    assert.ok('witnessed' in (await papersOf(it.app, it).witness(await whoIs(it, 'ines', 'Thénac'), paper.id, paper.textHash, '')));
    const made = await mandatesOf(it.app, it).accept(who, paper.draftId, paper.textHash, '');
    assert.ok('mandate' in made);
    const page = await karim.open(`${it.places.relais}/aidant/mandats/${made.mandate.id}`);
    assert.match(page.html, new RegExp(`href="/aidant/papiers/${paper.id}/copie"`));
  });
});
