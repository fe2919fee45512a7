// Says, where entries of the journal are shown, whether they are what was sealed (verify-log.js checks it): five states in words, and a file to keep when
// something does not match. Nothing leaves the browser but requests for this site's own public proofs, and random strings to mirrors.
const place = document.getElementById('checked');
const { evidence: given, says } = JSON.parse(document.getElementById('evidence').content.textContent);
const words = place.querySelector('[data-checked-words]');
const more = place.querySelector('[data-checked-more]');
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let evidence = given;
let visited = false; // before this page
let everything = false; // what is checked goes back to the party's first entry
let checkAll;

/** What stands on the page, to be compared with what was sealed. */
const linesOf = () => {
  const lines = [...document.querySelectorAll('[data-entry]')].map((line) => ({
    index: Number(line.dataset.entry),
    at: line.querySelector('time')?.dateTime,
    facts: line.querySelector('[data-entry-facts]')?.textContent,
    // The row of a table speaks as a whole; a line of a list without its links, under the heading of its day.
    text: (line.matches('[data-entry-words]')
      ? [line]
      : [line.closest('ol')?.previousElementSibling, ...line.querySelectorAll('[data-entry-words], time, p:not(.links)')]
    )
      .map((part) => part?.textContent ?? '')
      .join(' '),
  }));
  return evidence.page.sheets ? lines.reverse() : lines;
};

/** Ed25519 of the browser; where it has none, a library of five kilobytes. */
let library;
const ed25519 = async (log, signature, message, raw) => {
  if (!library) {
    try {
      return await log.nativeEd25519(signature, message, raw);
    } catch {
      library = await import(place.dataset.ed25519);
    }
  }
  return library.verifyAsync(signature, message, raw, { zip215: false }).catch(() => false);
};

// What was seen at the last visit: the newest checkpoint of this journal, and the last number of the party by a hash of its key.

const openStore = () =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open('relais-journal', 1);
    request.onupgradeneeded = () => request.result.createObjectStore('seen');
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
const memory = new Map();
const inStore = async (mode, work) => {
  const database = await openStore();
  try {
    return await new Promise((resolve, reject) => {
      const request = work(database.transaction('seen', mode).objectStore('seen'));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  } finally {
    database.close();
  }
};
const recall = async (key) => memory.get(key) ?? (await inStore('readonly', (store) => store.get(key)).catch(() => undefined));
const remember = async (key, value) => {
  memory.set(key, value);
  await inStore('readwrite', (store) => store.put(value, key)).catch(() => undefined);
};

/** Asks for a resource of this site. Undefined when there is no answer, or none that says anything; null when there is no such thing. */
const ask = async (path) => {
  try {
    const answer = await fetch(path, { credentials: 'same-origin' });
    if (answer.ok) return await answer.text();
    return answer.status === 404 || answer.status === 400 ? null : undefined;
  } catch {
    return undefined;
  }
};

/** The evidence of another page of this site, if it has one. */
const evidenceIn = (page) => {
  const found = page && new DOMParser().parseFromString(page, 'text/html').getElementById('evidence');
  return found ? JSON.parse(found.content.textContent).evidence : undefined;
};

/** Compares with the last visit: 'same', 'first', 'offline', or what does not fit. */
const compareHistory = async (log, { newest }) => {
  const { origin } = evidence.log;
  const before = await recall(origin);
  if (!before) return 'first';
  const old = { size: before.size, root: log.base64(before.root) };
  const [older, newer] = old.size <= newest.size ? [old, newest] : [newest, old];
  let proof = '';
  if (older.size !== newer.size && older.size > 0) {
    proof = await ask(`/api/v1/journal/consistency?from=${older.size}&to=${newer.size}`);
    if (proof === undefined) return 'offline';
  }
  const hashes = (proof ?? '').split('\n').filter(Boolean).map(log.base64);
  if (proof !== null && (await log.continues(older, newer, hashes))) return 'same';
  return { code: 'history', before: before.note, proof };
};

/**
 * What mirrors know that the page does not. An entry written since the page was made is no hidden one: the page itself is asked again, and only
 * what it still does not show is missing.
 */
let wanted; // what mirrors must have copied: what was seen when the page came
const compareMirrors = async (log, { newest, seen }) => {
  if (!evidence.mirrors?.length) return {};
  wanted ??= seen ?? newest.size;
  const { askMirrors } = await import(place.dataset.mirrors);
  const tagOf = (number) => log.tagOf(evidence.party, number);
  const mirrors = await askMirrors({ evidence, tagOf, size: wanted });
  const other = mirrors.find(({ kind }) => kind === 'other');
  if (other) return { problem: { code: 'mirrorOther', mirror: other } };
  const [most] = mirrors.filter(({ kind }) => kind === 'more').sort((a, b) => b.more - a.more);
  if (!most) return { mirrors };
  const fresh = evidenceIn(await ask(location.href));
  return fresh && fresh.party.last >= evidence.party.last + most.more
    ? { mirrors }
    : { problem: { code: most.more === 1 ? 'mirrorOne' : 'mirrorMany', mirror: most } };
};

/** The last number that this party had; fewer now means that some were taken away. */
const compareLast = async (partyKey) => {
  const { party } = evidence;
  if (!partyKey || !party.complete?.newest) return undefined;
  const last = (await recall(partyKey)) ?? 0;
  if (party.last < last) return { code: 'last', before: last };
  await remember(partyKey, party.last);
  return undefined;
};
const partyKeyOf = async () => {
  const { log, party } = evidence;
  if (party.key === undefined) return undefined;
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`${party.role}\n${party.key}`));
  return `${log.origin} ${btoa(String.fromCharCode(...new Uint8Array(hash)))}`;
};

const check = async (log) => {
  performance.mark('relais-verify-start');
  const lines = linesOf();
  const counted = evidence.party.complete;
  const signed = evidence.newest?.split('\n')[1] ?? 0; // proofs lead to the checkpoint that is here now
  const part = async (href) => {
    const answer = await ask(href.replace(/taille=\d+/, `taille=${signed}`));
    return answer ? JSON.parse(answer) : undefined;
  };
  const total = evidence.party.rest?.total ?? 0;
  const half = (done) => total > MANY && progress(done / 2, total);
  evidence = await log.withRest(evidence, part, half);
  const then = (done) => total > MANY && progress((evidence.entries.length + done) / 2, total);
  const result = await log.checkEvidence(evidence, { ed25519: (...rest) => ed25519(log, ...rest), progress: then });
  result.uncounted = counted && !evidence.party.complete;
  const problem = result.problem ?? log.compareLines(lines, result.entries, evidence);
  performance.measure('relais-verify', 'relais-verify-start');
  if (problem) return { state: 'mismatch', problem, lines };
  if (!result.newest) return { ...result, history: 'first' };
  const history = await compareHistory(log, result);
  if (typeof history !== 'string') return { state: 'mismatch', problem: history, lines };
  const lost = await compareLast(await partyKeyOf());
  if (lost) return { state: 'mismatch', problem: lost, lines };
  const { size, root, note } = result.newest;
  const known = await recall(evidence.log.origin);
  if (history !== 'offline' && (known?.size ?? -1) < size) await remember(evidence.log.origin, { size, root: log.toBase64(root), note });
  return { ...result, history };
};

// Words

const WHY = {
  text: 'text',
  lines: 'lines',
  order: 'lines',
  gap: 'gap',
  last: 'last',
  history: 'history',
  commitment: 'content',
  box: 'content',
  leaf: 'content',
  tag: 'content',
  inclusion: 'place',
  mirrorOne: 'mirrorOne',
  mirrorMany: 'mirrorMany',
  mirrorOther: 'mirrorOther',
};
const element = (name, text, members = {}) => Object.assign(document.createElement(name), { textContent: text }, members);
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');

/** A button that asks nothing of the server. */
const button = (text, kind, press) => {
  const made = element('button', text, { type: 'button', className: `fr-btn fr-btn--${kind}` });
  made.addEventListener('click', press);
  return made;
};

const download = ({ problem, lines }) => {
  const file = { format: 'relais-evidence/1', made: new Date().toISOString(), address: location.pathname, problem, lines, evidence };
  const address = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: 'application/json' }));
  element('a', '', { href: address, download: `relais-preuves-${file.made.slice(0, 10)}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
};

const mainWords = (log, { state, why, witnesses }) => {
  if (state !== 'verified') return says.states[why && why !== 'waiting' ? why : state];
  const names = new Intl.ListFormat(evidence.page.lang).format(witnesses.names);
  return fill(says.states.verified, { witnesses: names, time: log.timeIn(new Date(witnesses.at), evidence.page.lang) });
};

/** What is claimed to be whole: this page, or everything since the party's first entry, which her first number is. */
const completeWords = ({ entries }) =>
  everything ? fill(says.notes.everything, { total: new Intl.NumberFormat(evidence.page.lang).format(entries.length) }) : says.notes.complete;

const notesOf = (result) => {
  if (result.state === 'mismatch') {
    const { code, entry, mirror } = result.problem;
    const line = entry === undefined ? '' : fill(says.mismatch.line, { entry });
    const why = fill(says.mismatch.why[WHY[code] ?? 'witnesses'], { mirror: mirror?.name, more: mirror?.more });
    return [line + why, says.mismatch.what, says.mismatch.private];
  }
  const { party } = evidence;
  return [
    result.state === 'verified' && party.complete && !party.withheld.length && completeWords(result),
    result.uncounted && says.notes.uncounted,
    party.withheld.length > 0 && says.notes.withheld,
    result.entries?.some(({ fields }) => fields === null) && says.notes.erased,
    visited && result.history === 'same' && result.state === 'verified' && says.notes.same,
    result.history === 'offline' && says.notes.offline,
    ...(result.mirrors ?? []).map(({ kind, name }) => fill(says.mirrors[kind], { mirror: name })),
  ].filter(Boolean);
};

/** Says how far the check of many entries is; a screen reader hears the first and the last of it. */
const MANY = 1000;
const progress = (done, total) => {
  const bar = more.querySelector('progress') ?? element('progress', '', { max: total });
  bar.value = Math.min(done, total);
  bar.setAttribute('aria-label', says.checking);
  if (bar.isConnected) return;
  saying(fill(says.counting, { total: new Intl.NumberFormat(evidence.page.lang).format(total) }));
  more.replaceChildren(bar);
};
/** While it checks. */
const saying = (text) => {
  place.dataset.state = 'checking';
  const head = element('p', '', { className: 'checked__main' });
  head.append(place.querySelector('[data-checked-icon="recorded"]').content.cloneNode(true), element('span', text));
  words.replaceChildren(head);
  shown = '';
};

let shown = '';
const show = (log, result, again) => {
  const main = mainWords(log, result);
  const notes = notesOf(result);
  const text = [result.state, main, ...notes].join('\n');
  place.dataset.state = result.state;
  if (text === shown) return;
  shown = text;
  const icon = place.querySelector(`[data-checked-icon="${result.state}"]`).content.cloneNode(true);
  const head = element('p', '', { className: 'checked__main' });
  head.append(icon, element('b', main));
  words.replaceChildren(head, ...notes.map((note) => element('p', note)));
  const actions = element('div', '', { className: 'actions' });
  if (result.state === 'mismatch') actions.append(button(says.mismatch.download, 'stop', () => download(result)));
  if (given.party.before && !everything && result.state !== 'mismatch') actions.append(button(says.all, 'quiet', checkAll));
  actions.append(button(says.again, 'quiet', again), element('a', says.how, { href: says.howHref, className: 'fr-btn fr-btn--quiet' }));
  more.replaceChildren(actions);
};

/** The same lines with newer signatures. What they must hold besides was asked of the page itself. */
const renew = async () => {
  const renewed = evidence.page.again && evidenceIn(await ask(evidence.page.again));
  if (!renewed) return;
  const top = given.entries[0]?.index ?? -1; // what was written since has no line here
  evidence = { ...renewed, mirrors: given.mirrors, party: given.party, entries: renewed.entries.filter(({ index }) => index <= top) };
};

/** From here on the party's entries before this page are checked too: they come in parts, and no line of this page stands for them. */
const widen = () => {
  const { party, entries, page } = evidence;
  if (!party.complete || party.complete.oldest) return;
  const span = party.rest ? party.rest.href.replace(/de=\d+/, 'de=0') : given.party.before;
  const rest = { href: span, below: party.rest?.below ?? page.from ?? entries.at(-1)?.index ?? 0, total: party.last };
  evidence = { ...evidence, party: { ...party, complete: { ...party.complete, oldest: true }, rest } };
};

const UNABLE = { state: 'unable' };
const start = async () => {
  if (!globalThis.crypto?.subtle) return show(undefined, UNABLE, () => location.reload());
  const slow = setTimeout(() => place.dataset.state === undefined && saying(says.checking), 500);
  const log = await import(place.dataset.log);
  visited = (await recall(given.log.origin)) !== undefined;
  const run = async () => {
    const checked = await check(log).catch(() => UNABLE);
    clearTimeout(slow);
    show(log, checked, again);
    if (!checked.newest) return checked;
    const { problem, mirrors } = await compareMirrors(log, checked);
    const result = problem ? { state: 'mismatch', problem, lines: linesOf() } : { ...checked, mirrors };
    show(log, result, again);
    return result;
  };
  const again = async () => {
    await renew();
    if (everything) widen();
    await run();
  };
  checkAll = async () => {
    everything = true;
    widen();
    await run();
  };
  let result = await run();
  // A line is signed within a second, then witnessed: a few looks, further and further apart.
  const waits = ({ state, why, mirrors = [] }) => state === 'recorded' || why === 'waiting' || mirrors.some(({ kind }) => kind === 'late');
  for (let pause = 1200; pause < 12_000 && waits(result); pause *= 2) {
    await wait(pause);
    await renew();
    result = await run();
  }
};
start().catch(() => show(undefined, UNABLE, () => location.reload()));
