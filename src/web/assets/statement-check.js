// Checks what the QR codes of a statement say, in a page that was kept as a file: no network, nothing sent. `relais` holds the keys and the words
// (web/offline-check.ts). It does what src/actions/statement.ts does.
const { keys, words } = JSON.parse(document.getElementById('relais').textContent);
const SIGNS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const START = 73;

const base32 = (bytes) => {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held & 31) << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += SIGNS[(held >>> (bits - 5)) & 31];
  }
  return bits ? text + SIGNS[(held << (5 - bits)) & 31] : text;
};
const readBase32 = (text) => {
  const bytes = [];
  let bits = 0;
  let held = 0;
  for (const sign of text) {
    const value = SIGNS.indexOf(sign);
    if (value < 0) return new Uint8Array();
    held = ((held & 255) << 5) | value;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >>> bits) & 255);
    }
  }
  return base32(bytes) === text ? new Uint8Array(bytes) : new Uint8Array();
};
const readBase64 = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (sign) => sign.charCodeAt(0));
const join = (text, bytes) => {
  const first = new TextEncoder().encode(text);
  const all = new Uint8Array(first.length + bytes.length);
  all.set(first);
  all.set(bytes, first.length);
  return all;
};

const openSheet = async (text) => {
  const bytes = readBase32(text);
  if (bytes.length <= START || bytes[0] !== 1) return { refused: 'unreadable' };
  const key = keys.find(({ kid }) =>
    readBase64(kid)
      .subarray(0, 8)
      .every((byte, i) => byte === bytes[1 + i]),
  );
  if (!key) return { refused: 'altered' };
  const trusted = await crypto.subtle.importKey('raw', readBase64(key.x), { name: 'Ed25519' }, false, ['verify']);
  const content = bytes.subarray(START);
  const signed = join(`relais/statement/sheet/v1\n${key.kid}\n`, content);
  if (!(await crypto.subtle.verify({ name: 'Ed25519' }, trusted, bytes.subarray(9, START), signed))) return { refused: 'altered' };
  const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return { sheet: JSON.parse(await new Response(stream).text()) };
};

// Canonical JSON (RFC 8785) of members that are written in order here: text in NFC, counts.
const numberOf = async ({ from, log, person, to }, rows) => {
  const held = JSON.stringify({ from, log, person, rows: rows.map(([index, , , check]) => [index, check]), to });
  const digest = await crypto.subtle.digest('SHA-256', join('relais/statement/v1\n', new TextEncoder().encode(held)));
  return base32(new Uint8Array(digest).subarray(0, 10));
};

const check = async (typed) => {
  const texts = new Set(typed.split(/\s+/).flatMap((each) => each.slice(each.lastIndexOf('#') + 1).toUpperCase() || []));
  const opened = await Promise.all([...texts].map(openSheet));
  const refused = opened.find((each) => each.refused === 'altered') ?? opened.find((each) => each.refused);
  if (refused || !opened.length) return { kind: refused?.refused ?? 'unreadable' };
  const sheets = opened.map((each) => each.sheet).sort((a, b) => a.sheet - b.sheet);
  const [first] = sheets;
  if (sheets.some((each, i) => each.number !== first.number || each.made !== first.made || each.sheet === sheets[i - 1]?.sheet))
    return { kind: 'mixed' };
  const rows = sheets.flatMap((each) => each.rows);
  const whole = sheets.length === first.sheets;
  if (whole && (rows.length !== first.lines || (await numberOf(first, rows)) !== first.number)) return { kind: 'altered' };
  return { kind: 'genuine', sheets, whole };
};

const element = (name, text, parent) => {
  const made = document.createElement(name);
  made.textContent = text;
  parent.append(made);
  return made;
};
const PARIS = { timeZone: 'Europe/Paris' };
const when = (at) => {
  const day = new Intl.DateTimeFormat(words.locale, { ...PARIS, weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(
    new Date(at),
  );
  const time = new Intl.DateTimeFormat(words.locale, { ...PARIS, hour: '2-digit', minute: '2-digit' }).format(new Date(at));
  return `${day}, ${time}`;
};

const tell = (found) => {
  const place = document.getElementById('answer');
  place.replaceChildren();
  const title = { genuine: words.genuine, mixed: words.mixed, altered: words.altered, unreadable: words.unreadable }[found.kind];
  element('h2', title, place).tabIndex = -1;
  if (found.kind !== 'genuine') element('p', found.kind === 'altered' ? words.alteredText : '', place);
  else {
    const [head] = found.sheets;
    element('p', words.genuineText, place);
    element('p', words.different, place);
    element('p', `${head.person} · ${head.from} → ${head.to} · ${head.number.match(/.{4}/g).join('-')}`, place);
    element('p', found.whole ? words.whole : `${words.part} ${found.sheets.length} / ${head.sheets}`, place);
    for (const sheet of found.sheets) {
      element('h3', `${words.sheet} ${sheet.sheet} / ${sheet.sheets}`, place);
      const list = element('ol', '', place);
      for (const [index, at, said, code] of sheet.rows) {
        const line = element('li', '', list);
        element('strong', when(at), line);
        element('p', said, line);
        element('p', `${words.line} ${index} · code ${code.slice(0, 5)}-${code.slice(5, 10)}`, line);
      }
    }
  }
  place.firstChild.focus();
};

document.getElementById('check').addEventListener('submit', async (event) => {
  event.preventDefault();
  try {
    tell(await check(document.getElementById('texte').value));
  } catch {
    tell({ kind: crypto.subtle && 'DecompressionStream' in window ? 'altered' : 'unreadable' });
  }
});
