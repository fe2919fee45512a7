// Checks what a page shows of the journal, with nothing but what came with the page and the keys that it pins. Browsers run it (verify.js); so do our
// tests, and whoever is handed an evidence file. No dependency: SHA-256, HMAC and Ed25519 are WebCrypto's; `ed25519` replaces the last where it lacks.
// Formats: docs/journal.md.

const { subtle } = globalThis.crypto ?? {};
const utf8 = new TextEncoder();
const FIVE_MINUTES = 300_000;
const AT_ONCE = 250;

const concat = (...parts) => {
  const all = parts.map((part) => (typeof part === 'string' ? utf8.encode(part) : part));
  const whole = new Uint8Array(all.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of all) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
const sha256 = async (...parts) => new Uint8Array(await subtle.digest('SHA-256', concat(...parts)));
const base64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));
const fromUrl = (text) => base64(text.replaceAll('-', '+').replaceAll('_', '/'));
const toUrl = (bytes) => toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');

/** What does not fit. `entry` is its index in the journal. */
class Mismatch extends Error {
  constructor(code, entry) {
    super(code);
    this.code = code;
    this.entry = entry;
  }
}

/** RFC 8785, for values that came as JSON. */
const canonical = (value) => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
};

// The tree (RFC 6962, RFC 9162 §2.1.3.2 and §2.1.4.2)

const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

/** The root that a path leads to, or undefined when it cannot be one of `size` leaves. */
const rootFrom = async (leafHash, index, size, path) => {
  if (!(Number.isSafeInteger(index) && Number.isSafeInteger(size) && index >= 0 && index < size)) return undefined;
  let [fn, sn, hash] = [index, size - 1, leafHash];
  for (const sibling of path) {
    if (sn === 0 || sibling.length !== 32) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      hash = await nodeHash(sibling, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else hash = await nodeHash(hash, sibling);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? hash : undefined;
};

/** Says whether the tree (`older.size`, `older.root`) is the beginning of `newer`. */
export const continues = async (older, newer, proof) => {
  if (older.size > newer.size || proof.some((hash) => hash.length !== 32)) return false;
  if (older.size === newer.size) return proof.length === 0 && same(older.root, newer.root);
  if (older.size === 0) return proof.length === 0;
  const nodes = Number.isInteger(Math.log2(older.size)) ? [older.root, ...proof] : [...proof];
  const first = nodes.shift();
  if (!first) return false;
  let [fn, sn] = [older.size - 1, newer.size - 1];
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  let [before, after] = [first, first];
  for (const node of nodes) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      before = await nodeHash(node, before);
      after = await nodeHash(node, after);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [fn / 2, Math.floor(sn / 2)];
    } else after = await nodeHash(after, node);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && same(before, older.root) && same(after, newer.root);
};

// Signed notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature)

const KINDS = { 1: 'log', 4: 'witness' };

/** Reads a vkey, name+id+base64(type ‖ key): its identifier must be that of its key. */
const readKey = async (vkey) => {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? [];
  const bytes = base64(encoded ?? '');
  const kind = KINDS[bytes[0]];
  const hash = (await sha256(name ?? '', '\n', bytes)).subarray(0, 4);
  if (bytes.length !== 33 || !kind || [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('') !== id) throw new Mismatch('key');
  return { name, kind, id: hash, raw: bytes.subarray(1) };
};

/** Verifies with WebCrypto. Throws what the browser throws when it has no Ed25519. */
export const nativeEd25519 = async (signature, message, raw) =>
  subtle.verify('Ed25519', await subtle.importKey('raw', raw, 'Ed25519', false, ['verify']), signature, message);

/** Opens a checkpoint: who signed it among `keys`, and when witnesses say that they saw it. The log's own signature must be there. */
const openNote = async (note, origin, keys, ed25519) => {
  const cut = note.lastIndexOf('\n\n');
  const text = note.slice(0, cut + 1);
  const [, named, digits, root] = /^([^\n]+)\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n$/.exec(text) ?? [];
  if (cut < 0 || !note.endsWith('\n') || root === undefined || !Number.isSafeInteger(Number(digits))) throw new Mismatch('note_malformed');
  if (named !== origin) throw new Mismatch('note_other_log');
  const lines = note.slice(cut + 2, -1).split('\n');
  if (lines.length > 64) throw new Mismatch('note_malformed');
  let signed = false;
  const times = new Map();
  for (const line of lines) {
    const [, name, encoded] = /^— (\S+) (\S+)$/u.exec(line) ?? [];
    if (encoded === undefined) throw new Mismatch('note_malformed');
    const bytes = base64(encoded);
    const key = keys.find((one) => one.name === name && same(one.id, bytes.subarray(0, 4)));
    if (!key) continue;
    const at = key.kind === 'witness' ? Number(new DataView(bytes.buffer).getBigUint64(4)) : 0;
    const message = key.kind === 'witness' ? `cosignature/v1\ntime ${at}\n${text}` : text;
    const signature = bytes.subarray(key.kind === 'witness' ? 12 : 4);
    if (signature.length !== 64 || !(await ed25519(signature, utf8.encode(message), key.raw))) throw new Mismatch('note_signature');
    if (key.kind === 'log') signed = true;
    else times.set(key, Math.max(at * 1000, times.get(key) ?? 0));
  }
  if (!signed) throw new Mismatch('note_unsigned');
  return { size: Number(digits), root: base64(root), times, note };
};

/** Since when a quorum of the policy has seen this note, and who: undefined when none has. */
const witnessesOf = (policy, keys, times) => {
  const spoke = policy.witnesses.flatMap(({ name }, i) => (times.has(keys[i]) ? [{ name, at: times.get(keys[i]) }] : [])).sort((a, b) => a.at - b.at);
  const met = (names) => {
    const has = (name) => {
      const group = policy.groups.find((one) => one.name === name);
      return group ? group.members.filter(has).length >= group.threshold : names.has(name);
    };
    return has(policy.quorum);
  };
  const seen = spoke.findLast(({ at }) => met(new Set(spoke.filter((one) => one.at >= at).map(({ name }) => name))));
  return seen && { at: seen.at, names: spoke.map(({ name }) => name) };
};

// Entries (src/journal/payload.ts, src/journal/entry.ts)

const boxDigest = async (shown) => {
  if (!Array.isArray(shown)) return fromUrl(shown.digest);
  const digests = await Promise.all(
    shown.map((field) =>
      'digest' in field ? fromUrl(field.digest) : sha256('relais/journal/field/v1\n', fromUrl(field.salt), canonical([field.name, field.value])),
    ),
  );
  return sha256('relais/journal/box/v1\n', ...digests);
};

/** The fields that are shown, by name, each of which the leaf commits to. Null when what was done is erased: the box of the person, or both. */
const openFields = async ({ index, sealed }, leaf) => {
  const { subject, actor } = sealed ?? {};
  if (!subject && !actor) return null;
  if (!subject || !actor) throw new Mismatch('commitment', index);
  const names = [subject, actor].flatMap((box) => (Array.isArray(box) ? box : [])).flatMap((field) => field.name ?? []);
  if (new Set(names).size !== names.length) throw new Mismatch('commitment', index);
  const [one, two] = await Promise.all([boxDigest(subject), boxDigest(actor)]);
  if (toUrl(await sha256('relais/journal/payload/v1\n', one, two)) !== leaf.c) throw new Mismatch('commitment', index);
  if (!Array.isArray(subject)) return null;
  return Object.fromEntries(
    [subject, actor].flatMap((box) => (Array.isArray(box) ? box : [])).flatMap((f) => ('name' in f ? [[f.name, f.value]] : [])),
  );
};

/** The code of a leaf as paper has it: the first fifty bits of its hash in base 32 (RFC 4648 §6), `K7QF2-M3XAB`. */
const codeOf = (hash) => {
  const bits = [...hash.subarray(0, 7)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const signs = Array.from({ length: 10 }, (_, i) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(bits.slice(i * 5, i * 5 + 5), 2)]).join('');
  return `${signs.slice(0, 5)}-${signs.slice(5)}`;
};

const tagKey = (key) => subtle.importKey('raw', fromUrl(key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
const tagWith = async (tags, role, number) =>
  toUrl(new Uint8Array(await subtle.sign('HMAC', tags, utf8.encode(`${role}\n${number}`))).subarray(0, 16));

/** The tag that a party's entry of this number carries. */
export const tagOf = async ({ key, role }, number) => tagWith(await tagKey(key), role, number);

/** Checks one entry by itself: its bytes, its boxes, its number, its place under `newest` where this covers it. */
const checkEntry = async (entry, { newest, nodes, tags, role }) => {
  const { index, bytes, number, boxes, path } = entry;
  let leaf;
  try {
    leaf = JSON.parse(bytes);
  } catch {
    throw new Mismatch('leaf', index);
  }
  if (leaf.v !== 1 || canonical(leaf) !== bytes) throw new Mismatch('leaf', index);
  if (tags && !leaf.tg.includes(await tagWith(tags, role, number))) throw new Mismatch('tag', index);
  // A row of boxes that is gone is not the same as boxes whose keys are.
  if (boxes && (boxes.length !== leaf.ch.length || boxes.some((hash, i) => hash !== leaf.ch[i]))) throw new Mismatch('box', index);
  const covered = newest !== undefined && index < newest.size;
  const hash = await sha256(Uint8Array.of(0), bytes);
  if (covered) {
    const siblings = path?.map((n) => nodes[n]);
    const root = siblings && (await rootFrom(hash, index, newest.size, siblings));
    if (!root || !same(root, newest.root)) throw new Mismatch('inclusion', index);
  }
  return {
    index,
    number,
    leaf,
    covered,
    hash: toUrl(hash),
    code: codeOf(hash),
    fields: entry.sealed === undefined ? undefined : await openFields(entry, leaf),
  };
};

/** Numbers follow each other, newest first: from the party's last on the newest page, to 1 on the oldest. */
const checkNumbers = (entries, { complete, last, withheld }) => {
  const held = new Set(withheld);
  const before = (number) => {
    let next = number - 1;
    while (held.has(next)) next--;
    return next;
  };
  let top = last;
  while (held.has(top)) top--;
  for (const [i, { index, number }] of entries.entries()) {
    const above = entries[i - 1];
    if (above && above.index <= index) throw new Mismatch('order', index);
    if (!complete) continue;
    if (above ? before(above.number) !== number : complete.newest && number !== top) throw new Mismatch('gap', index);
  }
  if (complete?.oldest && before(entries.at(-1)?.number ?? top + 1) !== 0) throw new Mismatch('gap', entries.at(-1)?.index);
};

const freshness = (policy, witnessed, now) => {
  if (!policy || policy.quorum === 'none') return 'alone';
  if (!witnessed) return 'waiting';
  if (now - witnessed.seen.at > FIVE_MINUTES) return 'stale';
  return witnessed.seen.at - now > FIVE_MINUTES ? 'clock' : undefined;
};

/**
 * Checks an evidence (src/web/evidence.ts). Answers `state` ('mismatch', 'recorded', 'sealed' with `why`, 'verified'), the opened entries, the newest
 * checkpoint, and who witnessed. `progress` hears how many entries are done. With a mismatch, `problem` is its code and the index of the entry.
 */
export const checkEvidence = async (evidence, { ed25519 = nativeEd25519, now = Date.now(), progress = () => undefined } = {}) => {
  try {
    const { log, policy, party } = evidence;
    const keys = await Promise.all(log.keys.map(readKey));
    const witnesses = await Promise.all((policy?.witnesses ?? []).map(({ vkey }) => readKey(vkey)));
    const newest = evidence.newest === undefined ? undefined : await openNote(evidence.newest, log.origin, keys, ed25519);
    const nodes = evidence.nodes.map(base64);
    let witnessed = evidence.witnessed === undefined ? undefined : await openNote(evidence.witnessed, log.origin, [...keys, ...witnesses], ed25519);
    if (witnessed) {
      const proof = (evidence.consistency ?? []).map((n) => nodes[n]);
      if (!newest || !(await continues(witnessed, newest, proof))) throw new Mismatch('consistency');
      const seen = policy && witnessesOf(policy, witnesses, witnessed.times);
      witnessed = seen && { ...witnessed, seen };
    }
    const tags = party.key === undefined ? undefined : await tagKey(party.key);
    const entries = [];
    for (let i = 0; i < evidence.entries.length; i += AT_ONCE) {
      const some = evidence.entries.slice(i, i + AT_ONCE);
      entries.push(...(await Promise.all(some.map((entry) => checkEntry(entry, { newest, nodes, tags, role: party.role })))));
      progress(entries.length);
    }
    checkNumbers(entries, party);
    const why = freshness(policy, witnessed, now);
    const state = entries.some(({ covered }) => !covered)
      ? 'recorded'
      : why !== undefined || entries.some(({ index }) => index >= witnessed.size)
        ? 'sealed'
        : 'verified';
    return { state, why: state === 'sealed' ? (why ?? 'waiting') : undefined, entries, newest, witnesses: witnessed?.seen, seen: witnessed?.size };
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    return { state: 'mismatch', problem: { code: error.code, ...(error.entry === undefined ? {} : { entry: error.entry }) }, entries: [] };
  }
};

/** Reads a checkpoint of this log, and says whether the log signed it. Throws what does not fit. */
export const openCheckpoint = async (note, log, ed25519 = nativeEd25519) =>
  openNote(note, log.origin, await Promise.all(log.keys.map(readKey)), ed25519);

export { base64, toBase64 };

/**
 * Adds to an evidence the leaves of its span that did not come with the page. `fetchPart` gives the answer to an address (src/web/evidence-rest.ts),
 * undefined when there is none: then nothing is claimed of what is missing. `progress` hears how many leaves are there.
 */
export const withRest = async (evidence, fetchPart, progress = () => undefined) => {
  const { rest, ...party } = evidence.party;
  if (!rest) return evidence;
  const own = new Map(evidence.entries.map((entry) => [entry.index, entry]));
  const nodes = [...evidence.nodes];
  const entries = evidence.entries.filter(({ index }) => index >= rest.below);
  const withheld = [...party.withheld];
  for (let { href, below } = rest; below !== undefined; ) {
    const part = await fetchPart(href);
    if (!part) return { ...evidence, party: { ...party, complete: undefined } };
    const offset = nodes.length;
    for (const node of part.nodes) nodes.push(node);
    for (const entry of part.entries)
      entries.push(own.get(entry.index) ?? { ...entry, ...(entry.path ? { path: entry.path.map((n) => n + offset) } : {}) });
    withheld.push(...part.withheld);
    below = part.below;
    href = href.replace(/avant=\d+/, `avant=${below}`);
    progress(entries.length);
  }
  return { ...evidence, nodes, entries, party: { ...party, withheld } };
};

// What stands on the page

/** Which fields the words of a line hold as they are; codes are written with the words that came with the page. */
const WHO = ['detail.aidantName', 'detail.organisationName'];
const WRITTEN = {
  'usager.entered': WHO,
  'mandate.consented': ['detail.organisationName', 'detail.themes'],
  'consent.asked': [...WHO, 'detail.themes'],
  'consent.witnessed': [...WHO, 'detail.reference'],
  'paper.copied': [...WHO, 'detail.reference'],
  'paper.copy-read': [...WHO, 'detail.reference'],
  'mandate.created': [...WHO, 'detail.themes', 'detail.reference'],
  'mandate.imported': [...WHO, 'detail.themes', 'detail.reference', 'detail.witnessName'],
  'mandate.replaced': ['detail.organisationName', 'detail.theme'],
  'mandate.revoked': ['detail.organisationName', 'detail.themes', 'detail.left', 'detail.reason'],
  'mandate.barred': ['detail.organisationName', 'detail.administrationName', 'detail.reason'],
  'mandate.renounced': [...WHO, 'detail.themes', 'detail.left'],
  'mandate.ended': ['detail.organisationName', 'detail.themes'],
  'session.opened': [...WHO, 'detail.serviceName', 'theme'],
  'action.reported': [...WHO, 'detail.serviceName', 'detail.reference', 'verb'],
  'action.contested': [...WHO, 'detail.serviceName', 'detail.entry'],
  'action.error-declared': [...WHO, 'detail.serviceName', 'detail.entry'],
  'revocation.delivered': ['detail.serviceName'],
  'journal.read': [...WHO, 'detail.administrationName', 'detail.reason'],
  'journal.exported': ['detail.administrationName', 'detail.reason'],
  'proof.downloaded': ['detail.administrationName', 'detail.entry'],
  'statement.made': WHO,
  'erasure.refused': ['detail.reason'],
};
const DEMARCHE = new Set(['action.reported', 'action.contested', 'action.error-declared']);

/** Letters alone count: the page may write a capital otherwise, and no-break spaces. */
const plain = (text) =>
  String(text)
    .normalize('NFC')
    .toLowerCase()
    .replace(/[\s\u00a0\u202f]+/g, ' ')
    .replaceAll('’', "'");

/** How a field is written: codes with the words that came with the page. `row`: where it stands alone. */
const written = (name, value, { fields, words, row }) => {
  if (name === 'verb') return (!row && fields.outcome === 'failure' ? words.failed : words.verbs)[value] ?? '';
  if (/theme|left/.test(name)) return words.themes[value] ?? value;
  return name === 'detail.serviceName' ? String(value).replace(/^(la |l['’]|le |les )/i, '') : value;
};
const writtenAll = (names, context) =>
  names.flatMap((name) => (context.fields[name] === undefined ? [] : [context.fields[name]].flat().map((value) => written(name, value, context))));

/** What the facts of an entry must hold beside its sentence, where each stands once more; with `page.facts`, these and the hash of the leaf. */
const FACTS = ['detail.aidantName', 'detail.organisationName', 'detail.serviceName', 'detail.administrationName', 'theme'];
const expectedFacts = ({ leaf, fields, hash }, { lang, words, facts }) => {
  if (facts) return [hash, ...writtenAll(facts, { fields: fields ?? {}, words, row: true })];
  if (!fields) return [];
  const label = lang === 'en' ? 'detail.demarcheLabelEn' : 'detail.demarcheLabel';
  const reference = leaf.e === 'action.reported' ? ['detail.reference'] : [];
  const reason = leaf.e === 'journal.read' || leaf.e === 'mandate.barred' ? ['detail.reason'] : [];
  return writtenAll([...FACTS, label, ...reference, ...reason], { fields, words, row: true });
};

/** What the words of a line must hold, from the fields that its leaf commits to. `page.written` names them where every line is a row of a table. */
export const expectedWords = ({ leaf, fields, code }, { lang, words, written: row, label: named, sheets }) => {
  const printed = sheets ? [code] : [];
  if (fields === null) return words.erased === undefined ? printed : [words.erased, ...printed];
  const label = row ? fields[named] : DEMARCHE.has(leaf.e) ? fields[lang === 'en' ? 'detail.demarcheLabelEn' : 'detail.demarcheLabel'] : undefined;
  return [
    ...printed,
    ...writtenAll(row ?? WRITTEN[leaf.e] ?? [], { fields, words, row }),
    ...(label === undefined ? [] : [label]),
    ...(fields['detail.outsideMandate'] === true ? [words.outside] : fields['detail.signInAgain'] === true ? [words.signInAgain] : []),
    ...(row && fields.verb === undefined ? [words.types[leaf.e] ?? leaf.e] : []),
  ];
};

/** `14 h 32`, or `14:32`, in Paris. */
export const timeIn = (at, lang) => {
  const parts = new Intl.DateTimeFormat('en-GB', { timeZone: 'Europe/Paris', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).formatToParts(
    at,
  );
  const [hour, minute] = ['hour', 'minute'].map((type) => parts.find((part) => part.type === type)?.value);
  return lang === 'fr' ? `${Number(hour)} h ${minute}` : `${hour}:${minute}`;
};

/** `3 mars 2026`, or `1er mars 2026`, in Paris. */
const dayIn = (at, lang) =>
  new Intl.DateTimeFormat(lang === 'en' ? 'en-GB' : 'fr-FR', { timeZone: 'Europe/Paris', day: 'numeric', month: 'long', year: 'numeric' })
    .format(at)
    .replace(/^1 /, lang === 'fr' ? '1er ' : '1 ');

/**
 * Compares the lines that stand on the page, in their order, with the entries. A line is { index, at (ISO), text, facts }: `text` holds its day, time and
 * words; `facts`, where there are some, the same fields once more.
 * Answers undefined, or what does not fit.
 */
export const compareLines = (lines, entries, { page, party }) => {
  const hasLine = ({ index, fields, leaf }) => fields !== undefined || (index >= (page.from ?? 0) && page.kinds.includes(leaf.e));
  const shown = entries.filter((entry) => entry.index !== party.anchor && hasLine(entry));
  for (let i = 0; i < Math.max(lines.length, shown.length); i++) {
    const [line, entry] = [lines[i], shown[i]];
    if (!line || !entry || line.index !== entry.index) return { code: 'lines', entry: (entry ?? line).index };
    const text = plain(line.text);
    const at = new Date(entry.leaf.t);
    const wanted = [dayIn(at, page.lang), timeIn(at, page.lang), ...expectedWords(entry, page)];
    const facts = line.facts === undefined ? [] : expectedFacts(entry, page).filter((one) => !plain(line.facts).includes(plain(one)));
    if (facts.length || line.at !== entry.leaf.t || wanted.some((one) => !text.includes(plain(one)))) return { code: 'text', entry: entry.index };
  }
  return undefined;
};
